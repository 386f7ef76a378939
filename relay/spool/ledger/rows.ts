/**
 * Rows of the spool's tables as values. A row was written by us in a transaction, so a value of the wrong type
 * means a damaged file: it throws, the claim fails, and the log says which message.
 */
import { z } from "zod";
import type { SQLOutputValue } from "node:sqlite";
import type { Reply } from "../../mail/reply.ts";
import type { SpoolId } from "../entry.ts";
import type { StoredMessage, StoredRecipient } from "../protocol.ts";

export type Row = Record<string, SQLOutputValue>;

const notifyKeyword = z.enum(["NEVER", "SUCCESS", "FAILURE", "DELAY"]);
const replySchema = z.object({ code: z.int(), enhanced: z.string().exactOptional(), text: z.string() });

export function messageOf(row: Row): StoredMessage {
  return {
    // The brand is restored here, where an id comes back from disk.
    id: text(row, "id") as SpoolId,
    acceptedAt: Number(row["accepted_at"]),
    sender: String(row["sender"]),
    domain: String(row["domain"]),
    smtpUtf8: row["smtputf8"] === 1,
    eightBit: row["eight_bit"] === 1,
    mustSign: row["must_sign"] === 1,
    ret: optionalText(row, "ret"),
    envid: optionalText(row, "envid"),
    bodyHash: String(row["body_hash"]),
    traceparent: optionalText(row, "traceparent"),
    headerBytes: Number(row["header_bytes"]),
    bodyBytes: Number(row["body_bytes"]),
    bodyFile: row["body_file"] === 1,
    content: bytes(row, "content"),
  };
}

export function recipientOf(row: Row): StoredRecipient {
  const notify = optionalText(row, "notify");
  const lastReply = optionalText(row, "last_reply");
  return {
    index: Number(row["idx"]),
    address: text(row, "address"),
    notify: notify?.split(",").map((keyword) => notifyKeyword.parse(keyword)),
    orcpt: optionalText(row, "orcpt"),
    attempts: Number(row["attempts"]),
    lastReply: lastReply === undefined ? undefined : replySchema.parse(JSON.parse(lastReply)),
    delayNotified: row["delay_notified"] === 1 ? true : undefined,
    lastAttempt: optionalText(row, "last_attempt"),
  };
}

export function replyText(reply: Reply): string {
  return JSON.stringify(reply);
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new Error(`spool: column ${column} holds ${typeof value}`);
  return value;
}

export function optionalText(row: Row, column: string): string | undefined {
  const value = row[column];
  return typeof value === "string" ? value : undefined;
}

function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw new Error(`spool: column ${column} holds ${typeof value}`);
  return value;
}
