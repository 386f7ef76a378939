import assert from "node:assert/strict";
import { test } from "node:test";
import { now, reportOf } from "../../test/support/operatorobjects.ts";
import { RelayMemory } from "./memory.ts";

const accepted = (acceptedMessages: number, startedAt = "2026-11-23T12:00:00Z") => ({
  ...reportOf(),
  acceptedMessages,
  startedAt,
});

test("a rate needs two reports of one process that are some seconds apart", () => {
  const memory = new RelayMemory();
  assert.equal(memory.rate("p", accepted(100), now), undefined);
  assert.equal(memory.rate("p", accepted(150), now + 1_000), undefined);
  assert.equal(memory.rate("p", accepted(1_100), now + 10_000), 100);
  assert.equal(memory.rate("p", undefined, now + 12_000), 100);
  assert.equal(memory.rate("p", accepted(5, "2026-11-23T12:01:00Z"), now + 20_000), undefined);
  assert.equal(memory.rate("p", accepted(55, "2026-11-23T12:01:00Z"), now + 30_000), 5);
});

test("a refusal is remembered with the time to ask again, until the claim has grown", () => {
  const memory = new RelayMemory();
  memory.refused("mail/claim", "no expansion", now);
  assert.deepEqual(memory.refusal("mail/claim"), { why: "no expansion", retryAt: now + 600_000 });
  memory.granted("mail/claim");
  assert.equal(memory.refusal("mail/claim"), undefined);
});

test("an order is remembered by its digest, a failure by the time of the first", () => {
  const memory = new RelayMemory();
  assert.equal(memory.order("p"), undefined);
  memory.orderFailed("p", "ECONNREFUSED", now);
  memory.orderFailed("p", "ECONNRESET", now + 1);
  assert.deepEqual(memory.order("p")?.failure, { why: "ECONNRESET", since: now });
  memory.ordered("p", "digest", now + 2);
  assert.deepEqual([memory.order("p")?.digest, memory.order("p")?.failure], ["digest", undefined]);
  memory.orderFailed("p", "ECONNREFUSED", now + 3);
  assert.deepEqual([memory.order("p")?.digest, memory.order("p")?.failure?.since], [undefined, now + 3]);
  memory.ordered("q", "digest", now + 4_000_000);
  assert.equal(memory.order("p"), undefined);
});
