/**
 * The one test command: `node test/run.ts [layer...]`, with the layers check, unit, apiserver, chart, scenario and cluster in
 * that order.
 *
 * It installs what a layer needs where it may, prints a line for each file, every failure in full at the end, and as its
 * last line `N passed, N failed`. What it cannot run here it names; with CI=true that is a failure.
 */
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { chdir } from "node:process";
import { checks, runCheck } from "./gate/checks.ts";
import { Durations } from "./gate/durations.ts";
import { memoryDisk } from "./gate/memorydisk.ts";
import { add, nothing, withoutSkips, type Outcome } from "./gate/outcome.ts";
import { provideApiServer, provideChart, provideCluster, provideScenario, type Say } from "./gate/provide.ts";
import { SharedPlane } from "./gate/sharedplane.ts";
import { readIn, shareProcesses } from "./gate/sharing.ts";
import { runTestFile, runTogether, type TestFileLimits } from "./gate/testfile.ts";
import { type Lane, noLane, runTasks, strangers, type Task } from "./gate/workers.ts";
import { lackingControlPlane } from "./support/controlplane/programs.ts";
import { repositoryRoot } from "./support/results.ts";

interface Layer {
  readonly name: string;
  readonly concurrency: number;
  /** Runs before the tasks. */
  readonly provide?: (say: Say) => Promise<Outcome>;
  readonly tasks: () => readonly Task[];
  /** Names of tasks, where several run at a time: what holds the product to a time or a size has nothing beside it. */
  readonly alone?: readonly string[];
  /** Instead of those: all others run alone. */
  readonly beside?: readonly string[];
  readonly openLane?: (worker: number) => Lane;
  /** Where temporary files lie, if not where they usually do. */
  readonly temporary?: () => string | undefined;
}

const unitLimits: TestFileLimits = { testTimeoutMs: 60_000, fileDeadlineMs: 180_000 };
const scenarioLimits: TestFileLimits = { testTimeoutMs: 300_000, fileDeadlineMs: 600_000 };
const cores = availableParallelism();

const layers: readonly Layer[] = [
  {
    // Types and lint rules use all cores, the format one.
    name: "check",
    concurrency: 2,
    tasks: () => checks.map((check) => ({ name: check.name, run: async () => runCheck(check) })),
  },
  {
    // Half of them wait for a disk or a time most of their own.
    name: "unit",
    concurrency: Math.max(2, Math.min(8, 2 * cores)),
    tasks: unitTasks,
    temporary: memoryDisk,
  },
  {
    name: "apiserver",
    concurrency: Math.min(2, cores),
    provide: provideApiServer,
    tasks: () => testFiles("test/apiserver/*.test.ts", scenarioLimits),
    alone: [
      "test/apiserver/a-mistake-is-a-condition.test.ts",
      "test/apiserver/manifests-become-objects-in-two-seconds.test.ts",
      // Its hundreds of domains keep a server busy by themselves.
      "test/apiserver/one-changed-domain-costs-the-work-of-one.test.ts",
      "test/apiserver/what-others-change-is-repaired.test.ts",
    ],
    openLane: (worker) => (lackingControlPlane() === false ? new SharedPlane(`control-plane-${worker}`, say) : noLane),
  },
  {
    name: "chart",
    concurrency: 1,
    provide: provideChart,
    tasks: () => testFiles("test/chart/*.test.ts", scenarioLimits),
  },
  {
    // Scenarios measure time and memory of whole processes: side by side they would disturb each other, but for these.
    name: "scenario",
    concurrency: Math.min(2, cores),
    provide: provideScenario,
    tasks: () => testFiles("test/scenario/*.test.ts", scenarioLimits),
    beside: [
      "a-leaving-pod-hands-its-mail-over",
      "a-mistake-is-refused-with-its-field",
      "accepted-mail-survives-kill-9",
      "clients-of-others-send-and-hear-why",
      "every-hop-is-traced",
      "generated-messages",
      "long-lines-outlive-the-next-postfix",
      "no-octets-bend-a-session",
      "no-secret-is-told",
      "no-known-trick-borrows-a-domain",
      "one-message-tells-its-story",
      "only-whom-the-manifest-names-may-send",
      "readme-is-true",
      "refusals",
      "scale-in-strands-no-mail",
      "tenants-share-a-relay-and-no-domain",
      "the-page-fits-every-screen",
      "the-page-is-run-by-keys",
      "the-page-shows-each-message",
      "the-third-recipient-bounces",
      "two-hops-are-one-trace",
    ].map((name) => `test/scenario/${name}.test.ts`),
  },
  {
    name: "cluster",
    concurrency: 1,
    provide: provideCluster,
    tasks: () => testFiles("test/cluster/*.test.ts", scenarioLimits),
  },
];

function testFiles(pattern: string, limits: TestFileLimits): readonly Task[] {
  return globSync(pattern)
    .toSorted()
    .map((file) => testFile(file, limits));
}

function testFile(file: string, limits: TestFileLimits): Task {
  return { name: file, run: async (args) => runTestFile(file, limits, args) };
}

function unitTasks(): readonly Task[] {
  const ofLayers = ["apiserver", "chart", "cluster", "scenario"].map((name) => `test/${name}/**`);
  const folders = "{api,charts,crds,examples,image,local,operator,relay,runtime,test}";
  const files = globSync(`${folders}/**/*.test.ts`, { exclude: ofLayers }).toSorted();
  const { together, apart } = shareProcesses(files, readIn(repositoryRoot));
  return [
    ...together.map((shared) => ({
      name: `${shared.folder}: ${shared.files.length} files in one process`,
      run: async () => runTogether(shared.files, unitLimits),
    })),
    ...apart.map((file) => testFile(file, unitLimits)),
  ];
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tell(name: string, { passed, failures, skipped }: Outcome, seconds: number): void {
  const verdict = failures.length > 0 ? "FAIL" : "ok  ";
  const counts = [
    `${passed} passed`,
    ...(failures.length > 0 ? [`${failures.length} failed`] : []),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
  ].join(", ");
  say(`${verdict} ${seconds.toFixed(1).padStart(6)} s  ${name} (${counts})`);
}

async function runLayer(layer: Layer, durations: Durations): Promise<Outcome> {
  const startedAt = performance.now();
  const provided = layer.provide === undefined ? nothing : await layer.provide(say);
  const { name, concurrency, alone, beside, openLane = () => noLane } = layer;
  const usual = process.env["TMPDIR"];
  setTemporary(layer.temporary?.() ?? usual);
  const tasks = layer.tasks();
  const apart = beside === undefined ? alone : tasks.map((task) => task.name).filter((one) => !beside.includes(one));
  const outcome = await runTasks({
    tasks,
    concurrency,
    alone: new Set(apart),
    openLane,
    durations,
    onEnd: (task, ended, seconds) => tell(`${name}  ${task.name}`, ended, seconds),
  });
  setTemporary(usual);
  say(`layer ${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return [provided, strangers(tasks, beside ?? alone ?? [])].reduce(add, outcome);
}

function setTemporary(folder: string | undefined): void {
  if (folder === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = folder;
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
  // Hundreds of processes load the same files: what one has compiled the next one need not.
  process.env["NODE_COMPILE_CACHE"] ??= join(repositoryRoot, "node_modules/.cache/compiled");
  let total = nothing;
  const durations = Durations.load();
  for (const layer of layers) {
    if (names.length === 0 || names.includes(layer.name)) total = add(total, await runLayer(layer, durations));
  }
  durations.save();
  const verdict = process.env["CI"] === "true" ? withoutSkips(total) : total;
  report(verdict);
  return verdict.failures.length > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
