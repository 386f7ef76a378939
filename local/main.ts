/** Local mode's program: reads its command, and runs operator, relays and page until it is asked to stop. */
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { runProgram, stopBySignal } from "../runtime/commandline.ts";
import { readCommand, usage } from "./settings.ts";
import { prepareState } from "./state.ts";

await runProgram(async () => {
  const command = readCommand(process.argv.slice(2), process.env);
  if (command.verb === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const { settings } = command;
  const stopping = stopBySignal(["SIGINT", "SIGTERM", "SIGHUP"]);
  await prepareState(settings.state);
  // Compiled code is kept beside the rest of the state, which halves the time to ready from the second start on.
  enableCompileCache(join(settings.state, "compiled"));
  const run = {
    settings,
    stopping,
    output: { write: (text: string) => process.stdout.write(text), isTerminal: process.stdout.isTTY },
    now: () => Date.now(),
  };
  if (command.verb === "demo") {
    const { runDemo } = await import("./demo/run.ts");
    return runDemo(run);
  }
  const { runLocal } = await import("./run.ts");
  await runLocal(run);
  return 0;
}, ["StateInUseError"]);
