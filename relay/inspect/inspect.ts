/** The verbs of the relay program that look and change nothing: from arguments and environment to what is printed. */
import type { Clock } from "../../runtime/clock.ts";
import { readInspectionSettings } from "../settings.ts";
import { inspectionUsage, readCommand, type InspectionCommand } from "./command.ts";
import type { Printed } from "./printed.ts";
import { showSpool } from "./spool.ts";
import { traceMessage } from "./trace.ts";

export type InspectionVerb = "spool" | "trace";

export function isInspectionVerb(verb: string | undefined): verb is InspectionVerb {
  return verb === "spool" || verb === "trace";
}

export interface InspectionRequest {
  readonly verb: InspectionVerb;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

/** Rejects with what is in the way: an environment that cannot be read, a spool that cannot be opened. */
export async function inspect({ verb, args, environment, clock }: InspectionRequest): Promise<Printed> {
  const command: InspectionCommand = readCommand(verb, args);
  if (command.verb === "wrong") {
    return { status: 2, out: "", err: `relay ${verb}: ${command.reason}\nusage:\n${inspectionUsage}` };
  }
  const settings = readInspectionSettings(environment);
  const directory = command.directory ?? settings.spoolDirectory;
  if (directory === undefined) {
    return {
      status: 2,
      out: "",
      err: `relay ${verb}: say where the spool is, with --directory or MAILBOAT_SPOOL_DIR\n`,
    };
  }
  if (command.verb === "spool") return showSpool(command, directory, clock);
  const port = command.port ?? settings.port;
  return traceMessage(command, { directory, origin: `http://${settings.host}:${port}`, clock });
}
