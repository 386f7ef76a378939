/**
 * What status says of the queue. Mail comes and goes all the time, and every status that is written wakes all who watch: so
 * figures are kept for twenty seconds, and told at once only when the queue has grown to a multiple. Pure.
 */
import { timestamp } from "../../api/condition.ts";
import type { ClaimFact, Figures, PodFact } from "./facts.ts";

const keptMs = 20_000;
/** A queue of fewer recipients is never news. */
const manyRecipients = 100;

export interface FiguresQuestion {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly pods: readonly PodFact[];
  /** Volumes whose pods are gone. */
  readonly retained: readonly ClaimFact[];
  /** Undefined when nothing has been told. */
  readonly told: Figures | undefined;
}

/** The figures to tell, which are those that were told while they are good enough. */
export function decideFigures({ now, pods, retained, told }: FiguresQuestion): Figures {
  const waiting = pods.reduce((sum, pod) => sum + (pod.report?.spool.queuedRecipients ?? 0), 0);
  const kept = retained.reduce((sum, claim) => sum + (claim.queued ?? 0), 0);
  const queued = roundedCount(waiting + kept);
  const oldestDueTime = oldestDue(pods);
  // Nobody has seen them change yet: the next ones need not wait.
  if (told === undefined) return { at: now - keptMs, queued, oldestDueTime };
  if (told.queued === queued && told.oldestDueTime === oldestDueTime) return told;
  // A clock that was set back says nothing about how long ago that was.
  const isFresh = now >= told.at && now - told.at < keptMs;
  const hasGrown = queued >= manyRecipients && queued >= 2 * told.queued;
  return isFresh && !hasGrown ? told : { at: now, queued, oldestDueTime };
}

/** Whether these are what is, and not what was told before: only then may the next look wait. */
export function areCurrent(figures: Figures, question: Omit<FiguresQuestion, "told">): boolean {
  const now = decideFigures({ ...question, told: undefined });
  return now.queued === figures.queued && now.oldestDueTime === figures.oldestDueTime;
}

/** Rounded down to a minute: mail that is due all the time must not write status all the time. */
function oldestDue(pods: readonly PodFact[]): string | undefined {
  const times = pods.flatMap((pod) => {
    const time = pod.report?.spool.oldestDueTime;
    return time === undefined ? [] : [Date.parse(time)];
  });
  if (times.length === 0) return undefined;
  return timestamp(Math.floor(Math.min(...times) / 60_000) * 60_000);
}

/** Two significant digits: exact below 100. */
export function roundedCount(count: number): number {
  return count < 100 ? count : Number(count.toPrecision(2));
}
