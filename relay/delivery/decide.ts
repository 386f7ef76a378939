/**
 * From the answers of an attempt to what we decide: outcomes with their due times, and the notices that tell the sender. Pure, but
 * for the spans of bounces that it begins where the attempt is traced.
 */
import type { Chance } from "../../runtime/clock.ts";
import type { DeliveryMode } from "../config/mode.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { domainOf, parseAddress } from "../mail/address.ts";
import { remoteReply, type HostAnswer } from "../mail/hostanswer.ts";
import { dueNotice, type Ending, type NoticeAction } from "../mail/notice/due.ts";
import type { ReportedRecipient } from "../mail/notice/facts.ts";
import type { DeliverHop } from "../observe/hop.ts";
import type { Message, NewMessage, Recipient } from "../spool/message/message.ts";
import type { Outcome } from "../spool/verbs.ts";
import type { SpoolId } from "../spool/message/id.ts";
import type { AttemptAnswer } from "./attempt.ts";
import { writeNotice } from "./bounce.ts";
import { expire, judge } from "./policy/failure.ts";
import { expiresAt, nextAttemptAt } from "./policy/retry.ts";

/** A recipient, what a host said of it if one was asked, and what we decided; `notice` is what the sender is told of that. */
export interface AttemptedRecipient {
  readonly recipient: Recipient;
  readonly answer: AttemptAnswer;
  readonly outcome: Outcome;
  readonly notice?: NoticeAction;
}

export interface Notice {
  readonly action: NoticeAction;
  readonly entry: NewMessage;
}

export interface Attempted {
  readonly recipients: readonly AttemptedRecipient[];
  /** One for each action, for all the recipients that met it. */
  readonly notices: readonly Notice[];
}

export interface AttemptFacts {
  readonly message: Message;
  readonly answers: ReadonlyMap<Recipient, AttemptAnswer>;
  readonly snapshot: Snapshot;
  /** Of the newest configuration, which may come after the snapshot: a notice obeys it. */
  readonly mode: DeliveryMode;
  readonly now: number;
  readonly chance: Chance;
  /** The attempt's, when it is traced: the next one links to it, a notice continues its bounce. */
  readonly hop?: Pick<DeliverHop, "context" | "bounce"> | undefined;
}

/** A deferral of a message whose time is up is a failure; everything that the sender wants to know of is in a notice. */
export function decideAttempt(facts: AttemptFacts): Attempted {
  // One draw for all: recipients that were put off together come back in one transaction.
  const draw = facts.chance();
  const isAllTaken = [...facts.answers.values()].every(({ kind }) => kind === "accepted");
  const decision = { ...facts, draw, attempt: isAllTaken ? undefined : facts.hop?.context };
  const recipients = [...facts.answers].map(([recipient, answer]) => decide(recipient, answer, decision));
  const notices = noticesOf(recipients, facts);
  const untold = recipients.filter(({ outcome, notice }) => outcome.kind === "failed" && notice === undefined);
  // A final failure of which nobody is told is a bounce as well.
  if (untold.length > 0) facts.hop?.bounce(bounceOf(untold, undefined));
  return { recipients, notices };
}

interface DecisionFacts extends AttemptFacts {
  readonly draw: number;
  /** Trace context of the attempt, for the next one. */
  readonly attempt: string | undefined;
}

function decide(recipient: Recipient, answer: AttemptAnswer, facts: DecisionFacts): AttemptedRecipient {
  const outcome = outcomeOf(recipient, answer, facts);
  // Neither delivered nor failed, whatever NOTIFY says: there is nothing to tell of mail that nobody was to have.
  if (answer.kind === "captured") return { recipient, answer, outcome };
  const { sender, acceptedAt } = facts.message;
  const { notify, delayNotified } = recipient;
  const notice = dueNotice({
    sender,
    ...(notify === undefined ? {} : { notify }),
    ending: endingOf(answer, outcome),
    acceptedAt,
    now: facts.now,
    notifyDelayAfterMs: facts.snapshot.relay.delivery.retry.notifyDelayAfterMs,
    delayNotified: delayNotified === true,
  });
  if (notice === undefined) return { recipient, answer, outcome };
  const told = outcome.kind === "deferred" ? { ...outcome, delayNotified: true } : outcome;
  return { recipient, answer, outcome: told, notice };
}

