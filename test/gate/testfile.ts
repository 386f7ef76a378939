/**
 * Runs one test file in a process of its own with Node's test runner. A file that has not ended by its deadline is
 * stopped and counts as a failure, so that the gate always ends.
 */
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { resultsDirectoryOf } from "../support/results.ts";
import type { Failure, Outcome } from "./outcome.ts";

export interface TestFileLimits {
  /** For one test, unless it sets its own. */
  readonly testTimeoutMs: number;
  /** For the whole file. */
  readonly fileDeadlineMs: number;
}

/**
 * A file whose tests leave handles open runs into its deadline and fails. What it wrote to its results directory stays
 * there only when something failed. The arguments are what it finds in `process.argv`.
 */
export async function runTestFile(
  file: string,
  limits: TestFileLimits,
  args: readonly string[] = [],
): Promise<Outcome> {
  const results = resultsDirectoryOf(file);
  rmSync(results, { recursive: true, force: true });
  const outcome = await collect(file, limits, args);
  if (outcome.failures.length === 0) rmSync(results, { recursive: true, force: true });
  return outcome;
}

async function collect(file: string, limits: TestFileLimits, args: readonly string[]): Promise<Outcome> {
  const deadline = AbortSignal.timeout(limits.fileDeadlineMs);
  const failures: Failure[] = [];
  const skipped: string[] = [];
  const output: string[] = [];
  let passed = 0;
  const events = run({
    files: [resolve(file)],
    concurrency: 1,
    // Not --test-force-exit: it ends the process before its results are written, and passed tests go missing.
    execArgv: [`--test-timeout=${limits.testTimeoutMs}`],
    argv: args,
    signal: deadline,
  });
  events.on("test:stdout", (event) => output.push(event.message));
  events.on("test:stderr", (event) => output.push(event.message));
  events.on("test:pass", (event) => {
    const why = event.skip ?? event.todo;
    if (why !== undefined && why !== false) skipped.push(`${file}: ${event.name}: ${String(why)}`);
    else if (event.details.type !== "suite") passed += 1;
  });
  events.on("test:fail", (event) => {
    const error: Error & { readonly failureType?: unknown } = event.details.error;
    // The parent of a failed test fails as well; the child says more.
    if (error.failureType === "subtestsFailed") return;
    failures.push({ name: `${file}: ${event.name}`, text: inspect(error.cause ?? error) });
  });
  const ended = Promise.withResolvers<void>();
  events.on("end", ended.resolve);
  events.on("error", ended.reject);
  events.resume();
  await ended.promise;
  if (deadline.aborted) failures.push({ name: file, text: `did not end within ${limits.fileDeadlineMs / 1000} s` });
  if (passed + failures.length + skipped.length === 0) failures.push({ name: file, text: "holds no test" });
  const printed = output.join("").trimEnd();
  const told = failures.map((failure, index) =>
    index === failures.length - 1 && printed !== ""
      ? { ...failure, text: `${failure.text}\n--- printed by ${file}\n${printed}` }
      : failure,
  );
  return { passed, failures: told, skipped };
}
