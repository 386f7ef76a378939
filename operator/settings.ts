/** What a run of the operator is told by flags and environment; flags win. Mistakes are errors that name what to do. */
import { parseArgs } from "node:util";
import { z } from "zod";

export const usage = `Mailboat operator

  node operator/main.ts local [--manifests DIR] [--state DIR]

    Runs operator and relays on this machine, with no cluster: a folder of manifests takes the place of the API server.

    --manifests DIR   folder of *.yaml with MailRelays, SenderDomains and Secrets (MANIFESTS; default examples/local)
    --state DIR       keys, spools, captured messages and ports (STATE; default .mailboat); one local mode a directory
    --host ADDRESS    where listeners bind (LISTEN_HOST; default 127.0.0.1)
    --log-level LEVEL what relays log: trace, debug, info, warn, error (LOG_LEVEL; default info)
    --help            this text
`;

/** A mistake in the command line or the environment; the message is for people. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const localSettings = z.object({
  manifests: z.string().min(1),
  state: z.string().min(1),
  host: z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address, for example 127.0.0.1" }),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error"]),
});

export type LocalSettings = z.infer<typeof localSettings>;

export type Command = { readonly verb: "help" } | { readonly verb: "local"; readonly settings: LocalSettings };

/** Throws UsageError. */
export function readCommand(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Command {
  const { values, positionals } = parseFlags(args);
  if (values.help === true) return { verb: "help" };
  const [verb, ...rest] = positionals;
  if (verb === undefined) throw new UsageError("which verb? `local` is the one there is; --help says more");
  if (verb !== "local") throw new UsageError(`unknown verb ${verb}: \`local\` is the one there is; --help says more`);
  if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(" ")}: folders go behind --manifests and --state`);
  // `make run` passes empty variables on: they are as good as none.
  const set = (name: string): string | undefined => (environment[name] === "" ? undefined : environment[name]);
  const settings = localSettings.safeParse({
    manifests: values.manifests ?? set("MANIFESTS") ?? "examples/local",
    state: values.state ?? set("STATE") ?? ".mailboat",
    host: values.host ?? set("LISTEN_HOST") ?? "127.0.0.1",
    logLevel: values["log-level"] ?? set("LOG_LEVEL") ?? "info",
  });
  if (settings.success) return { verb: "local", settings: settings.data };
  const mistakes = settings.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new UsageError(mistakes.join("; "));
}

function parseFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        manifests: { type: "string" },
        state: { type: "string" },
        host: { type: "string" },
        "log-level": { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}; --help lists the flags`);
  }
}
