/**
 * What status says of the queue. Mail comes and goes all the time, and every status that is written wakes all who watch: so
 * figures are kept for twenty seconds, and told at once only when the queue has grown to a multiple. Pure.
 */
import { timestamp } from "../../api/condition.ts";
import type { ClaimFact, Figures, PodFact } from "./facts.ts";

const keptMs = 20_000;
const minuteMs = 60_000;
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
  const late = roundedCount(pods.reduce((sum, pod) => sum + (pod.report?.spool.lateMessages ?? 0), 0));
  const found = { queued, oldestDueTime: oldestDue(pods), oldestTime: oldestWaiting(pods, now), late };
  // Nobody has seen them change yet: the next ones need not wait.
  if (told === undefined) return { at: now - keptMs, ...found };
  if (areSame(told, found)) return told;
  // A clock that was set back says nothing about how long ago that was.
  const isFresh = now >= told.at && now - told.at < keptMs;
  const hasGrown = queued >= manyRecipients && queued >= 2 * told.queued;
  return isFresh && !hasGrown ? told : { at: now, ...found };
}

type Told = Omit<Figures, "at">;

function areSame(one: Told, other: Told): boolean {
  return (
    one.queued === other.queued &&
    one.oldestDueTime === other.oldestDueTime &&
    one.oldestTime === other.oldestTime &&
    one.late === other.late
  );
}

/** Whether these are what is, and not what was told before: only then may the next look wait. */
export function areCurrent(figures: Figures, question: Omit<FiguresQuestion, "told">): boolean {
  return areSame(decideFigures({ ...question, told: undefined }), figures);
}

function oldestDue(pods: readonly PodFact[]): string | undefined {
  return wholeMinute(earliestOf(pods, "oldestDueTime"));
}

/** Mail that goes at once is no news, however much of it there is. */
function oldestWaiting(pods: readonly PodFact[], now: number): string | undefined {
  const time = earliestOf(pods, "oldestAcceptedTime");
  return time === undefined || now - time < minuteMs ? undefined : wholeMinute(time);
}

function earliestOf(pods: readonly PodFact[], field: "oldestDueTime" | "oldestAcceptedTime"): number | undefined {
  const times = pods.flatMap((pod) => {
    const time = pod.report?.spool[field];
    return time === undefined ? [] : [Date.parse(time)];
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Rounded down: mail that is due all the time must not write status all the time. */
function wholeMinute(time: number | undefined): string | undefined {
  return time === undefined ? undefined : timestamp(Math.floor(time / minuteMs) * minuteMs);
}

/** Two significant digits: exact below 100. */
export function roundedCount(count: number): number {
  return count < 100 ? count : Number(count.toPrecision(2));
}
