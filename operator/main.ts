/** The operator program: reads its command, and runs the verb until it is asked to stop. */
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { systemChance } from "../runtime/clock.ts";
import { createLog } from "../runtime/log.ts";
import {
  type ClusterSettings,
  type LocalSettings,
  readCommand,
  type ReleaseSettings,
  usage,
  UsageError,
} from "./settings.ts";

/** Resolves to the exit code. A second signal ends the process at once: correctness rests on the spools. */
async function main(): Promise<number> {
  const command = readCommand(process.argv.slice(2), process.env);
  if (command.verb === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(130);
      stop.abort(signal);
    });
  }
  // A reader that is gone (`| head`) is no reason to lose mail: what runs, runs on.
  process.stdout.on("error", () => undefined);
  switch (command.verb) {
    case "local":
    case "demo":
      return local(command.settings, command.verb, stop.signal);
    case "run":
      return cluster(command.settings, stop.signal);
    case "release":
      return release(command.settings);
  }
}

async function local(settings: LocalSettings, verb: "local" | "demo", stopping: AbortSignal): Promise<number> {
  // Compiled code is kept beside the rest of the state, which halves the time to ready from the second start on.
  enableCompileCache(join(settings.state, "compiled"));
  const run = {
    settings,
    stopping,
    output: { write: (text: string) => process.stdout.write(text), isTerminal: process.stdout.isTTY },
    now: () => Date.now(),
  };
  if (verb === "demo") {
    const { runDemo } = await import("./local/demo/run.ts");
    return runDemo(run);
  }
  const { runLocal } = await import("./local/run.ts");
  await runLocal(run);
  return 0;
}

async function cluster(settings: ClusterSettings, stopping: AbortSignal): Promise<number> {
  // The Kubernetes client weighs 88 MiB: local mode does without it.
  const { runCluster } = await import("./cluster/run.ts");
  return runCluster({
    settings,
    log: createLog({ level: settings.logLevel, program: "operator" }),
    stopping,
    now: () => Date.now(),
    monotonic: () => performance.now(),
    chance: systemChance,
  });
}

async function release(settings: ReleaseSettings): Promise<number> {
  const { runRelease } = await import("./cluster/release.ts");
  return runRelease({
    settings,
    log: createLog({ level: settings.logLevel, program: "operator" }),
    now: () => Date.now(),
    monotonic: () => performance.now(),
    chance: systemChance,
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  const isExpected = error instanceof UsageError || (error instanceof Error && error.name === "StateInUseError");
  const text = error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`mailboat: ${text}\n`);
  process.exit(isExpected ? 2 : 1);
}
