/** What a person typed to open the page over a spool. Pure. */
import { parseArgs } from "node:util";
import { z } from "zod";
import { accepted, UsageError, variablesOf, type Environment } from "../../runtime/commandline.ts";

export const usage = `usage: node /app/page/main.js [--port N] [--directory DIR]
  a page with the mail that delivery.mode kept in this pod's spool, on port N (8025) of the pod's loopback, until nobody has looked for
  a quarter of an hour: kubectl port-forward POD 8025 leads there
  --directory DIR   the spool; MAILBOAT_SPOOL_DIR when absent
`;

export interface Settings {
  readonly directory: string;
  readonly port: number;
}

/** Throws UsageError; undefined when help is wanted. */
export function readSettings(args: readonly string[], environment: Environment): Settings | undefined {
  const { values } = parsed(args);
  if (values.help === true) return undefined;
  const directory = values.directory ?? variablesOf(environment)("MAILBOAT_SPOOL_DIR");
  if (directory === undefined) throw new UsageError("say where the spool is, with --directory or MAILBOAT_SPOOL_DIR");
  const shape = z.object({ "--port": z.coerce.number().int().min(0).max(65_535) });
  return { directory, port: accepted(shape.safeParse({ "--port": values.port }))["--port"] };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: "string", default: "8025" },
        directory: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
