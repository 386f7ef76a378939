/**
 * From the fates of an attempt to what the spool is told: outcomes, due times and the notice. Pure.
 */
import type { Snapshot } from "../config/snapshot.ts";
import type { Chance } from "../../runtime/clock.ts";
import { expire } from "../mail/outcome.ts";
import { expiresAt, nextAttemptAt } from "../mail/retry.ts";
import type { Message, NewMessage, RecipientOutcome } from "../spool/entry.ts";
import type { Fate } from "./attempt.ts";
import { writeBounce, type Failure } from "./bounce.ts";

/** An outcome with what the log and the notice want to know besides. */
export interface Result {
  readonly outcome: RecipientOutcome;
  readonly fate: Fate;
}

export interface Conclusion {
  readonly results: readonly Result[];
  readonly notice?: NewMessage;
}

export interface ConclusionFacts {
  readonly message: Message;
  readonly fates: readonly Fate[];
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly chance: Chance;
}

/** A deferral of a message whose time is up is a failure; every failure that somebody wants to know of is in the notice. */
export function concludeAttempt(facts: ConclusionFacts): Conclusion {
  const { message, snapshot, now, chance } = facts;
  const results = facts.fates.map((fate): Result => ({ fate, outcome: outcomeOf(fate, facts) }));
  const failures = results.flatMap(({ outcome, fate }) =>
    outcome.kind === "failed" ? [failureOf(fate, outcome.reply)] : [],
  );
  if (failures.length === 0) return { results };
  const redirect = snapshot.domains.get(message.domain)?.document.bounces?.to;
  const notice = writeBounce({
    message,
    failures,
    hostname: snapshot.relay.hostname,
    ...(redirect === undefined ? {} : { redirect }),
    now,
    chance,
  });
  return notice === undefined ? { results } : { results, notice };
}

function outcomeOf(fate: Fate, facts: ConclusionFacts): RecipientOutcome {
  const { index, attempts } = fate.recipient;
  if (fate.kind === "delivered") return { kind: "delivered", index, reply: fate.reply };
  const { retry } = facts.snapshot.relay.delivery;
  const { acceptedAt } = facts.message;
  const verdict = facts.now >= expiresAt(acceptedAt, retry) ? expire(fate.verdict) : fate.verdict;
  if (verdict.kind === "failed") return { kind: "failed", index, reply: verdict.reply };
  const dueAt = nextAttemptAt({ attempts, acceptedAt, now: facts.now, retry, chance: facts.chance() });
  return { kind: "deferred", index, reply: verdict.reply, dueAt };
}

function failureOf(fate: Fate, reply: Failure["reply"]): Failure {
  const remoteHost = fate.kind === "undelivered" ? fate.remoteHost : undefined;
  return { recipient: fate.recipient, reply, ...(remoteHost === undefined ? {} : { remoteHost }) };
}
