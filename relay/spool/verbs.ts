/**
 * The spool's verbs, as reception and delivery know them, and what they say. local/store.ts keeps messages on the pod's own
 * volume; another spool answers the same.
 */
import type { Body, Entry, NewMessage } from "./message/message.ts";
import type { SpoolId } from "./message/id.ts";
import type { Reply } from "../mail/reply.ts";
import type { Census, SpoolDepth, Waiting } from "./queue.ts";

/** A body that is being received: memory up to the inline limit, a file beyond it. */
export interface BodyWriter {
  /** Resolves when more may be written; rejects when the disk refuses (the caller answers 452 and calls abort). */
  write(chunk: Buffer): Promise<void>;
  /** Number of bytes so far. */
  readonly sizeBytes: number;
  /** Ends the body; a file is synced, and its directory with it, before this resolves. */
  finish(): Promise<Body>;
  /** Throws the bytes away; safe at any time, more than once. */
  abort(): Promise<void>;
}

/** What was decided of one recipient at the end of an attempt. */
export type Outcome =
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
  | { readonly kind: "failed"; readonly index: number; readonly reply: Reply }
  /** It is to stay: kept aside for people, with the signature fields that it would have left with. */
  | {
      readonly kind: "captured";
      readonly index: number;
      readonly reply: Reply;
      readonly signatures: string;
      /** Octets of the message that are copied, once for all recipients. */
      readonly copiedBytes: number;
    };

/** Not attempted after all, because the destination takes no more now or delivery stands down: the attempt does not count. */
export interface Postponement {
  readonly index: number;
  /** Absent: as it was before the attempt was registered. */
  readonly dueAt?: number;
}

/** Everything an attempt ends in, applied in one transaction; `notices` tell the sender of failure, delay or success. */
export interface Outcomes {
  readonly id: SpoolId;
  readonly outcomes: readonly Outcome[];
  readonly postponed?: readonly Postponement[];
  readonly notices?: readonly NewMessage[];
}

/** Domains whose messages delivery does not take now. */
export interface PassOver {
  readonly senders: readonly string[];
  readonly destinations: readonly string[];
}

/** Which due messages are wanted. */
export interface ClaimQuestion {
  readonly now: number;
  /** Messages. */
  readonly limit: number;
  /** Recipients of all of them; one message may be taken in part. Any number when absent. */
  readonly recipients?: number;
  /** Octets in memory; the message that exceeds it is the last one. Any number when absent. */
  readonly octets?: number;
  /** Sender domains and recipient domains that have their share in delivery: theirs stay, and the others take turns. */
  readonly passOver?: PassOver;
}

export interface LapsedClaims {
  readonly messages: number;
  /** ms since the epoch. */
  readonly dueAt: number | undefined;
}

export interface Spool {
  /** A writer for the body of the message with this id. */
  begin(id: SpoolId): BodyWriter;
  /**
   * Makes a message durable: resolves only after it is synced. Rejects with SpoolFullError when the watermark is passed
   * or the disk is full. With the entry when the message says that it is claimed: its first attempt is registered in the same
   * transaction, and it is not read back.
   */
  commit(message: NewMessage): Promise<Entry | undefined>;
  /** Registers the next attempt of messages with recipients that are due, then returns them. */
  claim(question: ClaimQuestion): Promise<readonly Entry[]>;
  /** The earliest due time after `after` (ms since the epoch) of an unclaimed recipient; undefined when none waits. */
  nextDueAt(after?: number): Promise<number | undefined>;
  /**
   * Applies what an attempt ended in; resolves only after it is synced, with the entries of those notices that are claimed.
   * Rejects at once with ClaimLostError, with OutcomeRefusedError when it is this one that cannot be kept, with SpoolFullError
   * or another error when none can now: whoever has an outcome asks again until it is kept, or the message is sent twice.
   */
  settle(outcomes: Outcomes): Promise<readonly Entry[]>;
  /**
   * Says which messages delivery holds. Claims that it has not named in this round nor in one before come to their end: the time
   * at which the first of them is due, undefined when none did. Rounds are asked one after the other, with growing numbers.
   */
  renew(round: number, held: readonly SpoolId[]): Promise<LapsedClaims>;
  /** Streams the bytes of a body kept as a file. */
  readBody(id: SpoolId): NodeJS.ReadableStream;
  depth(now: number): Promise<SpoolDepth>;
  /** The `limit` longest queues by sender domain and by destination. */
  census(now: number, limit: number): Promise<Census>;
  /** How old what waits is, with the `limit` sender domains that have most messages over five minutes. */
  waiting(now: number, limit: number): Promise<Waiting>;
  /** The same as depth().full, at no cost: asked for every MAIL command. */
  isFull(): boolean;
  /** Waits for what is under way, then releases the spool to the next owner. */
  close(): Promise<void>;
}

/** An outcome that cannot be kept, while others can: what is wrong is in it. */
export class OutcomeRefusedError extends Error {
  override readonly name = "OutcomeRefusedError";
}

/** An outcome of a message that its holder does not hold any more. */
export class ClaimLostError extends Error {
  override readonly name = "ClaimLostError";
}

/** New mail cannot be kept now: the client should come again later (452 4.3.1). */
export class SpoolFullError extends Error {
  override readonly name = "SpoolFullError";
}
