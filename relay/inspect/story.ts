/** One message's story as text: what the verb `trace` prints. Pure. */
import type { MessageStory, StoryEventDocument } from "../../api/messagestory.ts";
import { printable } from "../../runtime/terminal.ts";
import { exemplarOf } from "../../runtime/tracing/exemplar.ts";
import type { QueuedMessage } from "../spool/queue.ts";
import { groupByDomain, type DestinationGroup } from "./queue.ts";
import { counted, elapsed, replyWords, until } from "./figures.ts";

/** Of one message, at least one of the two. */
export interface Telling {
  readonly story: MessageStory | undefined;
  readonly queued: QueuedMessage | undefined;
  /** The spool could be read: what is not there has left it. */
  readonly isSpoolKnown: boolean;
  /** ms since the epoch. */
  readonly now: number;
}

export function renderTelling(telling: Telling): string {
  const { story, queued } = telling;
  const lines = story === undefined ? spoolHead(queued) : storyLines(story);
  return [...lines, ...spoolLines(telling)].map((line) => `${printable(line)}\n`).join("");
}

/** Every recipient's outcome is known: what the spool said a moment ago is over. */
export function isSettled({ destinations, events }: MessageStory): boolean {
  if (destinations === undefined) return false;
  const ended = events
    .filter(({ event }) => event === "delivered" || event === "captured" || event === "failed")
    .reduce((sum, { recipients = 0 }) => sum + recipients, 0);
  return ended >= Object.values(destinations).reduce((sum, count) => sum + count, 0);
}

function storyLines(story: MessageStory): readonly string[] {
  const { spoolId, domain, acceptedAt, sizeBytes, destinations, events, forgotten } = story;
  const accepted = events.find(({ event }) => event === "accepted");
  const rest = events.filter((event) => event !== accepted);
  const taken = events.find(({ event }) => event === "taken over");
  const traceId = accepted?.traceId ?? taken?.traceId;
  const shown = rest.map((event) => eventLine(event, { acceptedAt: Date.parse(acceptedAt), traceId }));
  const half = forgotten > 0 ? [`  ${counted(forgotten, "event")} in between not remembered`] : [];
  const cut = forgotten > 0 ? Math.ceil(shown.length / 2) : shown.length;
  return [
    `${spoolId} from ${domain}: ${headWords({ sizeBytes, destinations })}`,
    `  accepted ${acceptedAt} ${accepted === undefined ? earlyWords(taken) : acceptanceWords(accepted)}`,
    ...shown.slice(0, cut),
    ...half,
    ...shown.slice(cut),
  ];
}

function headWords({ sizeBytes, destinations }: Size): string {
  const octets = counted(sizeBytes, "octet");
  if (destinations === undefined) return octets;
  const all = Object.entries(destinations);
  const total = all.reduce((sum, [, count]) => sum + count, 0);
  const named = all.slice(0, mostDomains).map(([domain, count]) => `${count} at ${domain}`);
  const others = all.length - named.length;
  return `${octets}, ${counted(total, "recipient")} (${[...named, ...(others > 0 ? [counted(others, "other domain")] : [])].join(", ")})`;
}

const mostDomains = 20;

interface Size {
  readonly sizeBytes: number;
  readonly destinations?: MessageStory["destinations"] | undefined;
}

/** Of a message that this process did not accept. */
function earlyWords(taken: StoryEventDocument | undefined): string {
  if (taken?.peer === undefined) {
    return "(the relay that tells this started later, so what came before its start is not in it)";
  }
  const from = printable(taken.peer);
  const trace = taken.traceId === undefined ? "" : `, trace ${taken.traceId}`;
  return `(by another pod: ${from} handed it over, so what came before is in that pod's log)${trace}`;
}

function acceptanceWords(event: StoryEventDocument): string {
  const trace = event.traceId === undefined ? "" : `, trace ${event.traceId}`;
  if (event.noticeOf !== undefined) return `as the notice (${event.notice ?? "?"}) of ${event.noticeOf}${trace}`;
  const reply = [event.code, event.enhanced].filter((part) => part !== undefined).join(" ");
  return `by listener ${event.listener ?? "?"}: ${reply}${trace}`;
}

