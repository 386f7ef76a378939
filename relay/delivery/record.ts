/**
 * What people and panels are told of an attempt: one log line for the recipients that met the same fate, and counts.
 * Domains and replies only, never an address. And what the spool keeps of a trace.
 */
import type { Log } from "../../runtime/log.ts";
import { domainOf } from "../mail/address.ts";
import type { DeliverHop } from "../observe/hop.ts";
import type { RelayMetrics } from "../observe/metrics.ts";
import type { NoticeAction } from "../mail/notice/due.ts";
import type { Message, SpoolId } from "../spool/entry.ts";
import type { Conclusion, Notice, Result } from "./settlement.ts";

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

export function recordAttempt(facts: RecordFacts, log: Log, metrics: RelayMetrics): void {
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
  const [first, second] = results;
  const groups = first !== undefined && second === undefined ? [[first]] : Map.groupBy(results, groupKey).values();
  for (const group of groups) writeLine(facts, group, log);
  for (const { action, entry } of notices) {
    metrics.notified(action);
    const fields = { spoolId: message.id, domain: message.domain, notice: action, noticeId: entry.message.id };
    log.info(fields, action === "failed" ? "bounced" : "notified");
  }
  for (const result of doubleBounces(facts)) {
    metrics.doubleBounced();
    logDoubleBounce(message, result, log);
  }
}

/** RFC 5321 section 6.1: what was from nobody ends here, in the log, because there is nobody to tell. */
function doubleBounces({ message, results }: RecordFacts): readonly Result[] {
  return message.sender === "" ? results.filter(({ outcome }) => outcome.kind === "failed") : [];
}

function logDoubleBounce(message: Message, { outcome, fate }: Result, log: Log): void {
  const { code, enhanced } = outcome.reply;
  const recipientDomain = domainOf(fate.recipient.address);
  log.warn({ spoolId: message.id, domain: message.domain, recipientDomain, code, enhanced }, "double bounce");
}

function groupKey({ outcome, fate }: Result): string {
  const { code, enhanced, text } = outcome.reply;
  return JSON.stringify([
    outcome.kind,
    domainOf(fate.recipient.address),
    fate.recipient.attempts,
    code,
    enhanced,
    text,
  ]);
}

function writeLine({ message, traceId }: RecordFacts, group: readonly Result[], log: Log): void {
  const [first] = group;
  if (first === undefined) return;
  const { outcome, fate } = first;
  const fields = {
    spoolId: message.id,
    domain: message.domain,
    recipientDomain: domainOf(fate.recipient.address),
    recipients: group.length,
    code: outcome.reply.code,
    enhanced: outcome.reply.enhanced,
    reply: withoutAddresses(outcome.reply.text),
    attempt: fate.recipient.attempts,
    nextHop: fate.nextHop,
    ...(outcome.kind === "deferred" ? { dueAt: new Date(outcome.dueAt).toISOString() } : {}),
    ...(traceId === undefined ? {} : { traceId }),
  };
  log.info(fields, outcome.kind);
}

/** Next hops like to repeat the address in their reply; the log has domains only. */
function withoutAddresses(text: string): string {
  return text.includes("@") ? text.replace(/[^\s<>"'(),;:]+@(?=[^\s])/g, "*@") : text;
}
