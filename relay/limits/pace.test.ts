import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace } from "./pace.ts";

const perMinute = (messagesPerMinute: number, now: number, fresh = true) => ({
  key: "d",
  messagesPerMinute,
  now,
  fresh,
});

test("Pace spaces messages evenly and lets those that wait a moment wait in memory", () => {
  const pace = new Pace();
  const ask = (now: number) => pace.ask(perMinute(120, now));
  assert.deepEqual(ask(0), { kind: "now" });
  assert.deepEqual(ask(0), { kind: "soon", waitMs: 500 });
  assert.deepEqual(ask(0), { kind: "soon", waitMs: 1_000 });
  assert.deepEqual(ask(0), { kind: "later", dueAt: 1_500 });
  assert.deepEqual(ask(0), { kind: "later", dueAt: 2_000 });
  assert.deepEqual(ask(10_000), { kind: "now" });
});

test("Pace gives each message that waits a time of its own, and keeps it", () => {
  const pace = new Pace();
  assert.deepEqual(pace.ask(perMinute(6, 0)), { kind: "now" });
  assert.deepEqual(pace.ask(perMinute(6, 0)), { kind: "later", dueAt: 10_000 });
  assert.deepEqual(pace.ask(perMinute(6, 0)), { kind: "later", dueAt: 20_000 });
  assert.deepEqual(pace.ask(perMinute(6, 10_000, false)), { kind: "now" });
  // Somebody new at the second one's time stands behind it.
  assert.deepEqual(pace.ask(perMinute(6, 19_999)), { kind: "later", dueAt: 30_000 });
  assert.deepEqual(pace.ask(perMinute(6, 20_000, false)), { kind: "now" });
});

test("Pace sends no more in any minute than was allowed, however many come back at once", () => {
  const pace = new Pace();
  const waiting: number[] = Array.from({ length: 100 }, () => 0);
  const sent: number[] = [];
  for (let now = 0; now < 600_000 && waiting.length > 0; now += 100) {
    for (let index = waiting.length - 1; index >= 0; index -= 1) {
      if ((waiting[index] ?? 0) > now) continue;
      const decision = pace.ask(perMinute(20, now, (waiting[index] ?? 0) === 0));
      if (decision.kind === "later") waiting[index] = decision.dueAt;
      else {
        waiting.splice(index, 1);
        sent.push(now + (decision.kind === "soon" ? decision.waitMs : 0));
      }
    }
  }
  assert.equal(sent.length, 100);
  for (const from of sent) assert.ok(sent.filter((at) => at >= from && at < from + 60_000).length <= 20);
  assert.ok((sent.at(-1) ?? 0) < 320_000, "it wasted the time it had");
});

test("Pace puts nobody off for longer than an hour", () => {
  const pace = new Pace();
  const last = Array.from({ length: 100 }, () => pace.ask(perMinute(1, 0))).at(-1);
  assert.deepEqual(last, { kind: "later", dueAt: 3_600_000 });
});

test("Pace lets who comes after the limit was raised go by the new one", () => {
  const pace = new Pace();
  for (let count = 0; count < 100; count += 1) pace.ask(perMinute(1, 0));
  assert.deepEqual(pace.ask(perMinute(600, 1_000)), { kind: "now" });
  assert.deepEqual(pace.ask(perMinute(600, 2_000)), { kind: "now" });
  assert.equal(pace.ask(perMinute(1, 2_000)).kind, "later", "and the other way round");
});

test("Pace forgets destinations that it owes nothing", () => {
  const pace = new Pace();
  pace.ask(perMinute(1, 0));
  pace.forget(30_000);
  assert.equal(pace.ask(perMinute(1, 30_000)).kind, "later");
  const other = new Pace();
  other.ask(perMinute(1, 0));
  other.forget(60_001);
  assert.deepEqual(other.ask(perMinute(1, 60_001)), { kind: "now" });
});
