/** When to checkpoint: the shell around the checkpoint thread. Blocked checkpoints are logged as an alarm, once a while. */
import { Worker } from "node:worker_threads";
import type { Log } from "../../runtime/log.ts";
import type { CheckpointReport, CheckpointRequest } from "./checkpoint.ts";

/** 4 KiB pages: 16 MiB of log before the writer is asked to end it, 256 MiB before people are told. */
const finishPages = 4_096;
const alarmPages = 65_536;
const intervalMs = 200;

export class Checkpoints {
  readonly #worker: Worker;
  readonly #log: Log;
  readonly #finish: () => void;
  #dirty = false;
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #alarmed = false;

  constructor(directory: string, log: Log, finish: () => void) {
    this.#log = log;
    this.#finish = finish;
    this.#worker = new Worker(new URL("./checkpoint.ts", import.meta.url), { workerData: { directory } });
    this.#worker.on("message", (report: CheckpointReport) => this.#reported(report));
    this.#worker.on("error", (error) => {
      this.#log.error({ error: String(error) }, "the spool's checkpoint thread ended");
    });
  }

  /** Something was committed; a checkpoint follows soon, and none when nothing was. */
  written(): void {
    this.#dirty = true;
    this.#schedule();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const ended = new Promise<void>((resolve) => this.#worker.once("exit", () => resolve()));
    this.#worker.postMessage({ kind: "close" } satisfies CheckpointRequest);
    await ended;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#running) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#dirty = false;
      this.#running = true;
      this.#worker.postMessage({ kind: "checkpoint" } satisfies CheckpointRequest);
    }, intervalMs);
    this.#timer.unref();
  }

  #reported(report: CheckpointReport): void {
    this.#running = false;
    const left = report.logPages - report.copiedPages;
    if (report.logPages > finishPages && left < finishPages) this.#finish();
    const blocked = left > alarmPages;
    if (blocked && !this.#alarmed) {
      this.#log.error({ logPages: report.logPages, copiedPages: report.copiedPages }, "spool checkpoint is blocked");
    }
    this.#alarmed = blocked;
    if (this.#dirty) this.#schedule();
  }
}
