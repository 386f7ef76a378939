/**
 * From the fates of an attempt to what the spool is told: outcomes, due times and the notices. Pure.
 */
import type { Snapshot } from "../config/snapshot.ts";
import type { Chance } from "../../runtime/clock.ts";
import { domainOf, parseAddress } from "../mail/address.ts";
import { dueNotice, type Ending, type NoticeAction } from "../mail/notice/due.ts";
import type { ReportedRecipient } from "../mail/notice/facts.ts";
import { expire } from "../mail/outcome.ts";
import { expiresAt, nextAttemptAt } from "../mail/retry.ts";
import type { Message, NewMessage, RecipientOutcome } from "../spool/entry.ts";
import type { Fate } from "./attempt.ts";
import { writeNotice } from "./bounce.ts";

/** An outcome with what the log wants to know besides, and what the sender is told of it. */
export interface Result {
  readonly outcome: RecipientOutcome;
  readonly fate: Fate;
  readonly notice?: NoticeAction;
}

export interface Notice {
  readonly action: NoticeAction;
  readonly entry: NewMessage;
}

export interface Conclusion {
  readonly results: readonly Result[];
  /** One for each action, for all the recipients that met it. */
  readonly notices: readonly Notice[];
}

export interface ConclusionFacts {
  readonly message: Message;
  readonly fates: readonly Fate[];
  readonly snapshot: Snapshot;
  readonly now: number;
  readonly chance: Chance;
}

/** A deferral of a message whose time is up is a failure; everything that the sender wants to know of is in a notice. */
export function concludeAttempt(facts: ConclusionFacts): Conclusion {
  // One draw for all: recipients that were put off together come back in one transaction.
  const draw = facts.chance();
  const results = facts.fates.map((fate) => resultOf(fate, facts, draw));
  return { results, notices: noticesOf(results, facts) };
}

function resultOf(fate: Fate, facts: ConclusionFacts, draw: number): Result {
  const outcome = outcomeOf(fate, facts, draw);
  const { sender, acceptedAt } = facts.message;
  const { notify, delayNotified } = fate.recipient;
  const notice = dueNotice({
    sender,
    ...(notify === undefined ? {} : { notify }),
    ending: endingOf(fate, outcome),
    acceptedAt,
    now: facts.now,
    notifyDelayAfterMs: facts.snapshot.relay.delivery.retry.notifyDelayAfterMs,
    delayNotified: delayNotified === true,
  });
  if (notice === undefined) return { outcome, fate };
  const told = outcome.kind === "deferred" ? { ...outcome, delayNotified: true } : outcome;
  return { outcome: told, fate, notice };
}

function endingOf(fate: Fate, outcome: RecipientOutcome): Ending {
  if (fate.kind === "delivered") return fate.dsn ? "passed on" : "relayed";
  return outcome.kind === "failed" ? "failed" : "deferred";
}

function outcomeOf(fate: Fate, facts: ConclusionFacts, draw: number): RecipientOutcome {
  const { index, attempts } = fate.recipient;
  if (fate.kind === "delivered") return { kind: "delivered", index, reply: fate.reply };
  const { retry } = facts.snapshot.relay.delivery;
  const { acceptedAt } = facts.message;
  const verdict = facts.now >= expiresAt(acceptedAt, retry) ? expire(fate.verdict) : fate.verdict;
  if (verdict.kind === "failed") return { kind: "failed", index, reply: verdict.reply };
  const dueAt = nextAttemptAt({ attempts, acceptedAt, now: facts.now, retry, chance: draw });
  return { kind: "deferred", index, reply: verdict.reply, dueAt };
}

function noticesOf(results: readonly Result[], facts: ConclusionFacts): readonly Notice[] {
  const told = results.filter(({ notice }) => notice !== undefined);
  if (told.length === 0) return [];
  const { message, snapshot, now, chance } = facts;
  const { hostname, delivery } = snapshot.relay;
  const retryUntil = expiresAt(message.acceptedAt, delivery.retry);
  const to = noticeAddress(message.sender, snapshot);
  return [...Map.groupBy(told, ({ notice }) => notice)].flatMap(([action, group]) => {
    if (action === undefined) return [];
    const recipients = group.map(reported);
    return [{ action, entry: writeNotice({ message, action, recipients, hostname, to, retryUntil, now, chance }) }];
  });
}

/** `bounces.to` of the sender's domain takes the place of the sender. */
function noticeAddress(sender: string, snapshot: Snapshot): string {
  const redirect = snapshot.domains.get(domainOf(sender))?.document.bounces?.to;
  return redirect === undefined ? sender : (parseAddress(redirect)?.address ?? redirect);
}

function reported({ fate, outcome }: Result): ReportedRecipient {
  const { address, notify, orcpt } = fate.recipient;
  const recipient = {
    address,
    ...(notify === undefined ? {} : { notify }),
    ...(orcpt === undefined ? {} : { orcpt }),
  };
  if (fate.kind === "delivered") {
    const status = fate.reply.enhanced ?? "2.0.0";
    return { ...recipient, status, cause: status, reply: fate.reply, remoteHost: fate.nextHop };
  }
  // judge() gives every verdict an enhanced code; expire() puts its own in the outcome.
  const cause = fate.verdict.reply.enhanced ?? "4.0.0";
  const status = outcome.reply.enhanced ?? cause;
  if (fate.remote === undefined) return { ...recipient, status, cause, reply: fate.verdict.reply };
  return { ...recipient, status, cause, reply: fate.remote.reply, remoteHost: fate.remote.host };
}
