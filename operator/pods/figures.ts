/**
 * What status says of the queue. Mail comes and goes all the time, and every status that is written wakes all who watch: so
 * figures are kept for twenty seconds, and told at once only when the queue has grown to a multiple or is known again. Nobody says
 * that nothing waits where a pod does not tell: then a figure is at least what is known and was told before, and absent where that
 * is nothing. Pure.
 */
import { timestamp } from "../../api/condition.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import { podNameAt } from "../owned/names.ts";
import type { ClaimFact, Figures, PodFact, QueueFigures } from "./facts.ts";

const keptMs = 20_000;
const minuteMs = 60_000;
/** A queue of fewer recipients is never news. */
const manyRecipients = 100;

/** Where mail of a relay may lie. */
export interface Spools {
  readonly relay: { readonly metadata: { readonly name: string } };
  readonly pods: readonly PodFact[];
  readonly claims: readonly ClaimFact[];
}

export interface FiguresQuestion extends Spools {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Undefined when this operator has told nothing. */
  readonly told: Figures | undefined;
  /** What the resource says, told by whichever operator. */
  readonly said: QueueFigures | undefined;
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
  return isFresh && !isNews(found, told) ? told : { at: now, ...found };
}

/** Whether these are what is, and not what was told before: only then may the next look wait. */
export function areCurrent(figures: Figures, question: Omit<FiguresQuestion, "told">): boolean {
  return areSame(findFigures({ ...question, told: figures }), figures);
}

/** Where nothing can be seen, what status says stands. */
export function saidFigures(status: MailRelayStatus | undefined, now: number): Figures {
  const { queued, late, overHour, overDay, captured, oldestTime, oldestDueTime } = status ?? {};
  return { at: now - keptMs, ...present({ queued, late, overHour, overDay, captured, oldestTime, oldestDueTime }) };
}

const counts = ["queued", "late", "overHour", "overDay"] as const;

function isNews(found: QueueFigures, told: QueueFigures): boolean {
  if (counts.some((count) => told[count] === undefined && found[count] !== undefined)) return true;
  const { queued = 0 } = found;
  return queued >= manyRecipients && queued >= 2 * (told.queued ?? 0);
}

type Told = keyof RelayReport["spool"];

function findFigures(question: FiguresQuestion): QueueFigures {
  const { now } = question;
  const before = question.told ?? question.said ?? {};
  const messages = (field: "lateMessages" | "overHourMessages" | "overDayMessages", told: number | undefined) =>
    atLeast({ known: sumOf(question.pods, field), unheard: unheardRecipients(question, field), before: told });
  return present({
    queued: queuedRecipients(question, before.queued),
    late: messages("lateMessages", before.late),
    overHour: messages("overHourMessages", before.overHour),
    overDay: messages("overDayMessages", before.overDay),
    captured: capturedMessages(question.pods, before.captured),
    oldestTime: oldest(oldestWaiting(question.pods, now), {
      isHeard: unheardRecipients(question, "lateMessages") === 0,
      before: before.oldestTime,
    }),
    oldestDueTime: oldest(wholeMinute(earliestOf(question.pods, "oldestDueTime")), {
      isHeard: unheardRecipients(question, "queuedRecipients") === 0,
      before: before.oldestDueTime,
    }),
  });
}

/** Of volumes alone it is known, or is not, how many recipients wait in them. */
function queuedRecipients(spools: Spools, before: number | undefined): number | undefined {
  const unheard = unheardRecipients(spools, "queuedRecipients");
  const kept = aloneClaims(spools).reduce((sum, { queued = 0 }) => sum + queued, 0);
  const known = sumOf(spools.pods, "queuedRecipients") + kept;
  return atLeast({ known, unheard: unheard === Infinity ? Infinity : 0, before });
}

/** Nobody waits for it: a pod that does not tell has at most what was told before, and a volume without one is not asked about. */
function capturedMessages(pods: readonly PodFact[], before = 0): number | undefined {
  const known = sumOf(pods, "capturedMessages");
  const isHeard = pods.every(({ report }) => report !== undefined);
  const count = isHeard ? known : Math.max(known, before);
  return count === 0 ? undefined : roundedCount(count);
}

interface Count {
  readonly known: number;
  /** How much there may be beyond that. */
  readonly unheard: number;
  readonly before: number | undefined;
}

function atLeast({ known, unheard, before = 0 }: Count): number | undefined {
  const least = Math.max(known, Math.min(before, known + unheard));
  return least === 0 && unheard > 0 ? undefined : roundedCount(least);
}

interface Hearsay {
  /** All tell. */
  readonly isHeard: boolean;
  readonly before: string | undefined;
}

function oldest(time: string | undefined, { isHeard, before }: Hearsay): string | undefined {
  if (isHeard) return time;
  return [time, before].filter((one) => one !== undefined).sort()[0];
}

/** Recipients that may wait where no pod tells `field`, of releases before it, too; infinitely many where nobody knows. */
export function unheardRecipients(spools: Spools, field: Told): number {
  const { relay, pods, claims } = spools;
  const claimed = new Map(claims.map((claim) => [podNameAt(relay.metadata.name, claim.ordinal), claim]));
  const silent = pods.filter(({ report }) => report?.spool[field] === undefined);
  // One that never had its volume has taken no mail.
  if (silent.some(({ name }) => claimed.get(name)?.isBound !== false)) return Infinity;
  return aloneClaims(spools).reduce((sum, { queued = Infinity }) => sum + queued, 0);
}

/** Volumes without a pod that may hold mail. */
function aloneClaims({ relay, pods, claims }: Spools): readonly ClaimFact[] {
  const names = new Set(pods.map(({ name }) => name));
  return claims.filter(
    ({ ordinal, isBound, emptySpool }) =>
      isBound && emptySpool === undefined && !names.has(podNameAt(relay.metadata.name, ordinal)),
  );
}

function areSame(one: QueueFigures, other: QueueFigures): boolean {
  return (
    one.queued === other.queued &&
    one.late === other.late &&
    one.overHour === other.overHour &&
    one.overDay === other.overDay &&
    one.captured === other.captured &&
    one.oldestTime === other.oldestTime &&
    one.oldestDueTime === other.oldestDueTime
  );
}

/** What is not known is not said. */
function present(figures: QueueFigures): QueueFigures {
  const { queued, late, overHour, overDay, captured, oldestTime, oldestDueTime } = figures;
  return {
    ...(queued === undefined ? {} : { queued }),
    ...(late === undefined ? {} : { late }),
    ...(overHour === undefined ? {} : { overHour }),
    ...(overDay === undefined ? {} : { overDay }),
    ...(captured === undefined ? {} : { captured }),
    ...(oldestTime === undefined ? {} : { oldestTime }),
    ...(oldestDueTime === undefined ? {} : { oldestDueTime }),
  };
}

function sumOf(
  pods: readonly PodFact[],
  field: "queuedRecipients" | "lateMessages" | "overHourMessages" | "overDayMessages" | "capturedMessages",
): number {
  return pods.reduce((sum, pod) => sum + (pod.report?.spool[field] ?? 0), 0);
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
