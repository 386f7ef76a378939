/**
 * What the relay's thread and the spool's writer thread say to each other. Only values that can be cloned: byte arrays
 * travel as their own ArrayBuffer, because cloning a view copies the whole buffer behind it.
 */
import type { Peer } from "../../../api/administration.ts";
import type { QuotaState } from "../../limits/quota.ts";
import type { SpoolId } from "../message/id.ts";
import type { Recipient, ScheduledRecipient } from "../message/message.ts";
import type { StoredMessage } from "../message/stored.ts";
import type { OpenOffer } from "../offers.ts";
import type { Census, Waiting } from "../queue.ts";
import type { PassOver, Postponement, Outcome } from "../verbs.ts";
import type { Dropped } from "./captureroom.ts";
import type { Pruned } from "./ledger/captured.ts";
import type { CommittedBodies } from "./recover.ts";

export interface WriterSettings {
  readonly directory: string;
  /** How long to wait for a predecessor to let go of the spool. */
  readonly ownerTimeoutMs: number;
  readonly now: number;
  /** Of DiskFaults; absent in a relay. */
  readonly faults?: SharedArrayBuffer | undefined;
}

/** A message that goes to another pod, or came from one. */
export interface WholeRow {
  readonly message: StoredMessage;
  readonly recipients: readonly ScheduledRecipient[];
}

export interface NewRow {
  readonly message: StoredMessage;
  readonly recipients: readonly Recipient[];
  readonly dueAt: number;
  /** True when delivery starts on it at once: the recipients count as claimed. */
  readonly claimed: boolean;
  readonly quotas: readonly QuotaState[];
}

export type Operation =
  | { readonly kind: "commit"; readonly row: NewRow }
  | {
      readonly kind: "claim";
      readonly now: number;
      readonly limit: number;
      readonly recipients: number;
      readonly octets: number;
      /** Delay to register before dialing, by number of the attempt; the last one repeats. */
      readonly delaysMs: readonly number[];
      readonly passOver?: PassOver | undefined;
    }
  | {
      readonly kind: "settle";
      readonly id: SpoolId;
      readonly now: number;
      readonly outcomes: readonly Outcome[];
      readonly postponed: readonly Postponement[];
      readonly notices: readonly NewRow[];
      /** Octets that captured mail may take. */
      readonly captureRoomBytes: number;
    }
  | { readonly kind: "pruneCaptured"; readonly now: number; readonly roomBytes: number }
  | HandoffOperation
  | { readonly kind: "renew"; readonly round: number; readonly held: readonly SpoolId[] }
  | { readonly kind: "nextDue"; readonly after: number }
  | { readonly kind: "census"; readonly now: number; readonly limit: number }
  | { readonly kind: "waiting"; readonly now: number; readonly limit: number }
  | { readonly kind: "close" };

export type HandoffOperation =
  | {
      readonly kind: "offer";
      readonly now: number;
      readonly limit: number;
      readonly peer: Peer;
      readonly offer: string;
      readonly except: readonly SpoolId[];
    }
  | { readonly kind: "takeBack" | "remove" | "offered"; readonly id: SpoolId }
  | { readonly kind: "openOffers" }
  | {
      readonly kind: "receive";
      readonly row: WholeRow;
      readonly offer: string;
      readonly now: number;
      readonly offeredAt?: number | undefined;
    }
  | { readonly kind: "knows"; readonly id: SpoolId; readonly offer: string }
  | { readonly kind: "forgetReceived"; readonly before: number };

export interface ClaimedRow {
  readonly message: StoredMessage;
  /** As they are registered for the attempt. */
  readonly recipients: readonly Recipient[];
}

export interface SettledResult {
  readonly kind: "settled";
  /** Messages whose body file may go, if they have one: none of their recipients waits, and they are no captured mail. */
  readonly removed: readonly SpoolId[];
  /** Captured mail that went for what was captured now. */
  readonly dropped?: Dropped;
}

export type OperationResult =
  | { readonly kind: "done" }
  | { readonly kind: "claimed"; readonly rows: readonly ClaimedRow[] }
  | { readonly kind: "whole"; readonly rows: readonly WholeRow[] }
  | { readonly kind: "unreadable" }
  | { readonly kind: "openOffers"; readonly offers: readonly OpenOffer[] }
  | { readonly kind: "known"; readonly isKnown: boolean }
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "due"; readonly dueAt: number | undefined }
  | { readonly kind: "census"; readonly census: Census }
  | { readonly kind: "waiting"; readonly waiting: Waiting }
  | SettledResult
  | ({ readonly kind: "pruned" } & Pruned)
  /** `messages` claims came to their end; the first of their recipients is due then. */
  | { readonly kind: "lapsed"; readonly messages: number; readonly dueAt: number | undefined }
  | { readonly kind: "error"; readonly message: string; readonly diskFull: boolean; readonly scope: ErrorScope };

/**
 * Whom an error concerns: the whole `spool` (disk, lock, memory: nobody's writes succeed now), or this `operation` alone; one
 * that writes for a claim that is no more is `unclaimed`.
 */
export type ErrorScope = "spool" | "operation" | "unclaimed";

/** A recipient that is set aside, for the log: no address, no content. */
export interface UnreadableNote {
  /** As it stands in the row. */
  readonly spoolId: string;
  /** Number of the message's row, by which `spool --export` finds it. */
  readonly row: number;
  readonly recipient: number;
  readonly reason: string;
}

/** How much there is, as of the last transaction. */
export interface Gauges {
  readonly queuedMessages: number;
  readonly queuedRecipients: number;
  /** Those of them that are set aside because their rows cannot be read. */
  readonly unreadableRecipients: number;
  /** Kept for people, in no queue. */
  readonly capturedMessages: number;
  /** About what they take, body files included. */
  readonly capturedBytes: number;
  /** Live pages. */
  readonly databaseBytes: number;
  /** Pages of the file that hold nothing. */
  readonly freeBytes: number;
}

export interface BatchRequest {
  readonly operations: readonly Operation[];
}

export interface BatchReply {
  readonly kind: "batch";
  readonly results: readonly OperationResult[];
  readonly gauges: Gauges;
  /** Time of the transaction with its sync, 0 when nothing was written. */
  readonly seconds: number;
  readonly writes: number;
  /** Set aside in this batch. */
  readonly unreadable: readonly UnreadableNote[];
}

export interface OpenedReply {
  readonly kind: "opened";
  readonly spoolId: string;
  readonly gauges: Gauges;
  /** Messages whose body is a file, for recovery. */
  readonly bodies: CommittedBodies;
  readonly quotas: readonly QuotaState[];
  readonly unreadable: readonly UnreadableNote[];
}

/** The writer's part of a checkpoint is over. */
export interface LogEndedReply {
  readonly kind: "logEnded";
  /** Why it failed. */
  readonly error?: string | undefined;
  readonly gauges: Gauges;
}

export interface FailedReply {
  readonly kind: "failed";
  readonly message: string;
  readonly diskFull: boolean;
}

export type WriterReply = BatchReply | OpenedReply | LogEndedReply | FailedReply;
