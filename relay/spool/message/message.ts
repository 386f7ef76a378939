/**
 * What the spool keeps of a message. Each field is named here and nowhere else: the tables' columns, what the spool's threads
 * say to each other and what one pod sends another follow from these lists. Pure values: no disk, no clock.
 *
 * A new field is `sometimes` or `trueOrAbsent`: pods and spools of the release before have messages without it, and pass over it.
 *
 * Life of a recipient: due -> attempting (registered before dialing) -> delivered | captured | deferred -> due | failed.
 * A message leaves the spool when its last recipient has a final outcome.
 */
import { z } from "zod";
import type { QuotaState } from "../../limits/quota.ts";
import type { NotifyKeyword } from "../../mail/envelope.ts";
import type { Reply } from "../../mail/reply.ts";
import {
  address,
  always,
  count,
  flag,
  json,
  listOf,
  trueOrAbsent,
  oneOf,
  sometimes,
  text,
  time,
  type ValuesOf,
} from "./field.ts";
import type { SpoolId } from "./id.ts";

const reply: z.ZodType<Reply> = z.object({ code: z.int(), enhanced: z.string().exactOptional(), text: z.string() });
const notifyKeywords: readonly NotifyKeyword[] = ["NEVER", "SUCCESS", "FAILURE", "DELAY"];

/** Written once at acceptance, never changed. */
export const messageFields = {
  /** Milliseconds since the epoch; expiry counts from here. */
  acceptedAt: always("accepted_at", time),
  sender: always("sender", text),
  /** Domain of the header From: the one whose keys sign, and whose queue this is. */
  domain: always("domain", text),
  smtpUtf8: always("smtputf8", flag),
  eightBit: always("eight_bit", flag),
  /** True for mail of domains that have DKIM: it never leaves without a valid signature. */
  mustSign: always("must_sign", flag),
  ret: sometimes("ret", oneOf(["FULL", "HDRS"])),
  envid: sometimes("envid", text),
  /** Base64 SHA-256 of the body in relaxed canonical form (RFC 6376 section 3.4.4). */
  bodyHash: always("body_hash", text),
  /** W3C trace context of the acceptance, when traced. */
  traceparent: sometimes("traceparent", text),
};

/** One recipient and what has happened to it so far. */
export const recipientFields = {
  /** Position in the envelope; stable for the life of the message. */
  index: always("idx", count),
  address: always("address", address),
  notify: sometimes("notify", listOf(notifyKeywords)),
  orcpt: sometimes("orcpt", text),
  /** Attempts registered so far, the one under way included. */
  attempts: always("attempts", count),
  /** Its mail was taken while delivery.mode kept it: it is never sent, whatever the mode is later. */
  stays: trueOrAbsent("stays"),
  /** The reply of the last attempt, when there was one. */
  lastReply: sometimes("last_reply", json(reply)),
  /** The sender was told of the delay: once is enough. */
  delayNotified: trueOrAbsent("delay_notified"),
  /** Trace context of the last attempt, so that the next one links to it. */
  lastAttempt: sometimes("last_attempt", text),
};

export const scheduledFields = {
  ...recipientFields,
  /** Of the next attempt, ms since the epoch. */
  dueAt: always("due_at", time),
};

/** A message but for what it consists of. */
export interface MessageFacts extends ValuesOf<typeof messageFields> {
  readonly id: SpoolId;
}

/** The message without its recipients. */
export interface Message extends MessageFacts {
  /** Header fields with their line ends as they leave, Received included, DKIM-Signature and the empty line not. */
  readonly header: Buffer;
  readonly body: Body;
}

/** Small bodies travel with the message, large ones stay in a file of the spool's and are streamed. */
export type Body =
  { readonly kind: "inline"; readonly bytes: Buffer } | { readonly kind: "file"; readonly sizeBytes: number };

export interface Recipient extends ValuesOf<typeof recipientFields> {}

export interface ScheduledRecipient extends ValuesOf<typeof scheduledFields> {}

/** What is handed to delivery: a message and those of its recipients that are due now. */
export interface Entry {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
}

/** A message with all of its recipients whose outcome is open. */
export interface WholeMessage {
  readonly message: Message;
  readonly recipients: readonly ScheduledRecipient[];
}

/** A message to be made durable. `dueAt` and `attempts` are those of every recipient at the start. */
export interface NewMessage {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  readonly dueAt: number;
  /** Who commits it starts on it at once: the first attempt is registered with it, and it is his claim. */
  readonly claim?: boolean;
  /** What is used up of quotas with it: kept in the same transaction, so that neither is ever without the other. */
  readonly quotas?: readonly QuotaState[];
}
