/**
 * The spool's verbs, as submission and delivery know them. The implementation is store.ts.
 */
import type { Entry, NewMessage, PassOver, Settlement, SpoolId } from "./entry.ts";

/** A body that is being received: memory up to the inline limit, a file beyond it. */
export interface BodyWriter {
  /** Resolves when more may be written; rejects when the disk refuses (the caller answers 452 and calls abort). */
  write(chunk: Buffer): Promise<void>;
  /** Number of bytes so far. */
  readonly sizeBytes: number;
  /** Ends the body; a file is synced, and its directory with it, before this resolves. */
  finish(): Promise<Entry["message"]["body"]>;
  /** Throws the bytes away; safe at any time, more than once. */
  abort(): Promise<void>;
}

export interface SpoolDepth {
  readonly queuedMessages: number;
  readonly queuedRecipients: number;
  /** Those of them that are set aside because their rows cannot be read: nobody sends them. */
  readonly unreadableRecipients: number;
  /** Earliest due time among the waiting recipients that are due; undefined when none is. */
  readonly oldestDueAt: number | undefined;
  readonly usedBytes: number;
  /** The part of it that is the write-ahead log. */
  readonly logBytes: number;
  /** Past the high watermark, or the filesystem is nearly full: new mail must be refused. */
  readonly full: boolean;
  readonly spoolId: string;
}

/** Delivery, as the spool knows it: fresh messages go straight to it while it has room, without being read back. */
export interface DeliverySink {
  /** Asked before a message is written; true keeps a place for it until deliver() or cancel(). */
  reserve(message: NewMessage): boolean;
  /** The message is durable and its first attempt registered. */
  deliver(entry: Entry): void;
  /** The message was refused after all. */
  cancel(message: NewMessage): void;
  /** A message is in the spool, or back in it, that was not given to deliver(): the first of its recipients is due then. */
  arrived(dueAt: number): void;
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

export interface Spool {
  /** A writer for the body of the message with this id. */
  begin(id: SpoolId): BodyWriter;
  /**
   * Makes a message durable: resolves only after it is synced. Rejects with SpoolFullError when the watermark is passed
   * or the disk is full. When delivery has room, the first attempt is registered in the same transaction and
   * the sink of deliverTo() gets the entry.
   */
  commit(message: NewMessage): Promise<void>;
  /** Registers the next attempt of messages with recipients that are due, then returns them. */
  claim(question: ClaimQuestion): Promise<readonly Entry[]>;
  /** The earliest due time after `after` (ms since the epoch) of an unclaimed recipient; undefined when none waits. */
  nextDueAt(after?: number): Promise<number | undefined>;
  /**
   * Applies what an attempt ended in; resolves only after it is synced. Rejects at once with ClaimLostError, with
   * SettlementRefusedError when it is this one that cannot be kept, with SpoolFullError or another error when none can now:
   * whoever has an outcome asks again until it is kept, or the message is sent twice.
   */
  settle(settlement: Settlement): Promise<void>;
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
  /** The same as depth().full, at no cost: asked for every MAIL command. */
  isFull(): boolean;
  /** Where fresh messages go. */
  deliverTo(sink: DeliverySink): void;
  /** Waits for what is under way, then releases the spool to the next owner. */
  close(): Promise<void>;
}

export interface CensusLine {
  readonly domain: string;
  /** Whose outcome is open, those in delivery included. */
  readonly recipients: number;
}

interface CensusLines {
  readonly longest: readonly CensusLine[];
  /** Recipients of all domains that are not listed. */
  readonly others: number;
}

/** Who waits, by domain: the longest queues. */
export interface Census {
  readonly senders: CensusLines;
  readonly destinations: CensusLines;
  /** Senders of the recipients that are overdue longest, each with the time its first became due. */
  readonly oldest: readonly { readonly domain: string; readonly dueAt: number }[];
}

export interface LapsedClaims {
  readonly messages: number;
  /** ms since the epoch. */
  readonly dueAt: number | undefined;
}

/** An outcome that cannot be kept, while others can: what is wrong is in it. */
export class SettlementRefusedError extends Error {
  override readonly name = "SettlementRefusedError";
}

/** An outcome of a message that its holder does not hold any more. */
export class ClaimLostError extends Error {
  override readonly name = "ClaimLostError";
}

/** New mail cannot be kept now: the client should come again later (452 4.3.1). */
export class SpoolFullError extends Error {
  override readonly name = "SpoolFullError";
}
