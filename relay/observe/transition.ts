/**
 * What happens to a message, as values: each is one line of the log and one event of the message's story. Domains, codes and
 * the words of replies without their addresses; never an address, never content. docs/logs.md is this file for people.
 */
import { domainOf } from "../mail/address.ts";
import type { NoticeAction } from "../mail/notice/due.ts";
import type { Message } from "../spool/message/message.ts";
import type { SpoolId } from "../spool/message/id.ts";

interface Line {
  readonly spoolId: SpoolId;
  /** Of the header From: whose keys sign and whose queue it is. */
  readonly domain: string;
  /** Of a sampled trace. */
  readonly traceId: string | undefined;
}

export interface AcceptedLine extends Line {
  /** Absent for a notice, which is the relay's own. */
  readonly listener?: string;
  readonly sizeBytes: number;
  readonly recipients: number;
  /** What the client heard; a notice has no client. */
  readonly code?: number;
  readonly enhanced?: string;
  /** A notice says what it tells, and of which message. */
  readonly notice?: NoticeAction;
  readonly noticeOf?: SpoolId;
}

/** One attempt's outcome for the recipients of one domain with the same outcome. */
export interface OutcomeLine extends Line {
  readonly recipientDomain: string;
  readonly recipients: number;
  readonly code: number;
  readonly enhanced: string | undefined;
  readonly reply: string;
  readonly attempt: number;
  readonly nextHop: string | undefined;
  /** Of a deferral, ISO 8601. */
  readonly dueAt?: string;
  /** Of a failure: the trouble was a passing one, but the time is up. */
  readonly expired?: true;
}

export interface NoticeLine extends Line {
  readonly notice: NoticeAction;
  readonly noticeId: SpoolId;
}

export interface DoubleBounceLine extends Line {
  readonly recipientDomain: string;
  readonly code: number;
  readonly enhanced: string | undefined;
}

/** A message goes from one pod of the relay to another: each of the two has a line. */
export interface HandoffLine extends Line {
  /** The other pod's name. */
  readonly peer: string;
  /** Those whose outcome is open. */
  readonly recipients: number;
}

export type Transition =
  | { readonly kind: "accepted"; readonly line: AcceptedLine }
  | { readonly kind: "delivered" | "captured" | "deferred" | "failed"; readonly line: OutcomeLine }
  | { readonly kind: "bounced" | "notified"; readonly line: NoticeLine }
  | { readonly kind: "double bounce"; readonly line: DoubleBounceLine }
  | { readonly kind: "handed over" | "taken over"; readonly line: HandoffLine };

/** What a story begins with. */
export interface StoryHead {
  readonly spoolId: SpoolId;
  readonly domain: string;
  /** ms since the epoch. */
  readonly acceptedAt: number;
  readonly sizeBytes: number;
  /** Recipients by domain at acceptance, or when it was taken over; absent when this process did neither. */
  readonly destinations?: Readonly<Record<string, number>>;
  /** An index only: it is never told. */
  readonly messageId?: string | undefined;
}

/** For a message that was accepted before this process: what the spool knows of its beginning. */
export function headOf(message: Message): StoryHead {
  const { id, domain, acceptedAt, header, body } = message;
  const sizeBytes = header.length + (body.kind === "inline" ? body.bytes.length : body.sizeBytes);
  return { spoolId: id, domain, acceptedAt, sizeBytes };
}

/** Recipients by domain. */
export function destinationsOf(recipients: Iterable<{ readonly address: string }>): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { address } of recipients) {
    const domain = domainOf(address);
    counts.set(domain, (counts.get(domain) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}
