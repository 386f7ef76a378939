/**
 * What status says of the queue. Mail comes and goes all the time, and every status that is written wakes all who watch: so
 * figures are kept for twenty seconds, and told at once only when the queue has grown to a multiple. Pure.
 */
import { timestamp } from "../../api/condition.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { podNameAt } from "../owned/names.ts";
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
  /** As unheardRecipients() counts them. */
  readonly unheard: number;
  /** Undefined when this operator has told nothing. */
  readonly told: Figures | undefined;
  /** What the resource says, told by whichever operator. */
  readonly said: Pick<MailRelayStatus, "late" | "oldestTime"> | undefined;
}

/** The figures to tell, which are those that were told while they are good enough. */
export function decideFigures(question: FiguresQuestion): Figures {
  const { now, told } = question;
  const found = findFigures(question);
  // Nobody has seen them change yet: the next ones need not wait.
  if (told === undefined) return { at: now - keptMs, ...found };
  if (areSame(told, found)) return told;
  // A clock that was set back says nothing about how long ago that was.
  const isFresh = now >= told.at && now - told.at < keptMs;
  const hasGrown = found.queued >= manyRecipients && found.queued >= 2 * told.queued;
  return isFresh && !hasGrown ? told : { at: now, ...found };
}

type Told = Omit<Figures, "at">;

function findFigures(question: FiguresQuestion): Told {
  const { pods, retained } = question;
  const waiting = pods.reduce((sum, pod) => sum + (pod.report?.spool.queuedRecipients ?? 0), 0);
  const kept = retained.reduce((sum, claim) => sum + (claim.queued ?? 0), 0);
  return { queued: roundedCount(waiting + kept), oldestDueTime: oldestDue(pods), ...findAges(question) };
}

/** What nobody tells of may be late: what was told before stands, and is never less than what is told now. */
function findAges({ now, pods, unheard, told, said }: FiguresQuestion): Pick<Told, "late" | "oldestTime"> {
  const late = pods.reduce((sum, pod) => sum + (pod.report?.spool.lateMessages ?? 0), 0);
  const oldestTime = oldestWaiting(pods, now);
  if (unheard === 0) return { late: roundedCount(late), oldestTime };
  const before = told ?? said;
  if (before?.late === undefined) return { late: undefined, oldestTime: undefined };
  const [oldest] = [oldestTime, before.oldestTime].filter((time) => time !== undefined).sort();
  const most = Math.min(before.late, late + unheard);
  return { late: roundedCount(Math.max(late, most)), oldestTime: oldest };
}

export interface Spools {
  readonly relay: { readonly metadata: { readonly name: string } };
  readonly pods: readonly PodFact[];
  readonly claims: readonly ClaimFact[];
}

/** Recipients that may wait where no pod tells how late they are; infinitely many where nobody knows. */
export function unheardRecipients({ relay, pods, claims }: Spools): number {
  const claimed = new Map(claims.map((claim) => [podNameAt(relay.metadata.name, claim.ordinal), claim]));
  // A relay of a release that does not tell yet has a report without them.
  const silent = pods.filter(({ report }) => report?.spool.lateMessages === undefined);
  // One that never had its volume has taken no mail.
  if (silent.some(({ name }) => claimed.get(name)?.isBound !== false)) return Infinity;
  for (const { name } of pods) claimed.delete(name);
  return [...claimed.values()]
    .filter(({ isBound, emptySpool }) => isBound && emptySpool === undefined)
    .reduce((sum, { queued = Infinity }) => sum + queued, 0);
}

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
  return areSame(findFigures({ ...question, told: figures }), figures);
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
