/** Captured mail in a spool: a list, and each message as it would have left, for a person to look at. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { decodeWords } from "../../../mail/encodedwords.ts";
import { fieldsNamed, fieldValue, parseHeader } from "../../../mail/header.ts";
import { idIn, type Row } from "../../message/row.ts";
import type { CapturedMail, CapturedMessage } from "../../queue.ts";

const addresses = z.array(z.string());
const listed =
  "SELECT seq, id, captured_at, sender, domain, recipients, length(signatures) + header_bytes + 2 + body_bytes AS size, substr(content, 1, header_bytes) AS header FROM captured";

/** The newest first. */
export function readCaptured(database: DatabaseSync, limit: number): readonly CapturedMail[] {
  if (!hasTable(database)) return [];
  return database.prepare(`${listed} ORDER BY seq DESC LIMIT ?`).all(limit).map(capturedOf);
}

/** By the number of its row; undefined when it is not there any more. */
export function readCapturedMessage(
  database: DatabaseSync,
  directory: string,
  row: number,
): CapturedMessage | undefined {
  if (!hasTable(database)) return undefined;
  const mail = database.prepare(`${listed} WHERE seq = ?`).get(row);
  const found = database.prepare("SELECT * FROM captured WHERE seq = ?").get(row);
  if (mail === undefined || found === undefined) return undefined;
  return { mail: capturedOf(mail), octets: octetsOf(found, directory) };
}

function octetsOf(found: Row, directory: string): Buffer {
  const content = octetsIn(found, "content");
  const headerBytes = Number(found["header_bytes"]);
  const body = found["body_file"] === 0 ? content.subarray(headerBytes) : bodyOf(found, directory);
  const signatures = Buffer.from(String(found["signatures"]), "latin1");
  return Buffer.concat([signatures, content.subarray(0, headerBytes), Buffer.from("\r\n"), body]);
}

function bodyOf(row: Row, directory: string): Buffer {
  const path = join(directory, "bodies", idIn(row));
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`cannot read the body of the message: ${String(error)}`, { cause: error });
  }
}

function capturedOf(row: Row): CapturedMail {
  const header = parseHeader(octetsIn(row, "header"));
  const [subject] = header.kind === "header" ? fieldsNamed(header, "subject") : [];
  return {
    row: Number(row["seq"]),
    id: String(row["id"]),
    capturedAt: Number(row["captured_at"]),
    from: String(row["sender"]),
    domain: String(row["domain"]),
    to: addresses.parse(JSON.parse(String(row["recipients"]))),
    sizeBytes: Number(row["size"]),
    subject: header.kind === "header" && subject !== undefined ? decodeWords(fieldValue(header, subject)) : "",
  };
}

function octetsIn(row: Row, column: string): Buffer {
  const value = row[column];
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.alloc(0);
}

/** A spool that no relay of this version has opened has none. */
function hasTable(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'captured'").get() !== undefined;
}
