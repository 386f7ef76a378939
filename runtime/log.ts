/**
 * JSON lines on standard output. Messages are constant, values go into fields; content and credentials never do.
 */
import { pino, type Logger } from "pino";

export type Log = Logger;

export interface LogSettings {
  readonly level: string;
  readonly program: string;
}

/** Lines are written one by one, synchronously: a crash loses none, and who follows the log sees each at once. */
export function createLog(settings: LogSettings): Log {
  return pino({
    level: settings.level,
    base: { program: settings.program },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}
