/** What a run of local mode is told by flags and environment; flags win. Mistakes are errors that name what to do. */
import { parseArgs } from "node:util";
import { z } from "zod";
import {
  accepted,
  type Environment,
  ipAddress,
  logLevel,
  UsageError,
  variablesOf,
  verbOf,
} from "../runtime/commandline.ts";

export const usage = `Mailboat on this machine, with no cluster: a folder of manifests takes the place of the API server

  node local/main.ts run [--manifests DIR] [--state DIR]

    Runs operator and relays.

    --manifests DIR   folder of *.yaml with MailRelays, SenderDomains and Secrets (MANIFESTS; default examples/local)
    --state DIR       keys, spools, captured messages and ports (STATE; default .mailboat); one local mode a directory
    --page-port PORT  where the page that shows each message is (PAGE_PORT; default 8025, or a free one)
    --keep N          how many captured messages stay; older ones are deleted (KEEP; default 1000, at most 10000)
    --host ADDRESS    where listeners bind (LISTEN_HOST; default 127.0.0.1)
    --log-level LEVEL what relays log: trace, debug, info, warn, error (LOG_LEVEL; default info)

  node local/main.ts demo [--state DIR]

    Sends a handful of messages to the local mode that runs on DIR, or to one that it starts itself, and tells what
    becomes of them. Flags as for run.

  --help                    this text
`;

const keepWords = { error: "must be a whole number, 1 to 10000" };
const usualKeep = 1000;
const portWords = { error: "must be a port, 1 to 65535" };

const localSettings = z.object({
  manifests: z.string().min(1),
  state: z.string().min(1),
  host: ipAddress,
  logLevel,
  /** How many captured messages stay. */
  keep: z.coerce.number(keepWords).int(keepWords).min(1, keepWords).max(10_000, keepWords),
  pagePort: z.coerce.number(portWords).int(portWords).min(1, portWords).max(65535, portWords).optional(),
});

export type LocalSettings = z.infer<typeof localSettings>;

export type Command = { readonly verb: "help" } | { readonly verb: "run" | "demo"; readonly settings: LocalSettings };

const flags = new Set(["manifests", "state", "host", "log-level", "page-port", "keep"]);

/** Throws UsageError. */
export function readCommand(args: readonly string[], environment: Environment): Command {
  const { values, positionals } = parseFlags(args);
  if (values.help === true) return { verb: "help" };
  const verb = verbOf(positionals, Object.keys(values), { run: flags, demo: flags });
  const set = variablesOf(environment);
  const pagePort = values["page-port"] ?? set("PAGE_PORT");
  const settings = localSettings.safeParse({
    manifests: values.manifests ?? set("MANIFESTS") ?? "examples/local",
    state: values.state ?? set("STATE") ?? ".mailboat",
    host: values.host ?? set("LISTEN_HOST") ?? "127.0.0.1",
    logLevel: values["log-level"] ?? set("LOG_LEVEL") ?? "info",
    keep: values.keep ?? set("KEEP") ?? usualKeep,
    ...(pagePort === undefined ? {} : { pagePort }),
  });
  return { verb, settings: accepted(settings) };
}

const text = { type: "string" } as const;

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        manifests: text,
        state: text,
        host: text,
        "log-level": text,
        "page-port": text,
        keep: text,
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}; --help lists the flags`);
  }
}
