/**
 * JSON lines on standard output. Messages are constant, values go into fields; content and credentials never do.
 */
import { pino, type Logger } from "pino";

export type Log = Logger;

export interface LogSettings {
  readonly level: string;
  readonly program: string;
}

/** Lines are written synchronously in batches of at most 4 KiB: what a crash can lose is bounded and small. */
export function createLog(settings: LogSettings): Log {
  return pino({
    level: settings.level,
    base: { program: settings.program },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}
