/** What a notice is written from, as plain values. Times are milliseconds since the epoch. */
import type { NotifyKeyword } from "../envelope.ts";
import type { Reply } from "../reply.ts";
import type { NoticeAction } from "./due.ts";

export interface ReportedRecipient {
  readonly address: string;
  readonly notify?: readonly NotifyKeyword[];
  /** `addr-type;xtext` as received. */
  readonly orcpt?: string;
  /** RFC 3463 `class.subject.detail`: what the attempt meant for the recipient. */
  readonly status: string;
  /** The status of the trouble itself: that of the last attempt when time ran out, otherwise `status`. */
  readonly cause: string;
  /** The words of `remoteHost` as it said them; without one, what we found ourselves. */
  readonly reply: Reply;
  /** Host that said so; absent when nobody was reached or the decision was ours. */
  readonly remoteHost?: string;
}

export interface OriginalMessage {
  readonly header: Buffer;
  /** Present when the whole message is returned. */
  readonly body?: Buffer;
  /** Header or body hold octets above 127. */
  readonly eightBit: boolean;
  readonly smtpUtf8: boolean;
  /** Why the body is not returned although RET=FULL asked for it. */
  readonly withheld?: "too large" | "unencodable";
}

export interface NoticeFacts {
  readonly action: NoticeAction;
  /** Our own name, as in EHLO. */
  readonly hostname: string;
  readonly from: string;
  readonly to: string;
  /** Id of the notice itself; with the host name it is the Message-ID. */
  readonly id: string;
  /** Id of the message that the notice is about, as in our logs and our Received field. */
  readonly originalId: string;
  readonly now: number;
  readonly acceptedAt: number;
  /** When the message is given up; told in notices of delay. */
  readonly retryUntil: number;
  /** xtext as received. */
  readonly envid?: string;
  /** At least one. */
  readonly recipients: readonly ReportedRecipient[];
  readonly original: OriginalMessage;
  /** No line of the notice's parts may contain it. */
  readonly boundary: string;
}
