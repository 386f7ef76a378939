/** Runs a program to its end and keeps what it printed. Never rejects: a program that cannot start is an exit code too. */
import { spawn } from "node:child_process";

export interface CommandResult {
  /** 127 when the program could not be started, 124 when it ran past its deadline. */
  readonly code: number;
  readonly output: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

export function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { promise, resolve } = Promise.withResolvers<CommandResult>();
  const signal = AbortSignal.timeout(options.deadlineMs ?? 600_000);
  const child = spawn(program, args, {
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    signal,
    killSignal: "SIGKILL",
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  child.on("error", (error) => {
    if (!signal.aborted) resolve({ code: 127, output: `${program}: ${error.message}` });
  });
  child.on("close", (code) => {
    const text = Buffer.concat(output).toString("utf8");
    resolve({ code: signal.aborted ? 124 : (code ?? 1), output: signal.aborted ? `${text}\npast its deadline` : text });
  });
  return promise;
}
