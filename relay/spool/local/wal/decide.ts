/**
 * What a checkpoint's end means: whether the writer ends the log, whether people must know, when the next one is. Pure.
 *
 * A log that is not copied grows until the spool takes no more mail. So no end of a checkpoint is the last word: one that
 * failed or is blocked is tried again, sooner or later, also when nothing is written meanwhile.
 */

export type CheckpointReport =
  | {
      readonly kind: "copied";
      /** Pages in the log and how many of them are in the database already. */
      readonly logPages: number;
      readonly copiedPages: number;
    }
  | { readonly kind: "failed"; readonly error: string };

/** `partial`: readers or new writes left some of the log, which is usual under load. */
export type CheckpointResult = "complete" | "partial" | "blocked" | "failed";

export interface CheckpointDecision {
  readonly result: CheckpointResult;
  /** Nearly all is copied, and the log is long enough to be begun anew. */
  readonly endLog: boolean;
  /** When to try again although nothing was written; undefined when nothing is left to do. */
  readonly againMs: number | undefined;
}

/** 4 KiB pages: 16 MiB of log before the writer is asked to end it, 256 MiB before people are told. */
export const endLogPages = 4_096;
export const blockedPages = 65_536;

const leftoverMs = 1_000;
const firstRetryMs = 500;
const longestRetryMs = 15_000;

/** `failures`: checkpoints that failed in a row, this one included. */
export function decideCheckpoint(report: CheckpointReport, failures: number): CheckpointDecision {
  if (report.kind === "failed") {
    const againMs = Math.min(firstRetryMs * 2 ** (failures - 1), longestRetryMs);
    return { result: "failed", endLog: false, againMs };
  }
  const left = report.logPages - report.copiedPages;
  return {
    result: left <= 0 ? "complete" : left > blockedPages ? "blocked" : "partial",
    endLog: report.logPages > endLogPages && left < endLogPages,
    againMs: left > 0 ? leftoverMs : undefined,
  };
}

/** Free pages that are worth the time of giving them back: most are filled again by the next mail. */
const leastFreedBytes = 64 * 1024 * 1024;

/** True when so much of the database file is empty that others, large bodies first of all, should have the room. */
export function isWorthFreeing({ databaseBytes, freeBytes }: { databaseBytes: number; freeBytes: number }): boolean {
  return freeBytes > leastFreedBytes && freeBytes > databaseBytes / 3;
}
