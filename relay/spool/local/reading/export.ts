/** What is set aside in a spool because it cannot be read: a list, and each message as it stands there, for a person to save. */
import type { DatabaseSync } from "node:sqlite";
import type { ColumnValue } from "../../message/field.ts";
import type { Row } from "../../message/row.ts";
import type { ExportedMessage, ExportedValue, UnreadableRecipient } from "../../queue.ts";

const listed =
  "SELECT seq, idx, since, reason, (SELECT id FROM message WHERE message.seq = unreadable.seq) AS id FROM unreadable";

/** The oldest rows, at most `limit`. */
export function readUnreadable(database: DatabaseSync, limit: number): readonly UnreadableRecipient[] {
  if (!hasTable(database)) return [];
  return database.prepare(`${listed} ORDER BY seq, idx LIMIT ?`).all(limit).map(unreadableOf);
}

/** By the number of the message's row; undefined when there is no such message. */
export function exportMessage(database: DatabaseSync, row: number): ExportedMessage | undefined {
  const message = database.prepare("SELECT * FROM message WHERE seq = ?").get(row);
  const recipients = database.prepare("SELECT * FROM recipient WHERE seq = ? ORDER BY idx").all(row);
  if (message === undefined && recipients.length === 0) return undefined;
  const unreadable = hasTable(database) ? database.prepare(`${listed} WHERE seq = ? ORDER BY idx`).all(row) : [];
  return {
    version: 1,
    message: message === undefined ? undefined : exported(message),
    recipients: recipients.map(exported),
    unreadable: unreadable.map(unreadableOf),
  };
}

/** A spool that an older version has left, and no relay of this one has opened, has none. */
function hasTable(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'unreadable'").get() !== undefined;
}

function unreadableOf(row: Row): UnreadableRecipient {
  const { seq, idx, since, reason, id } = row;
  return {
    row: Number(seq),
    spoolId: typeof id === "string" ? id : undefined,
    recipient: idx instanceof Uint8Array ? Buffer.from(idx).toString("hex") : String(idx),
    since: Number(since),
    reason: String(reason),
  };
}

function exported(row: Row): Record<string, ExportedValue> {
  return Object.fromEntries(Object.entries(row).map(([column, value]) => [column, exportedValue(value)]));
}

function exportedValue(value: ColumnValue): ExportedValue {
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString("base64") };
  return typeof value === "bigint" ? value.toString() : value;
}
