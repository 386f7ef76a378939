/** What the programs' command lines have alike: mistakes are errors for people, and empty variables are as good as none. */
import { z } from "zod";

/** A mistake in the command line or the environment; the message is for people. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const logLevel = z.enum(["trace", "debug", "info", "warn", "error"]);
export const ipAddress = z.union([z.ipv4(), z.ipv6()], { error: "must be an IP address, for example 127.0.0.1" });

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads a variable; `make` passes empty ones on, which are as good as none. */
export function variablesOf(environment: Environment): (name: string) => string | undefined {
  return (name) => (environment[name] === "" ? undefined : environment[name]);
}

/** Throws UsageError with each setting that is wrong and what it must be. */
export function accepted<T>(result: z.ZodSafeParseResult<T>): T {
  if (result.success) return result.data;
  const mistakes = result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new UsageError(mistakes.join("; "));
}

/** The verb among those that there are, and the flags that it takes. Throws UsageError. */
export function verbOf<Verb extends string>(
  positionals: readonly string[],
  flags: readonly string[],
  flagsOf: Readonly<Record<Verb, ReadonlySet<string>>>,
): Verb {
  const isVerb = (text: string): text is Verb => Object.hasOwn(flagsOf, text);
  const names = Object.keys(flagsOf).map((name) => `\`${name}\``);
  const choice = `${names.slice(0, -1).join(", ")} ${"or"} ${names.at(-1)}`;
  const [verb, ...rest] = positionals;
  if (verb === undefined) throw new UsageError(`which verb? ${choice}; --help says more`);
  if (!isVerb(verb)) throw new UsageError(`unknown verb ${verb}: there are ${choice}; --help says more`);
  if (rest.length > 0) throw new UsageError(`unexpected ${rest.join(" ")}: every setting goes behind a flag`);
  for (const flag of flags) {
    if (!flagsOf[verb].has(flag)) throw new UsageError(`--${flag} is no flag of \`${verb}\`; --help lists them`);
  }
  return verb;
}

/** One Ctrl-C may come twice: from the terminal, and from npm that passes it on. A person who means it is slower. */
const sameSignalMs = 200;

/**
 * Aborted by the first signal that asks the process to stop. A second one ends it at once: correctness rests on the
 * spools.
 */
export function stopBySignal(signals: readonly NodeJS.Signals[]): AbortSignal {
  const stop = new AbortController();
  let first = 0;
  for (const signal of signals) {
    process.on(signal, () => {
      if (stop.signal.aborted && performance.now() - first > sameSignalMs) process.exit(130);
      if (stop.signal.aborted) return;
      first = performance.now();
      stop.abort(signal);
    });
  }
  return stop.signal;
}

/** Runs a program to its exit code; a mistake of whoever called it is told without a stack. `expected` are names of errors. */
export async function runProgram(main: () => Promise<number>, expected: readonly string[] = []): Promise<void> {
  // A reader that is gone (`| head`) is no reason to lose mail: what runs, runs on.
  process.stdout.on("error", () => undefined);
  process.stderr.on("error", () => undefined);
  try {
    process.exitCode = await main();
  } catch (error) {
    const isExpected = error instanceof Error && ["UsageError", ...expected].includes(error.name);
    const text = error instanceof Error ? (isExpected ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`mailboat: ${text}\n`);
    process.exit(isExpected ? 2 : 1);
  }
}
