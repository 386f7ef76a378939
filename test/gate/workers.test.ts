/** Who runs beside whom, and what becomes of a task whose lane fails it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { Durations } from "./durations.ts";
import { nothing, type Outcome } from "./outcome.ts";
import { type Lane, noLane, runTasks, strangers, type Task, type Work } from "./workers.ts";

const passed: Outcome = { ...nothing, passed: 1 };
const failed: Outcome = { ...nothing, failures: [{ name: "test", text: "why" }] };

function work(tasks: readonly Task[], change: Partial<Work> = {}): Work {
  const durations = Durations.load("/nowhere");
  const rest = { concurrency: 2, alone: new Set<string>(), openLane: () => noLane, durations, onEnd: () => undefined };
  return { tasks, ...rest, ...change };
}

test("two run side by side, and who measures time runs alone, at the end", async () => {
  const running = new Set<string>();
  const seen: string[] = [];
  const task = (name: string): Task => ({
    name,
    run: async () => {
      running.add(name);
      await turn();
      seen.push([...running].join("+"));
      await turn();
      running.delete(name);
      return passed;
    },
  });
  const outcome = await runTasks(work(["clock", "a", "b"].map(task), { alone: new Set(["clock"]) }));
  assert.equal(outcome.passed, 3);
  assert.deepEqual(seen, ["a+b", "a+b", "clock"]);
});

test("a name in a list that no task has is a failure: the file was renamed", () => {
  const task = { name: "there", run: async () => Promise.resolve(passed) };
  assert.deepEqual(
    strangers([task], ["there", "gone"]).failures.map(({ name }) => name),
    ["gone"],
  );
});

test("a worker's lane is handed to one task after the other, and hears how each ended", async () => {
  const told: string[] = [];
  const openLane = (worker: number): Lane => ({
    hand: async () => Promise.resolve([`lane ${worker}`]),
    takeBack: async (hasFailed) => Promise.resolve(void told.push(hasFailed ? "failed" : "passed")),
    close: async () => Promise.resolve(void told.push("closed")),
  });
  const task = (name: string, outcome: Outcome): Task => ({
    name,
    run: async (args) => {
      told.push(...args);
      return Promise.resolve(outcome);
    },
  });
  await runTasks(work([task("a", passed), task("b", failed)], { concurrency: 1, openLane }));
  assert.deepEqual(told, ["lane 1", "passed", "lane 1", "failed", "closed"]);
});

test("what a lane cannot hand over is a failure of the task, and the next one is tried", async () => {
  let asked = 0;
  const openLane = (): Lane => ({
    ...noLane,
    hand: async () => {
      asked += 1;
      if (asked === 1) throw new Error("no port");
      return Promise.resolve([]);
    },
  });
  const tasks = ["a", "b"].map((name) => ({ name, run: async () => Promise.resolve(passed) }));
  const outcome = await runTasks(work(tasks, { concurrency: 1, openLane }));
  assert.equal(outcome.passed, 1);
  assert.deepEqual(outcome.failures, [{ name: "a", text: "Error: no port" }]);
});

test("a lane that can neither take back nor close costs no outcome of others", async () => {
  const openLane = (): Lane => ({
    ...noLane,
    takeBack: async (hasFailed) => Promise.reject(new Error(hasFailed ? "no stop" : "not as it was")),
    close: async () => Promise.reject(new Error("no end")),
  });
  const tasks = ["a", "b"].map((name) => ({ name, run: async () => Promise.resolve(passed) }));
  const ended: string[] = [];
  const onEnd: Work["onEnd"] = ({ name }) => void ended.push(name);
  const outcome = await runTasks(work(tasks, { concurrency: 1, openLane, onEnd }));
  assert.deepEqual(ended, ["a", "b"]);
  const text = "Error: not as it was\nand then: Error: no stop";
  assert.deepEqual(outcome.failures, [
    { name: "a", text },
    { name: "b", text },
    { name: "worker 1", text: "cannot be closed: Error: no end" },
  ]);
});
