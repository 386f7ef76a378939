/** Local mode's program: reads its command, and runs operator, relays and page until it is asked to stop. */
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { systemTimers } from "../runtime/clock.ts";
import { runProgram, stopBySignal } from "../runtime/commandline.ts";
import { type Command, readCommand, usage } from "./settings.ts";
import { prepareState } from "./state.ts";
import { terminalOn } from "./terminal/terminal.ts";
import { asTrouble, troubleOf } from "./terminal/trouble.ts";
import { exitUnderMake, interruptMake } from "./terminal/undermake.ts";

/** Asked now: at the end it may be another one. */
const startedBy = process.ppid;
const now = (): number => Date.now();

/** Each verb loads what it needs, and nothing else. */
async function perform(command: Exclude<Command, { verb: "help" }>): Promise<number> {
  const terminal = terminalOn(process.stdout, process.env);
  switch (command.verb) {
    case "trace": {
      const { tellTrace } = await import("./verbs/trace.ts");
      return tellTrace({ ...command, terminal, now });
    }
    case "spool": {
      const { tellSpool } = await import("./verbs/spool.ts");
      return tellSpool({ ...command, terminal, now });
    }
    case "clear": {
      const { clearState } = await import("./verbs/clear.ts");
      return clearState({ ...command, terminal });
    }
    case "run":
    case "demo":
  }
  const { settings } = command;
  const stopping = stopBySignal(["SIGINT", "SIGTERM", "SIGHUP"]);
  await prepareState(settings.state);
  // Compiled code is kept beside the rest of the state, which halves the time to ready from the second start on.
  enableCompileCache(join(settings.state, "compiled"));
  const run = { settings, stopping, terminal, timers: systemTimers, now };
  if (command.verb === "demo") {
    const { runDemo } = await import("./demo/run.ts");
    return runDemo(run);
  }
  const { runLocal } = await import("./run.ts");
  await runLocal(run);
  return 0;
}

/** What nobody waits for and the machine refuses: told as a sentence where it is one. The relays end with this process. */
function endBy(state: string): (error: unknown) => void {
  return (error) => {
    const trouble = troubleOf(error, state);
    const fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`mailboat: ${trouble ?? fault}\n`);
    process.exit(trouble === undefined ? 1 : 2);
  };
}

process.on("exit", (code) => {
  process.exitCode = exitUnderMake(code, process.env, () =>
    interruptMake(startedBy, process.ppid, (pid) => process.kill(pid, "SIGINT")),
  );
});

await runProgram(async () => {
  const command = readCommand(process.argv.slice(2), process.env);
  if (command.verb === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const state = "settings" in command ? command.settings.state : command.state;
  process.on("uncaughtException", endBy(state));
  process.on("unhandledRejection", endBy(state));
  try {
    return await perform(command);
  } catch (error) {
    throw asTrouble(error, state);
  }
}, ["StateInUseError", "TroubleError"]);
