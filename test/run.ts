/**
 * The one test command: `node test/run.ts [layer...]`, with the layers check, unit, apiserver, chart, scenario and cluster in
 * that order.
 *
 * It installs what a layer needs where it may, prints a line for each file, every failure in full at the end, and as its
 * last line `N passed, N failed`. What it cannot run here it names; with CI=true that is a failure.
 */
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { chdir } from "node:process";
import { checks, runCheck } from "./gate/checks.ts";
import { add, nothing, withoutSkips, type Outcome } from "./gate/outcome.ts";
import { provideApiServer, provideChart, provideCluster, provideScenario, type Say } from "./gate/provide.ts";
import { runTestFile, type TestFileLimits } from "./gate/testfile.ts";
import { repositoryRoot } from "./support/results.ts";

interface Task {
  readonly name: string;
  readonly run: () => Promise<Outcome>;
}

interface Layer {
  readonly name: string;
  readonly concurrency: number;
  /** Runs before the tasks. */
  readonly provide?: (say: Say) => Promise<Outcome>;
  readonly tasks: () => readonly Task[];
}

const unitLimits: TestFileLimits = { testTimeoutMs: 60_000, fileDeadlineMs: 180_000 };
const scenarioLimits: TestFileLimits = { testTimeoutMs: 300_000, fileDeadlineMs: 600_000 };

const layers: readonly Layer[] = [
  {
    name: "check",
    concurrency: 1,
    tasks: () => checks.map((check) => ({ name: check.name, run: () => runCheck(check) })),
  },
  {
    name: "unit",
    concurrency: Math.max(2, Math.min(4, availableParallelism())),
    tasks: () =>
      testFiles(
        "{api,charts,crds,examples,image,local,operator,relay,runtime,test}/**/*.test.ts",
        ["test/apiserver/**", "test/chart/**", "test/cluster/**", "test/scenario/**"],
        unitLimits,
      ),
  },
  {
    name: "apiserver",
    concurrency: 1,
    provide: provideApiServer,
    tasks: () => testFiles("test/apiserver/*.test.ts", [], scenarioLimits),
  },
  {
    name: "chart",
    concurrency: 1,
    provide: provideChart,
    tasks: () => testFiles("test/chart/*.test.ts", [], scenarioLimits),
  },
  {
    // Scenarios measure time and memory of whole processes: side by side they would disturb each other.
    name: "scenario",
    concurrency: 1,
    provide: provideScenario,
    tasks: () => testFiles("test/scenario/*.test.ts", [], scenarioLimits),
  },
  {
    name: "cluster",
    concurrency: 1,
    provide: provideCluster,
    tasks: () => testFiles("test/cluster/*.test.ts", [], scenarioLimits),
  },
];

function testFiles(pattern: string, exclude: readonly string[], limits: TestFileLimits): readonly Task[] {
  const files = globSync(pattern, { exclude }).toSorted();
  return files.map((file) => ({ name: file, run: () => runTestFile(file, limits) }));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function runTask(layer: Layer, task: Task): Promise<Outcome> {
  const startedAt = performance.now();
  const outcome = await task.run();
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(6);
  const verdict = outcome.failures.length > 0 ? "FAIL" : "ok  ";
  const counts = [
    `${outcome.passed} passed`,
    ...(outcome.failures.length > 0 ? [`${outcome.failures.length} failed`] : []),
    ...(outcome.skipped.length > 0 ? [`${outcome.skipped.length} skipped`] : []),
  ].join(", ");
  say(`${verdict} ${seconds} s  ${layer.name}  ${task.name} (${counts})`);
  return outcome;
}

async function runLayer(layer: Layer): Promise<Outcome> {
  let total = layer.provide === undefined ? nothing : await layer.provide(say);
  const waiting = [...layer.tasks()];
  const work = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = waiting.shift()) {
      const outcome = await runTask(layer, task);
      total = add(total, outcome);
    }
  };
  await Promise.all(Array.from({ length: layer.concurrency }, work));
  return total;
}

function report(outcome: Outcome): void {
  for (const name of outcome.skipped) say(`skipped: ${name}`);
  for (const failure of outcome.failures) say(`\nFAILED ${failure.name}\n${failure.text}`);
  if (outcome.failures.length > 0) say("\nLogs and files of failed tests are in test-results/");
  say(`${outcome.passed} passed, ${outcome.failures.length} failed`);
}

async function main(names: readonly string[]): Promise<number> {
  chdir(repositoryRoot);
  const unknown = names.filter((name) => !layers.some((layer) => layer.name === name));
  if (unknown.length > 0) {
    say(`no such layer: ${unknown.join(" ")}; there are ${layers.map((layer) => layer.name).join(" ")}`);
    return 2;
  }
  let total = nothing;
  for (const layer of layers) {
    if (names.length === 0 || names.includes(layer.name)) total = add(total, await runLayer(layer));
  }
  const verdict = process.env["CI"] === "true" ? withoutSkips(total) : total;
  report(verdict);
  return verdict.failures.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
