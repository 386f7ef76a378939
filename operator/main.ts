/** The operator program: reads its command, and runs the verb until it is asked to stop. */
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { systemChance } from "../runtime/clock.ts";
import { runProgram, stopBySignal, UsageError } from "../runtime/commandline.ts";
import { createLog } from "../runtime/log.ts";
import { runCluster } from "./run/run.ts";
import { runRelease } from "./run/release.ts";
import { convertManifests, type ManifestFile } from "./convert/convert.ts";
import { readCommand, usage } from "./settings.ts";

/** Rejects with UsageError where there is no such file. */
async function readManifests(file: string): Promise<ManifestFile> {
  try {
    if (file === "-") return { name: "the standard input", text: await text(process.stdin) };
    return { name: file, text: await readFile(file, "utf8") };
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

await runProgram(async () => {
  const command = readCommand(process.argv.slice(2), process.env);
  if (command.verb === "help") {
    process.stdout.write(usage);
    return 0;
  }
  if (command.verb === "convert") {
    const conversion = convertManifests(await Promise.all(command.files.map(readManifests)));
    if (conversion.kind === "invalid") throw new UsageError(conversion.message);
    process.stdout.write(conversion.text);
    return 0;
  }
  const run = {
    environment: process.env,
    log: createLog({ level: command.settings.logLevel, program: "operator" }),
    now: () => Date.now(),
    monotonic: () => performance.now(),
    chance: systemChance,
  };
  if (command.verb === "release") return runRelease({ ...run, settings: command.settings });
  const stopping = stopBySignal(["SIGINT", "SIGTERM", "SIGHUP"]);
  return runCluster({ ...run, settings: command.settings, stopping });
});
