/**
 * JSON lines on standard output. Messages are constant, values go into fields; content and credentials never do.
 */
import { pino, type Logger } from "pino";
import { BoundedLineOutput, type LineOutput } from "./lineoutput.ts";

export type Log = Logger;

export interface LogSettings {
  readonly level: string;
  readonly program: string;
}

/** Some four thousand lines. */
const waitingBytes = 1024 * 1024;

let standard: BoundedLineOutput | undefined;

/** Of the process, whichever of its parts writes. */
export function standardOutput(program: string): LineOutput {
  if (standard !== undefined) return standard;
  // That somebody asks for process.stdout makes a pipe one that does not block.
  const { fd } = process.stdout;
  const output = new BoundedLineOutput({
    fd,
    limitBytes: waitingBytes,
    dropped: (lines) =>
      `${JSON.stringify({ level: "warn", time: timeNow(), program, lines, msg: "log lines dropped: who reads them is too slow" })}\n`,
  });
  process.on("exit", () => output.end());
  standard = output;
  return output;
}

/** A crash of the program loses no line, a kill -9 those of its last milliseconds, and who follows the log sees each at once. */
export function createLog(settings: LogSettings, output: LineOutput = standardOutput(settings.program)): Log {
  const options = {
    level: settings.level,
    base: { program: settings.program },
    timestamp: () => `,"time":"${timeNow()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, output);
}

function timeNow(): string {
  return new Date().toISOString();
}
