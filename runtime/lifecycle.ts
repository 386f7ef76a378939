/**
 * Start and stop of a process: signals become one AbortSignal, and what was opened is closed in reverse order.
 */
import type { Log } from "./log.ts";

export interface Closer {
  readonly name: string;
  close(): Promise<void>;
}

export interface Lifecycle {
  /** Aborted once, when the process is asked to stop. */
  readonly stopping: AbortSignal;
  onStop(closer: Closer): void;
  /** Resolves when every closer has run after a stop was asked for. */
  readonly done: Promise<void>;
  stop(reason: string): void;
}

/**
 * Runs closers last-opened-first when SIGTERM, SIGINT or SIGHUP arrives; a second signal ends the process at once, because
 * correctness rests on the spool and not on an orderly exit. A closer that fails is logged and the next one runs.
 */
export function createLifecycle(log: Log): Lifecycle {
  const controller = new AbortController();
  const closers: Closer[] = [];
  const finished = Promise.withResolvers<void>();
  const closeAll = async (): Promise<void> => {
    for (const closer of closers.toReversed()) {
      try {
        await closer.close();
      } catch (error) {
        log.error({ closer: closer.name, error: String(error) }, "could not close");
      }
    }
    finished.resolve();
  };
  const stop = (reason: string): void => {
    if (controller.signal.aborted) return;
    log.info({ reason }, "stopping");
    controller.abort(reason);
    closeAll().catch(finished.reject);
  };
  // SIGHUP: the terminal of who runs it by hand is closed.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(130);
      stop(signal);
    });
  }
  return { stopping: controller.signal, onStop: (closer) => closers.push(closer), done: finished.promise, stop };
}
