/**
 * What the spool keeps of a message. Pure values: no disk, no clock.
 *
 * Life of a recipient: due -> attempting (registered before dialing) -> delivered | deferred -> due | failed.
 * A message leaves the spool when its last recipient has a final outcome.
 */
import type { NotifyKeyword } from "../mail/envelope.ts";
import type { Reply } from "../mail/reply.ts";

declare const spoolIdBrand: unique symbol;
/** Time-ordered, unique in this spool and, for all practical purposes, everywhere; safe in headers and file names. */
export type SpoolId = string & { readonly [spoolIdBrand]: true };

/** 9 characters of time (ms, base 36) and 12 of chance (hex): sorts by acceptance. */
export function spoolIdOf(acceptedAt: number, chance: Uint8Array): SpoolId {
  const random = Buffer.from(chance.buffer, chance.byteOffset, 6).toString("hex");
  return (acceptedAt.toString(36).padStart(9, "0") + random) as SpoolId;
}

const spoolIdForm = /^[0-9a-z]{9}[0-9a-f]{12}$/;

export function isSpoolId(text: string): text is SpoolId {
  return spoolIdForm.test(text);
}

/** Small bodies travel with the entry, large ones stay in a file of the spool's and are streamed. */
export type Body =
  { readonly kind: "inline"; readonly bytes: Buffer } | { readonly kind: "file"; readonly sizeBytes: number };

/** The message without its recipients: written once at acceptance, never changed. */
export interface Message {
  readonly id: SpoolId;
  /** Milliseconds since the epoch; expiry counts from here. */
  readonly acceptedAt: number;
  readonly sender: string;
  readonly smtpUtf8: boolean;
  readonly eightBit: boolean;
  readonly ret?: "FULL" | "HDRS";
  readonly envid?: string;
  /** Domain of the header From: the one whose keys sign, and whose queue this is. */
  readonly domain: string;
  /** True for mail of domains that have DKIM: it never leaves without a valid signature. */
  readonly mustSign: boolean;
  /** Header fields with their line ends as they leave, Received included, DKIM-Signature and the empty line not. */
  readonly header: Buffer;
  readonly body: Body;
  /** Base64 SHA-256 of the body in relaxed canonical form (RFC 6376 section 3.4.4). */
  readonly bodyHash: string;
  /** W3C trace context of the acceptance, when traced. */
  readonly traceparent?: string;
}

/** One recipient and what has happened to it so far. */
export interface Recipient {
  /** Position in the envelope; stable for the life of the message. */
  readonly index: number;
  readonly address: string;
  readonly notify?: readonly NotifyKeyword[];
  readonly orcpt?: string;
  /** Attempts registered so far, the one under way included. */
  readonly attempts: number;
  /** The reply of the last attempt, when there was one. */
  readonly lastReply?: Reply;
  /** The sender was told of the delay: once is enough. */
  readonly delayNotified?: true;
  /** Trace context of the last attempt, so that the next one links to it. */
  readonly lastAttempt?: string;
}

/** What is handed to delivery: a message and those of its recipients that are due now. */
export interface Entry {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
}

/** What an attempt meant for one recipient. */
export type RecipientOutcome =
  | { readonly kind: "delivered"; readonly index: number; readonly reply: Reply }
  | {
      readonly kind: "deferred";
      readonly index: number;
      readonly reply: Reply;
      readonly dueAt: number;
      readonly delayNotified?: boolean;
      /** Trace context of this attempt. */
      readonly attempt?: string;
    }
  | { readonly kind: "failed"; readonly index: number; readonly reply: Reply };

/** Domains whose messages delivery does not take now. */
export interface PassOver {
  readonly senders: readonly string[];
  readonly destinations: readonly string[];
}

/** Not attempted after all, because the destination takes no more now or delivery stands down: the attempt does not count. */
export interface Postponement {
  readonly index: number;
  /** Absent: as it was before the attempt was registered. */
  readonly dueAt?: number;
}

/** Everything an attempt ends in, applied in one transaction; `notices` tell the sender of failure, delay or success. */
export interface Settlement {
  readonly id: SpoolId;
  readonly outcomes: readonly RecipientOutcome[];
  readonly postponed?: readonly Postponement[];
  readonly notices?: readonly NewMessage[];
}

/** A message to be made durable. `dueAt` and `attempts` are those of every recipient at the start. */
export interface NewMessage {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  readonly dueAt: number;
}
