/** What is kept beside a captured message, and what the exchanger tells of messages that it did not take. */
import { z } from "zod";

const signatureVerdict = z.object({
  domain: z.string(),
  selector: z.string(),
  algorithm: z.string(),
  /** RFC 8601 section 2.7.1: pass, fail, neutral, temperror, permerror, policy. */
  result: z.string(),
  comment: z.string().optional(),
});

export type SignatureVerdict = Readonly<z.infer<typeof signatureVerdict>>;

/** What a list shows of a message, from its header and parts. */
const messageSummary = z.object({
  subject: z.string(),
  /** Ids in the Received fields, the newest first: those of relays that took the message, among others. */
  receivedIds: z.array(z.string()),
  /** A delivery status notification (RFC 3464). */
  isNotice: z.boolean(),
  /** Of a notice: the subject of the message that it gives back. */
  returnedSubject: z.string().optional(),
  /** Of a notice: the recipients that it is about, and what it says became of them (RFC 3464 section 2.3.3). */
  noticeTo: z.array(z.string()).optional(),
  noticeAction: z.string().optional(),
  /** Undefined when the message was too large to be looked into. */
  attachments: z.int().optional(),
});

export type MessageSummary = Readonly<z.infer<typeof messageSummary>>;

/** No path leads out of the capture directory. */
export const capturedFileName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\.eml$/;

export const capturedMessage = z.object({
  receivedAt: z.string(),
  /** Name of the message file in the capture directory. */
  file: z.string().regex(capturedFileName),
  sizeBytes: z.number(),
  from: z.string(),
  to: z.array(z.string()),
  /** Summary of `signatures`. */
  dkim: z.string(),
  signatures: z.array(signatureVerdict),
  /** Absent in records of earlier versions. */
  summary: messageSummary.optional(),
});

export type CapturedMessage = Readonly<z.infer<typeof capturedMessage>>;

/** A reply of the exchanger that is no 250, or the connection that it cut. */
export const captureAnswer = z.object({
  at: z.string(),
  /** Is in the reply's text, so that the relay's log line can be told to belong to it. */
  id: z.string(),
  from: z.string(),
  to: z.array(z.string()),
  reply: z.string(),
  /** When content had come already. */
  summary: messageSummary.optional(),
});

export type CaptureAnswer = Readonly<z.infer<typeof captureAnswer>>;

/** What waits in a relay's spool, while nobody has taken it. */
export const waitingMessage = z.object({
  spoolId: z.string(),
  at: z.string(),
  from: z.string(),
  to: z.array(z.string()),
  summary: messageSummary,
});

export type WaitingMessage = Readonly<z.infer<typeof waitingMessage>>;

/** The name of the captured file that the exchanger's reply tells. */
export function capturedFile(reply: string | undefined): string | undefined {
  return /captured as (\S+\.eml)/.exec(reply ?? "")?.[1];
}

/** The id of the answer that the exchanger's reply tells. */
export function answerId(reply: string | undefined): string | undefined {
  return /\[answer ([a-z0-9.]+)\]/.exec(reply ?? "")?.[1];
}

/** For people, who have no use for it. */
export function withoutAnswerId(reply: string): string {
  return reply.replace(/ ?\[answer [a-z0-9.]+\]/, "");
}
