import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import type { Timers } from "../../runtime/clock.ts";
import { WorkQueue, type WorkQueueSettings } from "./workqueue.ts";

/** Timers that run when the test says so, in order of their time. */
class HandTimers implements Timers {
  now = 0;
  readonly #due: { readonly at: number; readonly run: () => void }[] = [];

  after(delayMs: number, run: () => void): () => void {
    const entry = { at: this.now + delayMs, run };
    this.#due.push(entry);
    return () => {
      const index = this.#due.indexOf(entry);
      if (index >= 0) this.#due.splice(index, 1);
    };
  }

  get delays(): readonly number[] {
    return this.#due.map((entry) => entry.at - this.now);
  }

  /** Runs the next one; false when there is none. */
  step(): boolean {
    this.#due.sort((left, right) => left.at - right.at);
    const next = this.#due.shift();
    if (next === undefined) return false;
    this.now = next.at;
    next.run();
    return true;
  }
}

function queueOf(settings: Partial<WorkQueueSettings> & Pick<WorkQueueSettings, "work">, timers = new HandTimers()) {
  return new WorkQueue({
    workers: 1,
    onError: () => {},
    backoff: { firstMs: 100, maxMs: 1000 },
    now: () => timers.now,
    pace: { burst: 1_000, refillMs: 1_000 },
    timers,
    chance: () => 0.5,
    ...settings,
  });
}

test("a key that is added twice while it waits runs once, and again when it changes while it runs", async () => {
  const ran: string[] = [];
  const queue: WorkQueue = queueOf({
    work: async (key) => {
      ran.push(key);
      if (ran.length === 2) queue.add("b");
      return undefined;
    },
    rank: (key) => (key === "a" ? 0 : 1),
  });
  queue.add("b");
  queue.add("b");
  queue.add("a");
  await queue.settled();
  assert.deepEqual(ran, ["a", "b", "b"]);
});

test("a key whose own work calls for it again and again is looked at once a second after a burst", async () => {
  const timers = new HandTimers();
  const ran: number[] = [];
  const queue: WorkQueue = queueOf(
    {
      work: async (key) => {
        ran.push(timers.now);
        if (ran.length < 50) queue.add(key);
        return undefined;
      },
      pace: { burst: 3, refillMs: 1_000 },
    },
    timers,
  );
  queue.add("x");
  await queue.settled();
  assert.deepEqual(ran, [0, 0, 0]);
  for (let rounds = 0; rounds < 3; rounds += 1) {
    queue.add("x");
    queue.addLast("x");
    timers.step();
    await queue.settled();
  }
  assert.deepEqual(ran, [0, 0, 0, 1_000, 2_000, 3_000]);
  await queue.stop();
  assert.deepEqual(timers.delays, []);
});

test("a key that comes too often holds up no other, and is itself as new after a rest", async () => {
  const timers = new HandTimers();
  const ran: string[] = [];
  const queue: WorkQueue = queueOf(
    {
      work: async (key) => {
        ran.push(key);
        return undefined;
      },
      pace: { burst: 2, refillMs: 1_000 },
    },
    timers,
  );
  for (const key of ["busy", "busy", "busy", "other"]) {
    queue.add(key);
    await queue.settled();
  }
  assert.deepEqual(ran, ["busy", "busy", "other"]);
  timers.step();
  await queue.settled();
  assert.deepEqual(ran, ["busy", "busy", "other", "busy"]);
  timers.now += 2_000;
  for (const key of ["busy", "busy"]) {
    queue.add(key);
    await queue.settled();
  }
  assert.equal(ran.filter((key) => key === "busy").length, 5);
  assert.deepEqual(timers.delays, []);
});

test("what nothing called for runs after everything that something called for, and once", async () => {
  const ran: string[] = [];
  const waited: string[] = [];
  const queue = queueOf({
    work: async (key) => {
      ran.push(key);
      return undefined;
    },
    now: () => 7,
    waited: (key, ms) => waited.push(`${key} ${ms}`),
  });
  for (const key of ["a", "b", "c"]) queue.addLast(key);
  queue.add("c");
  queue.addLast("d");
  queue.add("e");
  queue.addLast("e");
  await queue.settled();
  assert.deepEqual(ran, ["c", "e", "a", "b", "d"]);
  assert.deepEqual(waited, ["c 0", "e 0", "a 0", "b 0", "d 0"]);
});

test("what waits behind everything else is brought forward when its time is up", async () => {
  const timers = new HandTimers();
  const ran: string[] = [];
  const queue: WorkQueue = queueOf(
    {
      work: async (key) => {
        ran.push(key);
        // A change that comes again and again, until it is the other one's turn.
        if (key === "busy" && ran.length < 50) queue.add("busy");
        if (ran.length === 5) timers.step();
        return undefined;
      },
    },
    timers,
  );
  queue.addLast("relay", 5_000);
  queue.addLast("relay", 5_000);
  queue.add("busy");
  await queue.settled();
  assert.equal(ran.indexOf("relay"), 5);
  assert.deepEqual(timers.delays, []);
});

