/** What the list shows of a story, and how a story stands: derived anew each time, never stored. Pure. */
import { type CaptureAnswer, type MessageSummary, withoutAnswerId } from "../capture/record.ts";
import type { MailEvent } from "../terminal/mailline.ts";
import type { About, Standing, StoryOutline } from "./shapes.ts";
import type { History, Story } from "./story.ts";

export function outlineOf(story: Story, history: History): StoryOutline {
  const events = story.told.map(({ event }) => event);
  const [copy] = story.copies;
  const summary =
    copy?.summary ?? story.answers.find((answer) => answer.summary !== undefined)?.summary ?? story.waiting?.summary;
  const standing = standingOf(story);
  const last = events.findLast(({ msg }) => msg === "deferred" || msg === "failed" || msg === "refused");
  const to = recipientsOf(story, events);
  const accepted = events.filter(({ msg }) => msg === "accepted").map(({ recipients }) => recipients ?? 1);
  return {
    id: story.id,
    at: new Date(story.at).toISOString(),
    subject: summary?.subject ?? returnedSubject(story, history),
    from: senderOf(story, events),
    to,
    recipients: Math.max(to.length, ...accepted),
    standing,
    reply: standing === "delivered" || standing === "captured" || last === undefined ? undefined : replyText(last),
    dueAt: standing === "retrying" ? last?.dueAt : undefined,
    attempts: Math.max(0, ...events.map(({ attempt }) => attempt ?? 0)),
    dkim: copy?.dkim,
    attachments: summary?.attachments ?? 0,
    sizeBytes: copy?.sizeBytes ?? events.find(({ sizeBytes }) => sizeBytes !== undefined)?.sizeBytes,
    isNotice: summary?.isNotice ?? false,
    ...(summary?.isNotice === true ? { about: aboutOf(summary, history.originalOf(story)) } : {}),
  };
}

/** The subject of what was sent, from its own story or from what the notice gives back of it. */
function aboutOf(notice: MessageSummary, original: Story | undefined): About {
  const { noticeTo = [], noticeAction } = notice;
  const known = original?.copies[0]?.summary ?? original?.waiting?.summary;
  const subject = notice.returnedSubject ?? known?.subject;
  return {
    to: noticeTo,
    ...(subject === undefined ? {} : { subject }),
    ...(noticeAction === undefined ? {} : { action: noticeAction }),
  };
}

/** What never arrived is known from the notice that gives it back. */
function returnedSubject(story: Story, history: History): string | undefined {
  const copies = history.noticesOf(story).flatMap((notice) => notice.copies);
  return copies.find((copy) => copy.summary?.returnedSubject !== undefined)?.summary?.returnedSubject;
}

/** `451 4.3.0 words` without the mark that told which answer it was. */
export function replyText({ code, enhanced, reply }: MailEvent): string {
  const words = withoutAnswerId(reply ?? "").replaceAll(/\s+/g, " ");
  const bare = enhanced !== undefined && words.startsWith(`${enhanced} `) ? words.slice(enhanced.length + 1) : words;
  return [code, enhanced, bare].filter((part) => part !== undefined && part !== "").join(" ");
}

/** Every relay on the way counts for itself: the message has arrived when each of them has let go of it. */
function standingOf(story: Story): Standing {
  const events = story.told.map(({ event }) => event);
  if (events.some(({ msg, spoolId }) => msg === "refused" && spoolId === undefined)) return "refused";
  const accounts = [...Map.groupBy(events, ({ spoolId }) => spoolId ?? "").values()].map(accountOf);
  if (accounts.length === 0) return story.copies.length > 0 ? "captured" : "waiting";
  if (accounts.some((account) => account.left > 0))
    return accounts.some((account) => account.left > 0 && account.deferred) ? "retrying" : "waiting";
  if (!accounts.some((account) => account.failed > 0))
    return accounts.some((account) => account.captured > 0) ? "captured" : "delivered";
  return accounts.some(
    (account) => account.delivered + account.captured > 0 && (account.failed > 0 || accounts.length === 1),
  )
    ? "partly bounced"
    : "bounced";
}

interface Account {
  readonly delivered: number;
  readonly failed: number;
  /** Kept in the relay's spool (delivery.mode). */
  readonly captured: number;
  /** None of them yet. */
  readonly left: number;
  readonly deferred: boolean;
}

/** Lines speak of groups of recipients; who they were is not said, so they are counted. */
function accountOf(events: readonly MailEvent[]): Account {
  const count = (msg: MailEvent["msg"]): number =>
    events.filter((event) => event.msg === msg).reduce((sum, event) => sum + (event.recipients ?? 1), 0);
  const [delivered, captured, failed] = [count("delivered"), count("captured"), count("failed")];
  return {
    delivered,
    failed,
    captured,
    left: Math.max(0, count("accepted") - delivered - captured - failed),
    deferred: events.some(({ msg }) => msg === "deferred"),
  };
}

function senderOf(story: Story, events: readonly MailEvent[]): string {
  const envelope: Pick<CaptureAnswer, "from"> | undefined = story.copies[0] ?? story.waiting ?? story.answers[0];
  if (envelope !== undefined) return envelope.from;
  const domain = events.find((event) => event.domain !== undefined)?.domain;
  return domain === undefined ? "?" : `…@${domain}`;
}

/** Addresses where the exchanger has seen them; the relays' logs hold domains only. */
function recipientsOf(story: Story, events: readonly MailEvent[]): readonly string[] {
  const waiting = story.waiting === undefined ? [] : [story.waiting];
  const seen = new Set([...story.copies, ...story.answers, ...waiting].flatMap(({ to }) => to));
  if (seen.size > 0) return [...seen];
  return [
    ...new Set(events.flatMap(({ recipientDomain }) => (recipientDomain === undefined ? [] : `…@${recipientDomain}`))),
  ];
}
