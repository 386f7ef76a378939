/**
 * Runs test files with Node's test runner: one in a process of its own, or several together in one. What has not ended by its deadline
 * is stopped and counts as a failure, so that the gate always ends.
 */
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { inspect } from "node:util";
import { repositoryRoot, resultsDirectoryOf } from "../support/results.ts";
import type { Failure, Outcome } from "./outcome.ts";

export interface TestFileLimits {
  /** For one test, unless it sets its own; of files in one process, for all tests of a file. */
  readonly testTimeoutMs: number;
  /** For the whole process. */
  readonly fileDeadlineMs: number;
}

/** An event of a test that has ended. */
interface Ended {
  readonly name: string;
  readonly nesting: number;
  readonly skip?: string | boolean | undefined;
  readonly todo?: string | boolean | undefined;
  readonly details: { readonly type?: string | undefined };
}

/** What tests of one file came to, as far as they have told. */
class Tally {
  passed = 0;
  readonly failures: Failure[] = [];
  readonly skipped: string[] = [];

  pass({ name, details, skip, todo }: Ended): void {
    const why = skip ?? todo;
    if (why !== undefined && why !== false) this.skipped.push(`${name}: ${String(why)}`);
    else if (details.type !== "suite") this.passed += 1;
  }

  fail({ name }: Ended, error: Error & { readonly failureType?: unknown }): void {
    // The parent of a failed test fails as well; the child says more.
    if (error.failureType !== "subtestsFailed") this.failures.push({ name, text: inspect(error.cause ?? error) });
  }

  get isEmpty(): boolean {
    return this.passed + this.failures.length + this.skipped.length === 0;
  }

  of(file: string): Outcome {
    if (this.isEmpty) return { passed: 0, skipped: [], failures: [{ name: file, text: "holds no test" }] };
    return {
      passed: this.passed,
      skipped: this.skipped.map((one) => `${file}: ${one}`),
      failures: this.failures.map(({ name, text }) => ({ name: name === file ? file : `${file}: ${name}`, text })),
    };
  }
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
  return keepingResults([file], async () => {
    const tally = new Tally();
    const process = { file, args, limits, onPass: (event: Ended) => tally.pass(event) };
    const end = await runProcess({ ...process, onFail: (event, error) => tally.fail(event, error) });
    if (end.isLate) tally.failures.push(late(file, limits));
    return withOutput(tally.of(file), file, end.printed);
  });
}

/** The same for files that share a process (sharing.ts): each is a suite of its name there. */
export async function runTogether(files: readonly string[], limits: TestFileLimits): Promise<Outcome> {
  return keepingResults(files, async () => {
    const told = new Map<string, Outcome>();
    let tally = new Tally();
    const close = ({ name }: Ended): void => {
      told.set(name, tally.of(name));
      tally = new Tally();
    };
    const end = await runProcess({
      file: "test/gate/together.ts",
      args: files,
      limits,
      onPass: (event) => (event.nesting === 0 ? close(event) : tally.pass(event)),
      onFail: (event, error) => {
        tally.fail(event, error);
        if (event.nesting === 0) close(event);
      },
    });
    const missing = files.filter((file) => !told.has(file)).map((name) => ({ name, text: "was not run to its end" }));
    const outcomes = [...told.values()];
    const outcome = {
      passed: outcomes.reduce((sum, { passed }) => sum + passed, 0),
      skipped: outcomes.flatMap(({ skipped }) => skipped),
      failures: [...outcomes.flatMap(({ failures }) => failures), ...missing],
    };
    const { failures } = outcome;
    const all = end.isLate ? [...failures, late(files.join(" "), limits)] : failures;
    return withOutput({ ...outcome, failures: all }, `the ${files.length} files in one process`, end.printed);
  });
}

async function keepingResults(files: readonly string[], collect: () => Promise<Outcome>): Promise<Outcome> {
  const clear = (): void => {
    for (const file of files) rmSync(resultsDirectoryOf(file), { recursive: true, force: true });
  };
  clear();
  const outcome = await collect();
  if (outcome.failures.length === 0) clear();
  return outcome;
}

function late(name: string, { fileDeadlineMs }: TestFileLimits): Failure {
  return { name, text: `did not end within ${fileDeadlineMs / 1000} s` };
}

function withOutput(outcome: Outcome, name: string, printed: string): Outcome {
  const last = outcome.failures.length - 1;
  const failures = outcome.failures.map((failure, index) =>
    index === last && printed !== ""
      ? { ...failure, text: `${failure.text}\n--- printed by ${name}\n${printed}` }
      : failure,
  );
  return { ...outcome, failures };
}

interface TestProcess {
  readonly file: string;
  readonly args: readonly string[];
  readonly limits: TestFileLimits;
  readonly onPass: (event: Ended) => void;
  readonly onFail: (event: Ended, error: Error & { readonly failureType?: unknown }) => void;
}

interface ProcessEnd {
  readonly isLate: boolean;
  readonly printed: string;
}

async function runProcess({ file, args, limits, onPass, onFail }: TestProcess): Promise<ProcessEnd> {
  const deadline = AbortSignal.timeout(limits.fileDeadlineMs);
  const output: string[] = [];
  const events = run({
    files: [resolve(join(repositoryRoot, file))],
    concurrency: 1,
    // Not --test-force-exit: it ends the process before its results are written, and passed tests go missing.
    execArgv: [`--test-timeout=${limits.testTimeoutMs}`],
    argv: [...args],
    signal: deadline,
  });
  events.on("test:stdout", (event) => output.push(event.message));
  events.on("test:stderr", (event) => output.push(event.message));
  events.on("test:pass", onPass);
  events.on("test:fail", (event) => onFail(event, event.details.error));
  const ended = Promise.withResolvers<void>();
  events.on("end", ended.resolve);
  events.on("error", ended.reject);
  events.resume();
  await ended.promise;
  return { isLate: deadline.aborted, printed: output.join("").trimEnd() };
}