function endingOf(answer: HostAnswer, outcome: Outcome): Ending {
  if (answer.kind === "accepted") return answer.dsn ? "passed on" : "relayed";
  return outcome.kind === "failed" ? "failed" : "deferred";
}

function outcomeOf({ index, attempts }: Recipient, answer: AttemptAnswer, facts: DecisionFacts): Outcome {
  if (answer.kind === "accepted") return { kind: "delivered", index, reply: answer.reply };
  if (answer.kind === "captured") {
    const { header, body } = facts.message;
    const copiedBytes = header.length + (body.kind === "inline" ? body.bytes.length : 0);
    return {
      kind: "captured",
      index,
      reply: answer.reply,
      signatures: answer.signatures.toString("latin1"),
      copiedBytes,
    };
  }
  const { message, snapshot, now, draw, attempt } = facts;
  const { retry } = snapshot.relay.delivery;
  const { acceptedAt } = message;
  const { kind, reply } = now >= expiresAt(acceptedAt, retry) ? expire(judge(answer.trouble)) : judge(answer.trouble);
  if (kind === "failed") return { kind, index, reply };
  const dueAt = nextAttemptAt({ attempts, acceptedAt, now, retry, chance: draw });
  return { kind, index, reply, dueAt, ...(attempt === undefined ? {} : { attempt }) };
}

function noticesOf(recipients: readonly AttemptedRecipient[], facts: AttemptFacts): readonly Notice[] {
  const told = recipients.filter(({ notice }) => notice !== undefined);
  if (told.length === 0) return [];
  const { message, snapshot, mode, now, chance, hop } = facts;
  const { hostname, delivery } = snapshot.relay;
  const retryUntil = expiresAt(message.acceptedAt, delivery.retry);
  const to = noticeAddress(message.sender, snapshot);
  const same = { message, hostname, to, mode, retryUntil, now, chance };
  return [...Map.groupBy(told, ({ notice }) => notice)].flatMap(([action, group]) => {
    if (action === undefined) return [];
    const order = { ...same, action, recipients: group.map(reported) };
    const traceOf = hop === undefined ? undefined : (id: SpoolId) => hop.bounce(bounceOf(group, { action, id }));
    return [{ action, entry: writeNotice({ ...order, traceOf }) }];
  });
}

function bounceOf(
  recipients: readonly AttemptedRecipient[],
  notice: { readonly action: NoticeAction; readonly id: SpoolId } | undefined,
): Parameters<DeliverHop["bounce"]>[0] {
  return {
    notice,
    recipients: recipients.map(({ recipient }) => recipient),
    reply: recipients[0]?.outcome.reply,
    failed: notice === undefined || notice.action === "failed",
  };
}

/** `bounces.to` of the sender's domain takes the place of the sender. */
function noticeAddress(sender: string, snapshot: Snapshot): string {
  const redirect = snapshot.domains.get(domainOf(sender))?.document.bounces?.to;
  return redirect === undefined ? sender : (parseAddress(redirect)?.address ?? redirect);
}

function reported({ recipient: { address, notify, orcpt }, answer, outcome }: AttemptedRecipient): ReportedRecipient {
  const recipient = {
    address,
    ...(notify === undefined ? {} : { notify }),
    ...(orcpt === undefined ? {} : { orcpt }),
  };
  const remote = answer.kind === "captured" ? undefined : remoteReply(answer);
  const said = remote === undefined ? {} : { reply: remote.reply, remoteHost: remote.host };
  if (answer.kind !== "trouble") {
    const status = answer.reply.enhanced ?? "2.0.0";
    return { ...recipient, status, cause: status, reply: answer.reply, ...said };
  }
  const { reply } = judge(answer.trouble);
  // judge() gives every reply an enhanced code; expire() puts its own in the outcome.
  const cause = reply.enhanced ?? "4.0.0";
  return { ...recipient, status: outcome.reply.enhanced ?? cause, cause, reply, ...said };
}
