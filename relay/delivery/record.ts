/**
 * What people and panels are told of an attempt: one log line for the recipients that met the same fate, and counts.
 * Domains and replies only, never an address.
 */
import type { Log } from "../../runtime/log.ts";
import { domainOf } from "../mail/address.ts";
import type { RelayMetrics } from "../observe/metrics.ts";
import type { Message } from "../spool/entry.ts";
import type { Notice, Result } from "./settlement.ts";

export interface RecordFacts {
  readonly message: Message;
  readonly results: readonly Result[];
  readonly notices: readonly Notice[];
  /** ms since the epoch. */
  readonly now: number;
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
  for (const group of groups) writeLine(message, group, log);
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

function writeLine(message: Message, group: readonly Result[], log: Log): void {
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
  };
  log.info(fields, outcome.kind);
}

/** Next hops like to repeat the address in their reply; the log has domains only. */
function withoutAddresses(text: string): string {
  return text.includes("@") ? text.replace(/[^\s<>"'(),;:]+@(?=[^\s])/g, "*@") : text;
}
