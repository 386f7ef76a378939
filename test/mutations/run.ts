/**
 * Shows that tests fail: applies each change of the table to a copy of the tree and runs the test that must fail for it.
 * `node test/mutations/run.ts [--only TEXT] [--jobs N]`; TEXT picks rows by what they say, or by their file. Run on demand:
 * it takes as long as all the tests that it names, twice.
 *
 * Refuses to begin while a row's text is not there exactly once. The tree itself is never touched. Ends with 1 when a change
 * survives, or when a test fails without it.
 */
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { repositoryRoot } from "../support/results.ts";
import { isGood, mutate, type Mutation, type Outcome, report, type Verdict } from "./mutation.ts";
import { mutations } from "./table.ts";

/** Of one test file: a change may make it turn in circles. */
const deadlinesMs = { unit: 120_000, other: 600_000 };

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What git knows and what it does not ignore, so that a change can be tried before it is committed. */
function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), "mailboat-mutations-"));
  const list = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  for (const path of list.split("\0").filter((one) => one !== "")) {
    mkdirSync(dirname(join(copy, path)), { recursive: true });
    // One that is deleted and not committed is still listed.
    cpSync(join(repositoryRoot, path), join(copy, path), { force: true, recursive: false, errorOnExist: false });
  }
  symlinkSync(join(repositoryRoot, "node_modules"), join(copy, "node_modules"));
  return copy;
}

type Ended = "passed" | "failed" | "hung";

async function runTest(copy: string, { test, only }: Mutation): Promise<Ended> {
  const names = only === undefined ? [] : [`--test-name-pattern=${only}`];
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const child = spawn(process.execPath, ["--test", ...names, test], {
    cwd: copy,
    env,
    stdio: "ignore",
    detached: true,
  });
  const deadline = setTimeout(
    () => {
      // With all that the test has started.
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    },
    deadlinesMs[test.startsWith("test/") ? "other" : "unit"],
  );
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once("error", reject);
  child.once("close", resolve);
  const code = await promise.finally(() => clearTimeout(deadline));
  if (child.signalCode !== null) return "hung";
  return code === 0 ? "passed" : "failed";
}

/** In a copy of its own, so that several may be tried at a time. */
class Bench {
  readonly #copy = copyTree();
  readonly #sound = new Map<string, boolean>();

  async try(mutation: Mutation): Promise<Outcome> {
    const startedAt = performance.now();
    const seconds = (): number => (performance.now() - startedAt) / 1000;
    if (!(await this.#passesWithout(mutation))) return { kind: "pointless", seconds: seconds() };
    const file = join(this.#copy, mutation.file);
    const text = readFileSync(file, "utf8");
    try {
      writeFileSync(file, mutate(text, mutation));
      const kinds = { passed: "survived", failed: "killed", hung: "hung" } as const;
      return { kind: kinds[await runTest(this.#copy, mutation)], seconds: seconds() };
    } finally {
      writeFileSync(file, text);
    }
  }

  async #passesWithout(mutation: Mutation): Promise<boolean> {
    const key = `${mutation.test} ${mutation.only ?? ""}`;
    const known = this.#sound.get(key) ?? (await runTest(this.#copy, mutation)) === "passed";
    this.#sound.set(key, known);
    return known;
  }

  close(): void {
    rmSync(this.#copy, { recursive: true, force: true });
  }
}

/** What is wrong with the table itself; it is looked at whole before anything runs. */
function faultsOf(rows: readonly Mutation[]): readonly string[] {
  return rows.flatMap((row) => {
    try {
      readFileSync(join(repositoryRoot, row.test));
      const changed = mutate(readFileSync(join(repositoryRoot, row.file), "utf8"), row);
      // A change that is no TypeScript would fail every test, and show nothing.
      if (row.file.endsWith(".ts")) stripTypeScriptTypes(changed);
      return [];
    } catch (error) {
      return [`${row.what}: ${error instanceof Error ? error.message : String(error)}`];
    }
  });
}

async function tryAll(rows: readonly Mutation[], jobs: number): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = [];
  const left = rows.values();
  const worker = async (): Promise<void> => {
    const bench = new Bench();
    try {
      for (const mutation of left) {
        const outcome = await bench.try(mutation);
        verdicts.push({ mutation, outcome });
        say(`${outcome.kind.padEnd(9)} ${mutation.what}`);
      }
    } finally {
      bench.close();
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return verdicts.toSorted((one, other) => rows.indexOf(one.mutation) - rows.indexOf(other.mutation));
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { only: { type: "string" }, jobs: { type: "string", default: "1" } } });
  const { only = "" } = values;
  const rows = mutations.filter(({ what, file }) => what.includes(only) || file.includes(only));
  const faults = faultsOf(rows);
  if (faults.length > 0 || rows.length === 0) {
    say(rows.length === 0 ? `no row says ${only}` : `the table is not that of this tree:\n\n${faults.join("\n\n")}`);
    return 2;
  }
  const verdicts = await tryAll(rows, Math.max(1, Number(values.jobs)));
  say(`\n${report(verdicts)}`);
  return verdicts.every(isGood) ? 0 : 1;
}

process.exitCode = await main();
