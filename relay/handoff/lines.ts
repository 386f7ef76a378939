/** What people are told of a message that went from pod to pod: one step at each end. Domains only. */
import { fieldsNamed, fieldValue, parseHeader } from "../mail/header.ts";
import type { Journal } from "../observe/journal.ts";
import { destinationsOf, headOf, type HandoffLine } from "../observe/transition.ts";
import type { WholeMessage } from "../spool/message/message.ts";

export interface HandoffRecord {
  readonly whole: WholeMessage;
  /** The other pod's name. */
  readonly peer: string;
  /** Of a sampled trace. */
  readonly traceId: string | undefined;
}

export function recordGiven(record: HandoffRecord, journal: Journal): void {
  journal.write({ kind: "handed over", line: lineOf(record) }, () => headOf(record.whole.message));
}

/** The story of the message begins here for this pod, so that what it is asked for by is read from the header. */
export function recordTaken(record: HandoffRecord, journal: Journal): void {
  const { message, recipients } = record.whole;
  journal.write({ kind: "taken over", line: lineOf(record) }, () => ({
    ...headOf(message),
    destinations: destinationsOf(recipients),
    messageId: messageIdOf(message.header),
  }));
}

function lineOf({ whole: { message, recipients }, peer, traceId }: HandoffRecord): HandoffLine {
  return { spoolId: message.id, domain: message.domain, traceId, peer, recipients: recipients.length };
}

function messageIdOf(bytes: Buffer): string | undefined {
  const header = parseHeader(bytes);
  if (header.kind === "fault") return undefined;
  const [field] = fieldsNamed(header, "message-id");
  return field === undefined ? undefined : fieldValue(header, field);
}
