/** What local mode is told by flags and environment; flags win. Mistakes are errors that name what to do. */
import { parseArgs } from "node:util";
import { z } from "zod";
import { nearestOf } from "../api/fault/nearest.ts";
import { type Environment, ipAddress, logLevel, UsageError, variablesOf, verbOf } from "../runtime/commandline.ts";

export const usage = `Mailboat on this machine, with no cluster: a folder of manifests takes the place of the API server

  node local/main.ts run [--manifests DIR] [--state DIR]

    Runs operator and relays.

    --manifests DIR   folder of *.yaml with MailRelays, SenderDomains and Secrets (MANIFESTS; default examples/local)
    --state DIR       keys, spools, captured messages and ports (STATE; default .mailboat); one local mode a directory
    --quiet           says problems and the page's address, and nothing else (QUIET=1)
    --page-port PORT  where the page that shows each message is (PAGE_PORT; default 8025, or a free one)
    --keep N          how many captured messages stay; older ones are deleted (KEEP; default 1000, at most 10000)
    --host ADDRESS    where listeners bind (LISTEN_HOST; default 127.0.0.1)
    --log-level LEVEL what relays log: trace, debug, info, warn, error (LOG_LEVEL; default info)

  node local/main.ts demo [--state DIR]

    Sends a handful of messages to the local mode that runs on DIR, or to one that it starts itself, and tells what
    becomes of them. Flags as for run.

  node local/main.ts trace [--id ID] [--state DIR]

    Tells a message's way. ID is its spool id (the client's 250 has it), its Message-ID, a trace id, an address or words
    of its subject (ID); without it the newest messages are listed. Whether local mode runs or not.

  node local/main.ts spool [--state DIR]

    Lists what waits in the spools, and why. Whether local mode runs or not.

  node local/main.ts clear [--state DIR] [--force]

    Removes captured messages, what is remembered of them, and spools; keys, certificates and ports stay. Not while
    local mode runs, and not while mail waits, unless --force says so (make clear FORCE=1).

  --help                    this text

Colours are for terminals, and none with NO_COLOR=1. Exit code 2: something is to be mended, and the words say what.
`;

const port = { error: "must be a port, 1 to 65535" };
const number = { error: "must be a whole number, 1 to 10000" };
const folder = z.string().min(1, { error: "must name a folder" });

/** By flag. */
const localSettings = z
  .object({
    manifests: folder,
    state: folder,
    host: ipAddress,
    "log-level": logLevel,
    "page-port": z.coerce.number(port).int(port).min(1, port).max(65535, port).optional(),
    keep: z.coerce.number(number).int(number).min(1, number).max(10_000, number),
    quiet: z.boolean(),
  })
  .transform(({ "log-level": level, "page-port": pagePort, ...rest }) => ({
    ...rest,
    logLevel: level,
    ...(pagePort === undefined ? {} : { pagePort }),
  }));

export type LocalSettings = Readonly<z.infer<typeof localSettings>>;

export type Command =
  | { readonly verb: "help" }
  | { readonly verb: "run" | "demo"; readonly settings: LocalSettings }
  | { readonly verb: "trace"; readonly state: string; readonly id: string | undefined }
  | { readonly verb: "spool"; readonly state: string }
  | { readonly verb: "clear"; readonly state: string; readonly force: boolean };

interface Flag {
  /** What stands behind it; undefined for one that stands alone. */
  readonly takes: string | undefined;
  readonly variable: string;
}

const flags = {
  manifests: { takes: "a folder", variable: "MANIFESTS" },
  state: { takes: "a folder", variable: "STATE" },
  host: { takes: "an IP address", variable: "LISTEN_HOST" },
  "log-level": { takes: "a level", variable: "LOG_LEVEL" },
  "page-port": { takes: "a port", variable: "PAGE_PORT" },
  keep: { takes: "a number", variable: "KEEP" },
  id: { takes: "what to look for", variable: "ID" },
  quiet: { takes: undefined, variable: "QUIET" },
  // A name of ours: it loses mail, and FORCE may be there for another program. The Makefile passes on its own FORCE=1.
  force: { takes: undefined, variable: "MAILBOAT_FORCE" },
} as const satisfies Readonly<Record<string, Flag>>;