test("what is added behind everything else while it runs is brought forward as well", async () => {
  const timers = new HandTimers();
  const ran: string[] = [];
  const queue: WorkQueue = queueOf(
    {
      work: async (key) => {
        ran.push(key);
        if (key === "relay" && ran.length === 1) {
          queue.addLast("relay", 5_000);
          queue.add("busy");
        }
        if (key === "busy" && ran.length < 50) queue.add("busy");
        if (ran.length === 5) timers.step();
        return undefined;
      },
    },
    timers,
  );
  queue.add("relay");
  await queue.settled();
  assert.equal(ran.lastIndexOf("relay"), 5);
  assert.deepEqual(timers.delays, []);
});

test("work hears whether nothing but its own time has called for it", async () => {
  const timers = new HandTimers();
  const ran: string[] = [];
  const queue: WorkQueue = queueOf(
    {
      work: async (key, isOwnTime) => {
        ran.push(`${key} ${isOwnTime}`);
        if (key === "a" && ran.length === 1) queue.add("b");
        return key === "a" ? 1_000 : undefined;
      },
    },
    timers,
  );
  queue.add("a");
  await queue.settled();
  timers.step();
  await queue.settled();
  timers.step();
  // A change that comes while it waits.
  queue.add("a");
  await queue.settled();
  assert.deepEqual(ran, ["a false", "b false", "a true", "a false"]);
});

test("work that fails is reported and comes back later and later, until it succeeds", async () => {
  const timers = new HandTimers();
  const errors: string[] = [];
  const delays: number[] = [];
  let failing = 6;
  const queue = queueOf(
    {
      work: async () => {
        failing -= 1;
        if (failing >= 0) throw new Error("no");
        return undefined;
      },
      onError: (key, error) => errors.push(`${key}: ${String(error)}`),
    },
    timers,
  );
  queue.add("x");
  await queue.settled();
  while (timers.delays.length > 0) {
    delays.push(...timers.delays);
    timers.step();
    await queue.settled();
  }
  assert.deepEqual(delays, [75, 150, 300, 600, 750, 750]);
  assert.equal(errors.length, 6);
  assert.equal(errors[0], "x: Error: no");
});

test("a server that asks to wait is left alone for that long", async () => {
  const timers = new HandTimers();
  const queue = queueOf(
    { work: () => Promise.reject(Object.assign(new Error("busy"), { retryAfterMs: 5000 })) },
    timers,
  );
  queue.add("x");
  await queue.settled();
  assert.deepEqual(timers.delays, [5625]);
  await queue.stop();
  assert.deepEqual(timers.delays, []);
});

test("a change brings a key up before its time, and then it is not looked at twice", async () => {
  const timers = new HandTimers();
  let runs = 0;
  const queue = queueOf(
    {
      work: async () => {
        runs += 1;
        return runs === 1 ? 1000 : undefined;
      },
    },
    timers,
  );
  queue.add("x");
  await queue.settled();
  assert.deepEqual(timers.delays, [1000]);
  queue.add("x");
  await queue.settled();
  assert.deepEqual([runs, timers.delays], [2, []]);
});

test("stop() waits for what runs and begins nothing more", async () => {
  const gate = Promise.withResolvers<undefined>();
  const ran: string[] = [];
  const queue = queueOf({
    work: (key) => {
      ran.push(key);
      return gate.promise;
    },
  });
  queue.add("a");
  queue.add("b");
  await turn();
  let isStopped = false;
  const stopped = queue.stop().then(() => (isStopped = true));
  queue.add("c");
  await turn();
  assert.equal(isStopped, false);
  gate.resolve(undefined);
  await stopped;
  assert.deepEqual(ran, ["a"]);
});

interface Step {
  readonly kind: "add" | "later" | "finish" | "fail" | "time";
  readonly key: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom("add", "add", "later", "finish", "finish", "fail", "time"),
  key: fc.constantFrom("a", "b", "c", "d", "e"),
});

test("whatever happens, no key runs twice at a time, no more run than there are workers, and every add is followed by a run", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, workers) => {
      const timers = new HandTimers();
      const open = new Map<string, PromiseWithResolvers<undefined>>();
      /** Keys that were added and have not begun to run since. */
      const owed = new Set<string>();
      const work = (key: string): Promise<undefined> => {
        assert.equal(open.has(key), false, `${key} runs twice at a time`);
        const gate = Promise.withResolvers<undefined>();
        open.set(key, gate);
        owed.delete(key);
        assert.ok(open.size <= workers, "more run than there are workers");
        return gate.promise;
      };
      const queue = queueOf({ work, workers, pace: { burst: 2, refillMs: 50 } }, timers);
      const finish = async (key: string, fails: boolean): Promise<void> => {
        const gate = open.get(key);
        open.delete(key);
        if (fails) gate?.reject(new Error("no"));
        else gate?.resolve(undefined);
        await turn();
        await turn();
      };
      for (const { kind, key } of steps) {
        if (kind === "add") owed.add(key);
        if (kind === "add") queue.add(key);
        else if (kind === "later") queue.addAfter(key, 10);
        else if (kind === "time") timers.step();
        else await finish(key, kind === "fail");
        if (kind === "add" || kind === "time") await turn();
      }
      for (let rounds = 0; open.size > 0 || owed.size > 0 || timers.delays.length > 0; rounds += 1) {
        assert.ok(rounds < 1000, `still owed: ${[...owed].join(" ")}`);
        for (const key of open.keys()) await finish(key, false);
        timers.step();
        await turn();
      }
      await queue.settled();
      assert.equal(queue.depth, 0);
    }),
    { numRuns: 300 },
  );
});
