/** Runs the tasks of a layer: several at a time, the longest first, and those that measure time by themselves at the end. */
import type { Durations } from "./durations.ts";
import { add, nothing, type Outcome } from "./outcome.ts";

export interface Task {
  readonly name: string;
  /** Arguments are what its worker's lane hands it. */
  readonly run: (args: readonly string[]) => Promise<Outcome>;
}

/** What the tasks of one worker use in turn. */
export interface Lane {
  /** Arguments for the next task. */
  hand(): Promise<readonly string[]>;
  takeBack(hasFailed: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface Work {
  readonly tasks: readonly Task[];
  readonly concurrency: number;
  /** Names of tasks that run with nothing beside them. */
  readonly alone: ReadonlySet<string>;
  readonly openLane: (worker: number) => Lane;
  readonly durations: Durations;
  readonly onEnd: (task: Task, outcome: Outcome, seconds: number) => void;
}

/** For tasks that share nothing. */
export const noLane: Lane = {
  hand: async () => Promise.resolve([]),
  takeBack: async () => Promise.resolve(),
  close: async () => Promise.resolve(),
};

export async function runTasks(work: Work): Promise<Outcome> {
  const { tasks, concurrency, alone, openLane, durations } = work;
  const lanes = Array.from({ length: concurrency }, (_, worker) => openLane(worker + 1));
  const ordered = durations.longestFirst(tasks);
  let total = nothing;
  const drain = async (lane: Lane, waiting: Task[]): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      const outcome = await runIn(lane, task, work);
      total = add(total, outcome);
    }
  };
  const beside = ordered.filter(({ name }) => !alone.has(name));
  await Promise.all(lanes.map(async (lane) => drain(lane, beside)));
  const apart = ordered.filter(({ name }) => alone.has(name));
  for (const lane of lanes.slice(0, 1)) await drain(lane, apart);
  const closed = await Promise.all(lanes.map(async (lane, index) => close(lane, `worker ${index + 1}`)));
  return closed.reduce(add, total);
}

/** Names in a list of a layer's that no task has: a file was renamed. */
export function strangers(tasks: readonly Task[], listed: readonly string[]): Outcome {
  const names = new Set(tasks.map(({ name }) => name));
  const text = "is in a list of test/run.ts, and there is no such file";
  return { ...nothing, failures: listed.filter((name) => !names.has(name)).map((name) => ({ name, text })) };
}

async function runIn(lane: Lane, task: Task, { durations, onEnd }: Work): Promise<Outcome> {
  const startedAt = performance.now();
  const outcome = await attempt(lane, task);
  const seconds = (performance.now() - startedAt) / 1000;
  // A task that failed may have ended early.
  if (outcome.failures.length === 0) durations.note(task.name, seconds);
  onEnd(task, outcome, seconds);
  return outcome;
}

/** What its lane cannot do is a failure of the task. */
async function attempt(lane: Lane, task: Task): Promise<Outcome> {
  try {
    const outcome = await task.run(await lane.hand());
    await lane.takeBack(outcome.failures.length > 0);
    return outcome;
  } catch (error) {
    // The lane may fail at that as well: the other tasks, and what became of those before, are not to go with it.
    const again = await lane.takeBack(true).catch((second: unknown) => [`and then: ${String(second)}`]);
    const text = [String(error), ...(again ?? [])].join("\n");
    return { ...nothing, failures: [{ name: task.name, text }] };
  }
}

/** What a lane cannot clear away is a failure, and takes no outcome of a task along. */
async function close(lane: Lane, name: string): Promise<Outcome> {
  try {
    await lane.close();
    return nothing;
  } catch (error) {
    return { ...nothing, failures: [{ name, text: `cannot be closed: ${String(error)}` }] };
  }
}
