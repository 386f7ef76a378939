/** The operator program: reads its command, and runs the verb until it is asked to stop. */
import { systemChance } from "../runtime/clock.ts";
import { runProgram, stopBySignal } from "../runtime/commandline.ts";
import { createLog } from "../runtime/log.ts";
import { runCluster } from "./cluster/run.ts";
import { runRelease } from "./cluster/release.ts";
import { readCommand, usage } from "./settings.ts";

await runProgram(async () => {
  const command = readCommand(process.argv.slice(2), process.env);
  if (command.verb === "help") {
    process.stdout.write(usage);
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
