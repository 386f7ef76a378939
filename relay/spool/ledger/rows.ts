/**
 * Rows of the spool's tables as values. A row was written by us in a transaction, so a value that is none of ours means a
 * damaged file, or a row of a version that we do not know: UnreadableRowError says which column, never its value, which may
 * be somebody's address. Who reads rows sets such a one aside (see unreadable.ts) and goes on with the next.
 */
import { z } from "zod";
import type { SQLOutputValue } from "node:sqlite";
import type { Reply } from "../../mail/reply.ts";
import { isSpoolId, type SpoolId } from "../entry.ts";
import type { ScheduledRow, StoredMessage, StoredRecipient } from "../protocol.ts";

export type Row = Record<string, SQLOutputValue>;

export class UnreadableRowError extends Error {
  override readonly name = "UnreadableRowError";
}

/** SQLITE_CORRUPT: the page that the row stands on is damaged. */
const sqliteCorrupt = 11;

const notifyKeywords = z.array(z.enum(["NEVER", "SUCCESS", "FAILURE", "DELAY"]));
const replySchema = z.object({ code: z.int(), enhanced: z.string().exactOptional(), text: z.string() });

export function messageOf(row: Row): StoredMessage {
  const [headerBytes, bodyBytes] = [wholeNumber(row, "header_bytes"), wholeNumber(row, "body_bytes")];
  const bodyFile = flag(row, "body_file");
  const content = bytes(row, "content");
  if (content.length !== headerBytes + (bodyFile ? 0 : bodyBytes)) {
    throw new UnreadableRowError("column content is not as long as header_bytes and body_bytes say");
  }
  return {
    id: idOf(row),
    acceptedAt: wholeNumber(row, "accepted_at"),
    sender: text(row, "sender"),
    domain: text(row, "domain"),
    smtpUtf8: flag(row, "smtputf8"),
    eightBit: flag(row, "eight_bit"),
    mustSign: flag(row, "must_sign"),
    ret: optionalText(row, "ret"),
    envid: optionalText(row, "envid"),
    bodyHash: text(row, "body_hash"),
    traceparent: optionalText(row, "traceparent"),
    headerBytes,
    bodyBytes,
    bodyFile,
    content,
  };
}

export function recipientOf(row: Row): StoredRecipient {
  const notify = optionalText(row, "notify");
  const lastReply = optionalText(row, "last_reply");
  return {
    index: wholeNumber(row, "idx"),
    address: text(row, "address"),
    notify: notify === undefined ? undefined : parsed(notifyKeywords, notify.split(","), "notify"),
    orcpt: optionalText(row, "orcpt"),
    attempts: wholeNumber(row, "attempts"),
    lastReply: lastReply === undefined ? undefined : parsed(replySchema, json(lastReply), "last_reply"),
    delayNotified: flag(row, "delay_notified") ? true : undefined,
    lastAttempt: optionalText(row, "last_attempt"),
  };
}

export function scheduledOf(row: Row): ScheduledRow {
  return { ...recipientOf(row), dueAt: wholeNumber(row, "due_at") };
}

/** The brand is restored here, where an id comes back from disk; it becomes the name of a file. */
export function idOf(row: Row): SpoolId {
  const id = text(row, "id");
  if (!isSpoolId(id)) throw new UnreadableRowError("column id holds no spool id");
  return id;
}

export function columnsOf(message: StoredMessage): (string | number | null | Uint8Array)[] {
  return [
    message.id,
    message.acceptedAt,
    message.sender,
    message.domain,
    Number(message.smtpUtf8),
    Number(message.eightBit),
    Number(message.mustSign),
    message.ret ?? null,
    message.envid ?? null,
    message.bodyHash,
    message.traceparent ?? null,
    message.headerBytes,
    message.bodyBytes,
    Number(message.bodyFile),
    message.content,
  ];
}

export function replyText(reply: Reply): string {
  return JSON.stringify(reply);
}

export type Read<T> =
  { readonly kind: "read"; readonly value: T } | { readonly kind: "unreadable"; readonly reason: string };

/** Rethrows what is not about the row: a disk that cannot be read now may be read later. */
export function readRow<T>(decode: () => T): Read<T> {
  try {
    return { kind: "read", value: decode() };
  } catch (error) {
    if (error instanceof UnreadableRowError) return { kind: "unreadable", reason: error.message };
    if (error instanceof Error && "errcode" in error && (Number(error.errcode) & 0xff) === sqliteCorrupt) {
      return { kind: "unreadable", reason: "the file is damaged where it stands" };
    }
    throw error;
  }
}

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw wrongType(column, value);
  return value;
}

export function optionalText(row: Row, column: string): string | undefined {
  const value = row[column];
  if (value === null || value === undefined) return undefined;
  if (typeof value !== "string") throw wrongType(column, value);
  return value;
}

function bytes(row: Row, column: string): Uint8Array {
  const value = row[column];
  if (!(value instanceof Uint8Array)) throw wrongType(column, value);
  return value;
}

function wholeNumber(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw wrongType(column, value);
  return value;
}

function flag(row: Row, column: string): boolean {
  const value = row[column];
  if (value !== 0 && value !== 1) throw wrongType(column, value);
  return value === 1;
}

function wrongType(column: string, value: unknown): UnreadableRowError {
  return new UnreadableRowError(
    `column ${column} holds a ${value instanceof Uint8Array ? "blob" : typeof value} that does not belong there`,
  );
}

function json(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, column: string): T {
  const result = schema.safeParse(value);
  if (!result.success) throw new UnreadableRowError(`column ${column} holds what this version does not know`);
  return result.data;
}
