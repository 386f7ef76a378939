import assert from "node:assert/strict";
import { test } from "node:test";
import { documentVersions } from "../../api/relayconfig.ts";
import { now, reportOf } from "../../test/support/operatorobjects.ts";
import { RelayMemory } from "./memory.ts";

const accepted = (acceptedMessages: number, startedAt = "2026-11-23T12:00:00Z") => ({
  ...reportOf(),
  acceptedMessages,
  startedAt,
});

const pod = { uid: "p", key: "mail/outbound-0", template: "today" };

test("a rate needs two reports of one process that are some seconds apart", () => {
  const memory = new RelayMemory();
  const rateAfter = (report: ReturnType<typeof accepted>, afterMs: number): number | undefined => {
    memory.reported(pod, report, now + afterMs);
    return memory.rate("p");
  };
  assert.equal(rateAfter(accepted(100), 0), undefined);
  assert.equal(rateAfter(accepted(150), 1_000), undefined);
  assert.equal(rateAfter(accepted(1_100), 10_000), 100);
  assert.equal(memory.rate("p"), 100);
  assert.equal(rateAfter(accepted(5, "2026-11-23T12:01:00Z"), 20_000), undefined);
  assert.equal(rateAfter(accepted(55, "2026-11-23T12:01:00Z"), 30_000), 5);
});

test("what a pod reads is remembered for as long as it reports, and of a pod of its template alone", () => {
  const memory = new RelayMemory();
  memory.reported(pod, reportOf(), now);
  const hour = 3_600_000;
  for (let after = 10_000; after <= hour; after += 10_000) memory.reported(pod, reportOf(), now + after);
  memory.annotated("another", now + hour + 5_000);
  assert.equal(memory.reads(pod), documentVersions.newest, "it was asked five seconds ago");
  assert.equal(memory.reads({ ...pod, template: "next" }), undefined);
  memory.reported(pod, reportOf({ reads: undefined }), now + hour + 10_000);
  assert.equal(memory.reads(pod), documentVersions.oldest);
  memory.annotated("another", now + 2 * hour + 10_001);
  assert.equal(memory.reads(pod), undefined, "it has told nothing for an hour");
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
