/**
 * The queue, as people and metrics see it: how much waits, for whom, since when. SpoolReader looks into a spool without owning it,
 * beside a running relay or where one has stopped, and takes nothing from it.
 */
import type { Reply } from "../mail/reply.ts";

export interface SpoolDepth {
  readonly queuedMessages: number;
  readonly queuedRecipients: number;
  /** Those of them that are set aside because their rows cannot be read: nobody sends them. */
  readonly unreadableRecipients: number;
  /** Kept for people to read, in no queue: nobody sends them. */
  readonly capturedMessages: number;
  /** Earliest due time among the waiting recipients that are due; undefined when none is. */
  readonly oldestDueAt: number | undefined;
  readonly usedBytes: number;
  /** The part of it that is the write-ahead log. */
  readonly logBytes: number;
  /** Past the high watermark, or the filesystem is nearly full: new mail must be refused. */
  readonly full: boolean;
  readonly spoolId: string;
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

/** How long a message may wait, in ms: until it is late, and what people ask about beyond that. */
export const agesMs = { "5m": 300_000, "1h": 3_600_000, "1d": 86_400_000 } as const;

export type Age = keyof typeof agesMs;

export const ages: readonly Age[] = ["5m", "1h", "1d"];

/** Messages that wait and were accepted longer ago than each. */
export type OlderThan = Readonly<Record<Age, number>>;

export interface WaitingLine {
  /** Of the sender. */
  readonly domain: string;
  readonly olderThan: OlderThan;
  /** ms since the epoch. */
  readonly oldestAcceptedAt: number | undefined;
}

/** How long accepted messages have waited: on their way, until their next attempt, for whatever reason. */
export interface Waiting {
  /**
   * Messages of this process, each counted once: in time when it was through within five minutes, late when it was not, from
   * the moment at which it was five minutes old.
   */
  readonly objective: { readonly inTime: number; readonly late: number };
  /** ms since the epoch; undefined when nothing waits. */
  readonly oldestAcceptedAt: number | undefined;
  readonly olderThan: OlderThan;
  /** Sender domains with a message older than five minutes: those with most of them. */
  readonly domains: readonly WaitingLine[];
  /** Messages of all domains that are not listed. */
  readonly others: OlderThan;
}

export interface QueuedMessage {
  /** As it stands there. */
  readonly id: string;
  /** ms since the epoch. */
  readonly acceptedAt: number;
  readonly domain: string;
  readonly sizeBytes: number;
  /** It is from nobody: a notice of this relay's or another's. */
  readonly fromNobody: boolean;
  readonly traceparent: string | undefined;
  /** Those whose outcome is open. */
  readonly recipients: readonly QueuedRecipient[];
  /** Recipients that nobody sends, because their rows or the message's cannot be read. */
  readonly unreadable: number;
}

export interface QueuedRecipient {
  readonly domain: string;
  /** Registered so far, one that is under way included. */
  readonly attempts: number;
  /** ms since the epoch; while an attempt is under way, when the next one would be. */
  readonly dueAt: number;
  readonly lastReply: Reply | undefined;
}

export interface DestinationTotal {
  readonly recipients: number;
  /** Those that wait for nothing but their turn. */
  readonly due: number;
}

export interface SpoolTotals {
  readonly messages: number;
  /** Messages that the tables below cover: the oldest ones. */
  readonly covered: number;
  readonly senders: ReadonlyMap<string, number>;
  readonly destinations: ReadonlyMap<string, DestinationTotal>;
}

export interface TotalBounds {
  readonly messages: number;
  /** Names in a table; the rest share one. */
  readonly domains: number;
}

export interface Search {
  readonly found: readonly QueuedMessage[];
  /** False when the spool holds more than was looked through. */
  readonly complete: boolean;
}

export interface UnreadableRecipient {
  /** Number of the message's row. */
  readonly row: number;
  /** As it stands there; undefined when the message is gone. */
  readonly spoolId: string | undefined;
  readonly recipient: string;
  /** ms since the epoch. */
  readonly since: number;
  readonly reason: string;
}

/** Rows as they are, octets in base64: whatever a damaged row holds is in it. */
export interface ExportedMessage {
  readonly version: 1;
  readonly message: Readonly<Record<string, ExportedValue>> | undefined;
  readonly recipients: readonly Readonly<Record<string, ExportedValue>>[];
  readonly unreadable: readonly UnreadableRecipient[];
}

export type ExportedValue = string | number | null | { readonly base64: string };

/** What delivery.mode kept from leaving. Whose it is and whom it was for is what people look for. */
export interface CapturedMail {
  /** Number of its row. */
  readonly row: number;
  /** The spool id that the client was told. */
  readonly id: string;
  /** ms since the epoch. */
  readonly capturedAt: number;
  /** "" of a notice. */
  readonly from: string;
  readonly domain: string;
  readonly to: readonly string[];
  readonly sizeBytes: number;
  readonly subject: string;
}

export interface CapturedMessage {
  readonly mail: CapturedMail;
  /** As it would have left, signatures included. */
  readonly octets: Buffer;
}

/** Stands for the domains beyond the bound. */
export const otherDomains = "(other)";

/**
 * What it sees is not one moment: a message may leave between two reads. Of addresses only the domains come out of here, but for
 * captured mail, which is there to be looked at.
 */
export interface SpoolReader {
  /** By spool id; undefined when it is not in the spool, or not any more. */
  message(id: string): Promise<QueuedMessage | undefined>;
  /** The oldest messages, at most `limit`. */
  oldest(limit: number): Promise<readonly QueuedMessage[]>;
  /** With its angle brackets, as the field has it. Messages are not indexed by it: a search reads headers, up to a bound. */
  withMessageId(messageId: string): Promise<Search>;
  totals(now: number, bounds: TotalBounds): Promise<SpoolTotals>;
  /** What is set aside, at most `limit` recipients. */
  unreadable(limit: number): Promise<readonly UnreadableRecipient[]>;
  /** The rows of one message as they are; undefined when there is no such message. */
  exported(row: number): Promise<ExportedMessage | undefined>;
  /** At most `limit`, the newest first. */
  captured(limit: number): Promise<readonly CapturedMail[]>;
  /** Undefined when there is no such row, or not any more. */
  capturedMessage(row: number): Promise<CapturedMessage | undefined>;
  close(): Promise<void>;
}