interface Beginning {
  /** ms since the epoch. */
  readonly acceptedAt: number;
  readonly traceId: string | undefined;
}

function eventLine(event: StoryEventDocument, { acceptedAt, traceId }: Beginning): string {
  const after = `+${elapsed(Date.parse(event.at) - acceptedAt)}`.padStart(12);
  // The trace of the acceptance is said once; later attempts have traces of their own.
  const trace = event.traceId === undefined || event.traceId === traceId ? "" : `; trace ${event.traceId}`;
  return printable(`${after}  ${event.event.padEnd(9)}  ${eventWords(event)}${trace}`);
}

function eventWords(event: StoryEventDocument): string {
  if (event.noticeId !== undefined) return `the sender is told (${event.notice ?? "?"}) by notice ${event.noticeId}`;
  const reply = [event.code, event.enhanced, event.reply].filter((part) => part !== undefined).join(" ");
  if (event.peer !== undefined) {
    const direction = event.event === "handed over" ? "to" : "from";
    return `${counted(event.recipients ?? 1, "recipient")} ${direction} ${event.peer}`;
  }
  if (event.event === "double bounce")
    return `at ${event.recipientDomain ?? "?"}: ${reply}; it is from nobody, so nobody is told`;
  if (event.recipientDomain === undefined) return reply;
  const attempt = event.attempt === undefined ? "" : `, attempt ${event.attempt}`;
  const by = event.nextHop === undefined ? "" : `, next hop ${event.nextHop}`;
  const due = event.dueAt === undefined ? "" : `; next attempt ${event.dueAt}`;
  const expired = event.expired === true ? "; its time is up" : "";
  return `${counted(event.recipients ?? 1, "recipient")} at ${event.recipientDomain}${attempt}${by}: ${reply}${due}${expired}`;
}

function spoolHead(queued: QueuedMessage | undefined): readonly string[] {
  if (queued === undefined) return [];
  const { id, domain, acceptedAt, sizeBytes, fromNobody, traceparent } = queued;
  const traceId = exemplarOf(traceparent)?.trace_id;
  return [
    `${id} from ${domain}: ${headWords({ sizeBytes })}${fromNobody ? ", a notice" : ""}`,
    `  accepted ${Number.isFinite(acceptedAt) ? new Date(acceptedAt).toISOString() : "?"}${traceId === undefined ? "" : `, trace ${traceId}`}`,
  ];
}

function spoolLines({ story, queued, isSpoolKnown, now }: Telling): readonly string[] {
  if (queued === undefined || (story !== undefined && isSettled(story))) {
    return isSpoolKnown ? ["  nothing of it is left in the spool"] : [];
  }
  const { recipients, unreadable } = queued;
  const groups = groupByDomain(recipients).map((group) => `  in the spool: ${groupWords(group, story, now)}`);
  if (unreadable === 0) return groups;
  return [...groups, `  in the spool: ${counted(unreadable, "recipient")} set aside, see spool --unreadable`];
}

function groupWords(group: DestinationGroup, story: MessageStory | undefined, now: number): string {
  const { domain, recipients, attempts, dueAt, lastReply } = group;
  const who = `${counted(recipients, "recipient")} at ${domain}`;
  const last = lastReply === undefined ? "" : `; last reply ${replyWords(lastReply)}`;
  // An attempt is registered before it begins: one that the relay has not told the end of is under way.
  if (story !== undefined && attempts > lastAttempt(story, domain) && !isUntoldElsewhere(story, domain))
    return `${who}, attempt ${attempts} under way${last}`;
  return `${who}, ${counted(attempts, "attempt")}, next ${new Date(dueAt).toISOString()} (${until(dueAt, now)})${last}`;
}

/** Attempts of the pod that had the message before are in that pod's log. */
function isUntoldElsewhere(story: MessageStory, domain: string): boolean {
  return lastAttempt(story, domain) === 0 && story.events.some(({ event }) => event === "taken over");
}

function lastAttempt({ events }: MessageStory, domain: string): number {
  const attempts = events.filter(({ recipientDomain }) => recipientDomain === domain).map(({ attempt = 0 }) => attempt);
  return Math.max(0, ...attempts);
}
