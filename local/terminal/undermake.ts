/**
 * `make` says `*** Error 2` behind whatever a recipe has said itself. What we say in words needs no such line: so make is ended as
 * Ctrl-C ends it, which is silent and which no script takes for success. Only the Makefile asks for it: who starts the program
 * by hand gets its exit code.
 */
import type { Environment } from "../../runtime/commandline.ts";

/** Set by the Makefile: the process that started this one is make. */
const variable = "MAILBOAT_ENDS_MAKE";

/** The exit code to end with. `interrupt` sends make its signal; it waits for us to end, and ends then. */
export function exitUnderMake(code: number, environment: Environment, interrupt: () => void): number {
  if (environment[variable] !== "1" || code === 0) return code;
  interrupt();
  return 0;
}
