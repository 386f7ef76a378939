/**
 * What people and panels are told of an attempt: one transition for the recipients with the same outcome, and counts.
 * Domains and replies only, never an address.
 */
import { domainOf } from "../mail/address.ts";
import { remoteReply } from "../mail/hostanswer.ts";
import { withoutAddresses } from "../mail/reply.ts";
import { exemplarOf } from "../../runtime/tracing/exemplar.ts";
import type { Journal } from "../observe/journal.ts";
import { destinationsOf, headOf, type OutcomeLine } from "../observe/transition.ts";
import type { Message } from "../spool/message/message.ts";
import type { Attempted, AttemptedRecipient, Notice } from "./decide.ts";
import { judge } from "./policy/failure.ts";
import type { DeliveryMetrics } from "./metrics.ts";

/** Next hops may talk at length; what people look for is in the beginning. */
const longestReply = 1_000;

export interface RecordFacts extends Attempted {
  readonly message: Message;
  /** ms since the epoch. */
  readonly now: number;
  /** Of a sampled trace. */
  readonly traceId?: string | undefined;
}

export function recordAttempt(facts: RecordFacts, journal: Journal, metrics: DeliveryMetrics): void {
  const { message, recipients, notices, now } = facts;
  for (const { recipient, answer, outcome } of recipients) {
    metrics.attempted({
      outcome: outcome.kind,
      code: outcome.reply.code,
      enhanced: outcome.reply.enhanced,
      isRemote: answer.kind !== "captured" && remoteReply(answer) !== undefined,
      domain: message.domain,
      destination: domainOf(recipient.address),
    });
    if (outcome.kind === "delivered") metrics.delivered((now - message.acceptedAt) / 1000, message.traceparent);
  }
  for (const line of outcomeLines(facts)) journal.write(line, () => headOf(message));
  for (const notice of notices) {
    metrics.notified(notice.action);
    recordNotice(facts, notice, journal);
  }
  for (const { recipient, outcome } of doubleBounces(facts)) {
    metrics.doubleBounced();
    const { code, enhanced } = outcome.reply;
    const line = { ...lineOf(facts), recipientDomain: domainOf(recipient.address), code, enhanced };
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
function doubleBounces({ message, recipients }: RecordFacts): readonly AttemptedRecipient[] {
  return message.sender === "" ? recipients.filter(({ outcome }) => outcome.kind === "failed") : [];
}

function lineOf({ message, traceId }: RecordFacts): Pick<OutcomeLine, "spoolId" | "domain" | "traceId"> {
  return { spoolId: message.id, domain: message.domain, traceId };
}

type OutcomeTransition = { readonly kind: AttemptedRecipient["outcome"]["kind"]; readonly line: OutcomeLine };

/** One for the recipients of a domain with the same outcome. */
function outcomeLines(facts: RecordFacts): readonly OutcomeTransition[] {
  const lines = facts.recipients.map((one) => outcomeLine(facts, one));
  if (lines.length < 2) return lines;
  const groups = Map.groupBy(lines, ({ kind, line }) =>
    JSON.stringify([kind, line.recipientDomain, line.attempt, line.code, line.enhanced, line.reply, line.expired]),
  );
  return [...groups.values()].flatMap(([first, ...others]) =>
    first === undefined ? [] : [{ ...first, line: { ...first.line, recipients: 1 + others.length } }],
  );
}

function outcomeLine(facts: RecordFacts, { recipient, answer, outcome }: AttemptedRecipient): OutcomeTransition {
  const { code, enhanced, text } = outcome.reply;
  const { address, attempts } = recipient;
  const isExpired = outcome.kind === "failed" && answer.kind === "trouble" && judge(answer.trouble).kind === "deferred";
  const line = {
    ...lineOf(facts),
    recipientDomain: domainOf(address),
    recipients: 1,
    code,
    enhanced,
    reply: withoutAddresses(text).slice(0, longestReply),
    attempt: attempts,
    nextHop: answer.host,
    ...(outcome.kind === "deferred" ? { dueAt: new Date(outcome.dueAt).toISOString() } : {}),
    ...(isExpired ? { expired: true as const } : {}),
  };
  return { kind: outcome.kind, line };
}
