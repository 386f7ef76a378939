import assert from "node:assert/strict";
import { test } from "node:test";
import { Newcomers } from "./newcomers.ts";

const start = Date.parse("2026-11-30T12:00:00Z");

function clientsAt(time: { now: number }): (client: string, connections: number) => number {
  const newcomers = new Newcomers({ now: () => time.now });
  return (client, connections) =>
    Array.from({ length: connections }, () => newcomers.isInTime(client)).filter(Boolean).length;
}

test("a client's connections come fifty at once, then one after the other", () => {
  const time = { now: start };
  const inTime = clientsAt(time);
  assert.equal(inTime("storm", 1000), 50);
  assert.equal(inTime("other", 10), 10, "another client's are counted apart");
  let letIn = 0;
  for (time.now = start + 10; time.now <= start + 2000; time.now += 10) letIn += inTime("storm", 100);
  assert.equal(letIn, 40, "twenty a second, however many it opens");
  time.now += 60_000;
  assert.equal(inTime("storm", 1000), 50, "after a pause");
});

test("a clock that is set back keeps nobody out", () => {
  const time = { now: start };
  const inTime = clientsAt(time);
  assert.equal(inTime("client", 50), 50);
  time.now -= 3_600_000;
  assert.equal(inTime("client", 50), 50);
});
