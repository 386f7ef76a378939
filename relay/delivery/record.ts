/**
 * What people and panels are told of an attempt: one transition for the recipients that met the same fate, and counts.
 * Domains and replies only, never an address. And what the spool keeps of a trace.
 */
import { domainOf } from "../mail/address.ts";
import { withoutAddresses } from "../mail/reply.ts";
import { exemplarOf } from "../observe/exemplar.ts";
import type { DeliverHop } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { RelayMetrics } from "../observe/metrics.ts";
import { destinationsOf, headOf, type OutcomeLine } from "../observe/transition.ts";
import type { NoticeAction } from "../mail/notice/due.ts";
import type { Message, SpoolId } from "../spool/entry.ts";
import type { Conclusion, Notice, Result } from "./settlement.ts";

/** Next hops may talk at length; what people look for is in the beginning. */
const longestReply = 1_000;

export interface RecordFacts {
  readonly message: Message;
  readonly results: readonly Result[];
  readonly notices: readonly Notice[];
  /** ms since the epoch. */
  readonly now: number;
  /** Of a sampled trace. */
  readonly traceId?: string | undefined;
}

/**
 * Puts the trace into what the spool is about to keep: the next attempt links to this one, a notice continues its bounce.
 * A final failure of which nobody is told is a bounce as well.
 */
export function traceConclusion(conclusion: Conclusion, hop: DeliverHop | undefined): Conclusion {
  if (hop === undefined) return conclusion;
  if (conclusion.results.every(({ outcome }) => outcome.kind === "delivered") && conclusion.notices.length === 0)
    return conclusion;
  const attempt = hop.context;
  const results = conclusion.results.map((result) =>
    result.outcome.kind === "deferred" ? { ...result, outcome: { ...result.outcome, attempt } } : result,
  );
  const notices = conclusion.notices.map((notice) => {
    const { message } = notice.entry;
    const told = results.filter((result) => result.notice === notice.action);
    const traceparent = hop.bounce(bounceOf(told, { action: notice.action, id: message.id }));
    return { ...notice, entry: { ...notice.entry, message: { ...message, traceparent } } };
  });
  const untold = results.filter(({ outcome, notice }) => outcome.kind === "failed" && notice === undefined);
  if (untold.length > 0) hop.bounce(bounceOf(untold, undefined));
  return { results, notices };
}

function bounceOf(
  results: readonly Result[],
  notice: { readonly action: NoticeAction; readonly id: SpoolId } | undefined,
): Parameters<DeliverHop["bounce"]>[0] {
  return {
    notice,
    recipients: results.map(({ fate }) => fate.recipient),
    reply: results[0]?.outcome.reply,
    failed: notice === undefined || notice.action === "failed",
  };
}

export function recordAttempt(facts: RecordFacts, journal: Journal, metrics: RelayMetrics): void {
  const { message, results, notices, now } = facts;
  for (const { outcome, fate } of results) {
    metrics.attempted({
      outcome: outcome.kind,
      code: outcome.reply.code,
      isRemote: fate.kind === "delivered" || fate.remote !== undefined,
      domain: message.domain,
      destination: domainOf(fate.recipient.address),
    });
    if (outcome.kind === "delivered") metrics.delivered((now - message.acceptedAt) / 1000, message.traceparent);
  }
  for (const line of outcomeLines(facts)) journal.write(line, () => headOf(message));
  for (const notice of notices) {
    metrics.notified(notice.action);
    recordNotice(facts, notice, journal);
  }
  for (const { outcome, fate } of doubleBounces(facts)) {
    metrics.doubleBounced();
    const { code, enhanced } = outcome.reply;
    const line = { ...lineOf(facts), recipientDomain: domainOf(fate.recipient.address), code, enhanced };
    journal.write({ kind: "double bounce", line }, () => headOf(message));
  }
}

/** Two messages have a line: the one that is told of, and the notice, which begins its own life here. */
function recordNotice(facts: RecordFacts, { action, entry }: Notice, journal: Journal): void {
  const { message } = facts;
  const head = headOf(entry.message);
  // The notice continues the trace of its bounce, which is another than the attempt's when a failure is final.
  const traceId = exemplarOf(entry.message.traceparent)?.trace_id ?? facts.traceId;
  const noticeId = entry.message.id;
  const told = { ...lineOf(facts), traceId, notice: action, noticeId };
  journal.write({ kind: action === "failed" ? "bounced" : "notified", line: told }, () => headOf(message));
  const { spoolId, domain, sizeBytes } = head;
  const recipients = entry.recipients.length;
  const begun = { spoolId, domain, traceId, sizeBytes, recipients, notice: action, noticeOf: message.id };
  journal.write({ kind: "accepted", line: begun }, () => ({ ...head, destinations: destinationsOf(entry.recipients) }));
}

/** RFC 5321 section 6.1: what was from nobody ends here, in the log, because there is nobody to tell. */
function doubleBounces({ message, results }: RecordFacts): readonly Result[] {
  return message.sender === "" ? results.filter(({ outcome }) => outcome.kind === "failed") : [];
}

function lineOf({ message, traceId }: RecordFacts): Pick<OutcomeLine, "spoolId" | "domain" | "traceId"> {
  return { spoolId: message.id, domain: message.domain, traceId };
}

type OutcomeTransition = { readonly kind: Result["outcome"]["kind"]; readonly line: OutcomeLine };

/** One for the recipients of a domain that met the same fate. */
function outcomeLines(facts: RecordFacts): readonly OutcomeTransition[] {
  const lines = facts.results.map((result) => outcomeLine(facts, result));
  if (lines.length < 2) return lines;
  const groups = Map.groupBy(lines, ({ kind, line }) =>
    JSON.stringify([kind, line.recipientDomain, line.attempt, line.code, line.enhanced, line.reply, line.expired]),
  );
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : [{ ...first, line: { ...first.line, recipients: 1 + others.length } }],
  );
}

function outcomeLine(facts: RecordFacts, { outcome, fate }: Result): OutcomeTransition {
  const { code, enhanced, text } = outcome.reply;
  const { address, attempts } = fate.recipient;
  const isExpired = outcome.kind === "failed" && fate.kind === "undelivered" && fate.verdict.kind === "deferred";
  const line = {
    ...lineOf(facts),
    recipientDomain: domainOf(address),
    recipients: 1,
    code,
    enhanced,
    reply: withoutAddresses(text).slice(0, longestReply),
    attempt: attempts,
    nextHop: fate.nextHop,
    ...(outcome.kind === "deferred" ? { dueAt: new Date(outcome.dueAt).toISOString() } : {}),
    ...(isExpired ? { expired: true as const } : {}),
  };
  return { kind: outcome.kind, line };
}
