import assert from "node:assert/strict";
import { test } from "node:test";
import { ReconcileLoop } from "./loop.ts";

test("a key that is added twice while it waits runs once, and again when it changes while it runs", async () => {
  const ran: string[] = [];
  const loop: ReconcileLoop = new ReconcileLoop({
    reconcile: async (key) => {
      ran.push(key);
      if (ran.length === 2) loop.add("b");
      return undefined;
    },
    rank: (key) => (key === "a" ? 0 : 1),
    onError: (key, error) => assert.equal(error, undefined, key),
  });
  loop.add("b");
  loop.add("b");
  loop.add("a");
  await loop.settled();
  assert.deepEqual(ran, ["a", "b", "b"]);
  loop.stop();
});

test("a reconcile that throws is reported and tried again", async () => {
  const errors: string[] = [];
  const done = Promise.withResolvers<void>();
  let runs = 0;
  const loop = new ReconcileLoop({
    reconcile: async () => {
      runs += 1;
      if (runs === 1) throw new Error("no");
      done.resolve();
      return undefined;
    },
    rank: () => 0,
    onError: (key, error) => errors.push(`${key}: ${String(error)}`),
  });
  loop.add("x");
  await done.promise;
  assert.deepEqual(errors, ["x: Error: no"]);
  loop.stop();
});
