/**
 * When to checkpoint: the shell around the checkpoint thread.
 *
 *   idle --written()--> waiting --timer--> copying --report--> waiting | idle
 *
 * Promise: whatever becomes of a checkpoint or of its thread, there is a next one, and close() resolves. A thread that ended is
 * a checkpoint that failed; a new one takes its place. What failed or is blocked is counted, and logged when that begins and
 * when it ends.
 */
import { Worker } from "node:worker_threads";
import type { Log } from "../../../../runtime/log.ts";
import type { DiskFaults } from "../disk/faults.ts";
import type { Gauges, LogEndedReply } from "../protocol.ts";
import type { CheckpointRequest, CheckpointThreadData } from "./copier.ts";
import { isWorthFreeing, decideCheckpoint, type CheckpointReport, type CheckpointResult } from "./decide.ts";

const intervalMs = 200;
const longestPause = 64;

export interface CheckpointsOptions {
  readonly directory: string;
  readonly log: Log;
  /** Asks the writer to copy the rest, to begin the log anew and to give back pages that are free; it answers by endedLog(). */
  readonly endLog: () => void;
  readonly onCheckpoint: (result: CheckpointResult) => void;
  readonly faults?: DiskFaults | undefined;
}

type State =
  | { readonly kind: "idle" }
  | { readonly kind: "waiting"; readonly timer: NodeJS.Timeout }
  | { readonly kind: "copying" };

type Trouble = "blocked" | "failed" | undefined;

interface Thread {
  readonly worker: Worker;
  /** Resolves when it is gone, whenever that was. */
  readonly ended: Promise<void>;
}

export class Checkpoints {
  readonly #options: CheckpointsOptions;
  #thread: Thread | undefined;
  #state: State = { kind: "idle" };
  #isDirty = false;
  #isClosing = false;
  #failures = 0;
  #endFailures = 0;
  /** Checkpoints that pass before the writer is asked again, after it failed. */
  #pauses = 0;
  #freeable = false;
  /** What the log has said last, of the copying and of the writer's part. */
  readonly #said = new Map<"copying" | "ending", Trouble>();

  constructor(options: CheckpointsOptions) {
    this.#options = options;
  }

  /** Something was committed; a checkpoint follows soon, and none when nothing was. */
  written(gauges: Pick<Gauges, "databaseBytes" | "freeBytes">): void {
    this.#freeable = isWorthFreeing(gauges);
    this.#isDirty = true;
    this.#schedule(intervalMs);
  }

  /** The writer has ended the log, or could not: then it is asked again some checkpoints later. */
  endedLog({ error, gauges }: LogEndedReply): void {
    this.#endFailures = error === undefined ? 0 : this.#endFailures + 1;
    this.#pauses = error === undefined ? 0 : Math.min(2 ** this.#endFailures, longestPause);
    if (error !== undefined) this.#options.onCheckpoint("failed");
    this.#tell("ending", error === undefined ? undefined : "failed", { error });
    // What was given back stands in the log now; what failed is tried again although nothing else is written.
    this.written(gauges);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    if (this.#state.kind === "waiting") clearTimeout(this.#state.timer);
    this.#state = { kind: "idle" };
    this.#thread?.worker.postMessage({ kind: "close" } satisfies CheckpointRequest);
    await this.#thread?.ended;
  }

  #schedule(afterMs: number): void {
    if (this.#state.kind !== "idle" || this.#isClosing) return;
    const timer = setTimeout(() => this.#begin(), afterMs);
    timer.unref();
    this.#state = { kind: "waiting", timer };
  }

  #begin(): void {
    this.#state = { kind: "copying" };
    this.#isDirty = false;
    try {
      this.#thread ??= this.#start();
      this.#thread.worker.postMessage({ kind: "checkpoint" } satisfies CheckpointRequest);
    } catch (error) {
      this.#finished({ kind: "failed", error: `the checkpoint thread does not start: ${String(error)}` });
    }
  }

  #start(): Thread {
    const { directory, faults } = this.#options;
    const workerData: CheckpointThreadData = { directory, faults: faults?.shared };
    const worker = new Worker(new URL("./copier.ts", import.meta.url), { workerData });
    const gone = Promise.withResolvers<void>();
    let reason = "it left";
    worker.on("message", (report: CheckpointReport) => this.#finished(report));
    worker.on("error", (error) => {
      reason = String(error);
    });
    worker.on("exit", () => {
      this.#thread = undefined;
      gone.resolve();
      if (!this.#isClosing) this.#finished({ kind: "failed", error: `the checkpoint thread ended: ${reason}` });
    });
    return { worker, ended: gone.promise };
  }

  #finished(report: CheckpointReport): void {
    if (this.#state.kind === "copying") this.#state = { kind: "idle" };
    this.#failures = report.kind === "failed" ? this.#failures + 1 : 0;
    const { result, endLog, againMs } = decideCheckpoint(report, this.#failures);
    this.#options.onCheckpoint(result);
    this.#tell("copying", result === "blocked" || result === "failed" ? result : undefined, report);
    if (this.#isClosing) return;
    if (endLog || (result === "complete" && this.#freeable)) this.#askWriter();
    // After a failure it waits, also when mail goes on being written: a full disk is not helped by more attempts.
    if (this.#isDirty && report.kind !== "failed") this.#schedule(intervalMs);
    else if (againMs !== undefined) this.#schedule(againMs);
  }

  #askWriter(): void {
    if (this.#pauses > 0) this.#pauses -= 1;
    else this.#options.endLog();
  }

  #tell(part: "copying" | "ending", trouble: Trouble, facts: object): void {
    const { log } = this.#options;
    if (trouble === this.#said.get(part)) return;
    this.#said.set(part, trouble);
    if (trouble === "failed") log.error({ part, ...facts }, "spool checkpoint failed, it is tried again");
    else if (trouble === "blocked") log.error({ part, ...facts }, "spool checkpoint is blocked");
    else log.info({ part, ...facts }, "spool checkpoints go on");
  }
}
