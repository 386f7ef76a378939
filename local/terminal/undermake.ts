/**
 * `make` says `*** Error 2` behind whatever a recipe has said itself. What we say in words needs no such line: so make is ended as
 * Ctrl-C ends it, which is silent and which no script takes for success. Only the Makefile asks for it: who starts the program
 * by hand gets its exit code.
 */
import type { Environment } from "../../runtime/commandline.ts";

/** Set by the Makefile: the process that started this one is make. */
const variable = "MAILBOAT_ENDS_MAKE";

/** The exit code to end with. `interrupt` sends make its signal, if it can; make waits for us to end, and ends then. */
export function exitUnderMake(code: number, environment: Environment, interrupt: () => boolean): number {
  if (environment[variable] !== "1" || code === 0) return code;
  return interrupt() ? 0 : code;
}

/**
 * `make` was our parent at the start, `parent` is now. False when they are not the same: make is gone, and whoever takes over orphans,
 * as the first process of the machine does, would take the signal for an order to restart it.
 */
export function interruptMake(make: number, parent: number, interrupt: (pid: number) => void): boolean {
  if (make <= 1 || parent !== make) return false;
  try {
    interrupt(make);
    return true;
  } catch {
    // It ended just now, or is another user's.
    return false;
  }
}
