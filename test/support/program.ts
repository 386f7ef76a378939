/** A program under test: its JSON log as events, its signals, its exit. Whatever a test leaves running dies with it. */
import { spawn, type ChildProcess } from "node:child_process";
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { hearLines } from "./secrets/disclosure.ts";

export interface LogLine {
  readonly msg: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface ProgramOptions {
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Everything it prints is appended here. */
  readonly logFile: string;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
process.once("SIGTERM", () => process.exit(143));

export class Program {
  readonly child: ChildProcess;
  readonly lines: string[] = [];
  readonly #waiting = new Set<{ readonly test: (line: string) => boolean; readonly resolve: (line: string) => void }>();
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;

  constructor(options: ProgramOptions) {
    const [program, ...args] = options.command;
    if (program === undefined) throw new Error("no program to start");
    this.child = spawn(program, args, { env: { ...process.env, ...options.env }, stdio: ["ignore", "pipe", "pipe"] });
    running.add(this.child);
    hearLines(options.logFile, this.lines);
    const { promise, resolve } = Promise.withResolvers<number | string>();
    this.exited = promise;
    this.child.on("error", (error) => this.#take(options.logFile, `could not start: ${error.message}`));
    this.child.on("close", (code, signal) => {
      running.delete(this.child);
      resolve(signal ?? code ?? 1);
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on("line", (line) => this.#take(options.logFile, line));
    }
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("the program did not start");
    return this.child.pid;
  }

  /** The first line, past or to come, that fits. Rejects at the deadline or when the program ends before. */
  async waitFor(what: string, fits: (line: string) => boolean, deadlineMs = 20_000): Promise<string> {
    const past = this.lines.find(fits);
    if (past !== undefined) return past;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const waiter = { test: fits, resolve };
    this.#waiting.add(waiter);
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${deadlineMs} ms`)), deadlineMs);
    void this.exited.then((how) =>
      reject(new Error(`ended (${how}) before ${what}: ${this.lines.slice(-5).join("\n")}`)),
    );
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(waiter);
    }
  }

  async waitForLog(msg: string, deadlineMs = 20_000): Promise<LogLine> {
    const line = await this.waitFor(`log line "${msg}"`, (text) => parseLog(text)?.msg === msg, deadlineMs);
    return parseLog(line) ?? { msg, fields: {} };
  }

  logs(msg: string): readonly LogLine[] {
    return this.lines.flatMap((text) => {
      const line = parseLog(text);
      return line?.msg === msg ? [line] : [];
    });
  }

  async kill(signal: NodeJS.Signals): Promise<number | string> {
    this.child.kill(signal);
    return this.exited;
  }

  #take(logFile: string, line: string): void {
    this.lines.push(line);
    appendFileSync(logFile, `${line}\n`);
    for (const waiter of this.#waiting) if (waiter.test(line)) waiter.resolve(line);
  }
}

const jsonLine = z.looseObject({ msg: z.string() });

/** Undefined for what is no JSON line with a message. */
export function parseLog(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const fields = jsonLine.parse(JSON.parse(line));
    return { msg: fields.msg, fields };
  } catch {
    return undefined;
  }
}
