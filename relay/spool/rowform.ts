/** Messages as they travel to the writer thread and back. Pure. */
import type { Entry, Message, NewMessage, Recipient } from "./entry.ts";
import type { ClaimedRow, NewRow, StoredMessage, StoredRecipient } from "./protocol.ts";

/** The first attempt is part of the acceptance: registered with it, due again at `dueAt` if nothing is heard of it. */
export function registered(message: NewMessage, dueAt: number): NewMessage {
  return {
    message: message.message,
    recipients: message.recipients.map((recipient) => ({ ...recipient, attempts: recipient.attempts + 1 })),
    dueAt,
  };
}

export function newRowOf(entry: NewMessage, claimed: boolean): NewRow {
  return {
    message: storedMessageOf(entry.message),
    recipients: entry.recipients,
    dueAt: Math.round(entry.dueAt),
    claimed,
  };
}

/** Copies header and body into a buffer of their own, which may then be handed to another thread. */
export function storedMessageOf(message: Message): StoredMessage {
  const { body } = message;
  const inline = body.kind === "inline" ? body.bytes : Buffer.alloc(0);
  const content = new Uint8Array(message.header.length + inline.length);
  content.set(message.header, 0);
  content.set(inline, message.header.length);
  return {
    id: message.id,
    acceptedAt: message.acceptedAt,
    sender: message.sender,
    domain: message.domain,
    smtpUtf8: message.smtpUtf8,
    eightBit: message.eightBit,
    mustSign: message.mustSign,
    ret: message.ret,
    envid: message.envid,
    bodyHash: message.bodyHash,
    traceparent: message.traceparent,
    headerBytes: message.header.length,
    bodyBytes: body.kind === "inline" ? body.bytes.length : body.sizeBytes,
    bodyFile: body.kind === "file",
    content,
  };
}

export function entryOf(row: ClaimedRow): Entry {
  return { message: messageOf(row.message), recipients: row.recipients.map(recipientOf) };
}

function messageOf(stored: StoredMessage): Message {
  const content = Buffer.from(stored.content.buffer, stored.content.byteOffset, stored.content.length);
  return {
    id: stored.id,
    acceptedAt: stored.acceptedAt,
    sender: stored.sender,
    smtpUtf8: stored.smtpUtf8,
    eightBit: stored.eightBit,
    ...(stored.ret === "FULL" || stored.ret === "HDRS" ? { ret: stored.ret } : {}),
    ...(stored.envid === undefined ? {} : { envid: stored.envid }),
    domain: stored.domain,
    mustSign: stored.mustSign,
    header: content.subarray(0, stored.headerBytes),
    body: stored.bodyFile
      ? { kind: "file", sizeBytes: stored.bodyBytes }
      : { kind: "inline", bytes: content.subarray(stored.headerBytes) },
    bodyHash: stored.bodyHash,
    ...(stored.traceparent === undefined ? {} : { traceparent: stored.traceparent }),
  };
}

function recipientOf(stored: StoredRecipient): Recipient {
  return {
    index: stored.index,
    address: stored.address,
    ...(stored.notify === undefined ? {} : { notify: stored.notify }),
    ...(stored.orcpt === undefined ? {} : { orcpt: stored.orcpt }),
    attempts: stored.attempts,
    ...(stored.lastReply === undefined ? {} : { lastReply: stored.lastReply }),
    ...(stored.delayNotified === undefined ? {} : { delayNotified: stored.delayNotified }),
    ...(stored.lastAttempt === undefined ? {} : { lastAttempt: stored.lastAttempt }),
  };
}