type FlagName = keyof typeof flags;

const ofRun: ReadonlySet<FlagName> = new Set<FlagName>([
  "manifests",
  "state",
  "host",
  "log-level",
  "page-port",
  "keep",
  "quiet",
]);

const flagsOf = {
  run: ofRun,
  demo: ofRun,
  trace: new Set<FlagName>(["state", "id"]),
  spool: new Set<FlagName>(["state"]),
  clear: new Set<FlagName>(["state", "force"]),
} as const;

/** Throws UsageError. */
export function readCommand(args: readonly string[], environment: Environment): Command {
  const { given, positionals, wantsHelp } = readFlags(args);
  if (wantsHelp) return { verb: "help" };
  const verb = verbOf(positionals, [...given.keys()], flagsOf);
  const set = variablesOf(environment);
  const value = (flag: FlagName): string | undefined => given.get(flag) ?? set(flags[flag].variable);
  const state = checkedFolder(value("state") ?? ".mailboat");
  switch (verb) {
    case "run":
    case "demo":
      return { verb, settings: settingsOf(value, state) };
    case "trace":
      return { verb, state, id: value("id") };
    case "spool":
      return { verb, state };
    case "clear":
      return { verb, state, force: isOn(value("force")) };
  }
}

function settingsOf(value: (flag: FlagName) => string | undefined, state: string): LocalSettings {
  const pagePort = value("page-port");
  const read = localSettings.safeParse({
    manifests: value("manifests") ?? "examples/local",
    state,
    host: value("host") ?? "127.0.0.1",
    "log-level": value("log-level") ?? "info",
    keep: value("keep") ?? 1000,
    quiet: isOn(value("quiet")),
    ...(pagePort === undefined ? {} : { "page-port": pagePort }),
  });
  if (read.success) return read.data;
  const mistakes = read.error.issues.map(({ path, message }) => {
    const flag = String(path[0]);
    return `--${flag}${isFlag(flag) ? ` (${flags[flag].variable})` : ""} ${message}`;
  });
  throw new UsageError(mistakes.join("; "));
}

/** Before it is read, so that every verb refuses the same. */
function checkedFolder(state: string): string {
  if (state === "") throw new UsageError("--state (STATE) must name a folder");
  return state;
}

/** `make run QUIET=0` is as good as without it. */
function isOn(value: string | undefined): boolean {
  return value !== undefined && !/^(?:0|no|off|false)$/i.test(value);
}

function isFlag(name: string): name is FlagName {
  return Object.hasOwn(flags, name);
}

interface GivenFlags {
  readonly given: ReadonlyMap<FlagName, string>;
  readonly positionals: readonly string[];
  readonly wantsHelp: boolean;
}

/** The parser's own words speak to who wrote the program: it only takes apart here. */
function readFlags(args: readonly string[]): GivenFlags {
  const options = Object.fromEntries(
    Object.entries<Flag>(flags).map(([name, { takes }]) => [
      name,
      { type: takes === undefined ? ("boolean" as const) : ("string" as const) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...args],
    options: { ...options, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<FlagName, string>();
  const positionals: string[] = [];
  let wantsHelp = false;
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    if (token.name === "help") wantsHelp = true;
    else given.set(...readFlag(token));
  }
  return { given, positionals, wantsHelp };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function readFlag({ name, rawName, value, inlineValue }: OptionToken): readonly [FlagName, string] {
  if (!isFlag(name)) throw new UsageError(`${rawName} is no flag: ${suggestion(name)}`);
  const { takes } = flags[name];
  if (takes === undefined) {
    if (inlineValue === true) throw new UsageError(`${rawName} stands alone: leave ${value ?? ""} out`);
    return [name, "1"];
  }
  const isNextFlag = inlineValue !== true && value?.startsWith("-") === true;
  if (value === undefined || isNextFlag) throw new UsageError(`${rawName} needs ${takes} behind it`);
  return [name, value];
}

function suggestion(name: string): string {
  const names = Object.keys(flags);
  const near = nearestOf(name, names) ?? (name === "" ? undefined : names.find((flag) => flag.startsWith(name)));
  return near === undefined ? "--help lists them" : `did you mean --${near}? --help lists them`;
}
