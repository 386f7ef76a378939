/**
 * How much of a volume captured mail may take, and its regular pruning. Captured mail lives above the high watermark, in half of
 * what is left there and a tenth of the volume at most: new mail is never refused for it, and on a disk that is nearly full there
 * is no room for it at all.
 *
 * On failure pruning is tried again at its next turn.
 */
import type { Log } from "../../../runtime/log.ts";

export interface Volume {
  readonly capacityBytes: number;
  readonly highWatermarkPercent: number;
  /** So little is free that new mail is refused. */
  readonly isNearlyFull: boolean;
}

const largestShare = 0.1;

export function roomForCaptured({ capacityBytes, highWatermarkPercent, isNearlyFull }: Volume): number {
  if (isNearlyFull) return 0;
  const above = (100 - highWatermarkPercent) / 100;
  return capacityBytes * Math.min(above / 2, largestShare);
}

/** Why captured mail goes: for its age, because there is too much of it, or because the volume has no room for it. */
export const dropReasons = ["age", "number", "room"] as const;
export type DropReason = (typeof dropReasons)[number];

/** Messages. */
export type Dropped = Readonly<Record<DropReason, number>>;

export interface DropTold {
  readonly onDropped: (reason: DropReason, messages: number) => void;
  readonly log: Log;
}

/** It was kept for people to read, and nobody can any more. */
export function tellDropped({ onDropped, log }: DropTold, dropped: Dropped): void {
  for (const reason of dropReasons) {
    const messages = dropped[reason];
    if (messages === 0) continue;
    onDropped(reason, messages);
    log.info({ reason, messages }, "dropped captured mail");
  }
}

export interface PruningOptions {
  /** Drops some of what is too old or too much, and resolves with how many messages went. */
  readonly prune: () => Promise<number>;
  readonly log: Log;
}

/** What is a week old goes at the next turn. */
const pruneEveryMs = 600_000;

/** Once now and then in turns; close() waits for the one that is under way. */
export function startPruning({ prune, log }: PruningOptions): { close(): Promise<void> } {
  let isClosed = false;
  const turn = async (): Promise<void> => {
    try {
      while (!isClosed && (await prune()) > 0);
    } catch (error) {
      log.error({ error: String(error) }, "could not drop old captured mail");
    }
  };
  let underWay = turn();
  const timer = setInterval(() => {
    underWay = underWay.then(turn);
  }, pruneEveryMs).unref();
  return {
    async close() {
      isClosed = true;
      clearInterval(timer);
      await underWay;
    },
  };
}
