/**
 * Looks into a spool without owning it: beside a running relay, or where one has stopped. It writes nothing.
 *
 * Promise: every read is short and of a bounded number of rows, so that no checkpoint waits for a reader. What it sees is
 * therefore not one moment: a message may leave between two reads. Of addresses only the domains come out of here, but for captured mail.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { domainOf } from "../../../mail/address.ts";
import { fieldsNamed, fieldValue, parseHeader } from "../../../mail/header.ts";
import { recipientIn, type Row } from "../../message/row.ts";
import {
  otherDomains,
  type CapturedMail,
  type CapturedMessage,
  type DestinationTotal,
  type ExportedMessage,
  type QueuedMessage,
  type QueuedRecipient,
  type Search,
  type SpoolReader,
  type SpoolTotals,
  type TotalBounds,
  type UnreadableRecipient,
} from "../../queue.ts";
import { addMailDomain, dueNever, versionOf, versionRead } from "../ledger/schema.ts";
import { readRow, type Read } from "../readrow.ts";
import { readCaptured, readCapturedMessage } from "./capturedmail.ts";
import { exportMessage, readUnreadable } from "./export.ts";

const rowsAtOnce = 2_000;
/** Message-IDs are not indexed: a search reads headers, newest first, and the content before them in the same pages. */
const searchBytes = 2 * 1024 ** 3;
const searchMatches = 20;
const sqliteCannotOpen = 14;

/** A local part in quotes may hold an @ (RFC 5321 section 4.1.2), and must not come out as a domain. */
const afterFirstAt = "substr(address, instr(address, '@') + 1)";
const recipientDomain = `iif(instr(${afterFirstAt}, '@'), mail_domain(address), lower(${afterFirstAt}))`;

const messageColumns =
  "seq, id, accepted_at, sender = '' AS from_nobody, domain, header_bytes + body_bytes AS size, traceparent";

/** Throws with what is in the way: no spool there, no permission, a newer schema. */
export function openReader(directory: string): SpoolReader {
  return new LocalReader(directory);
}

class LocalReader implements SpoolReader {
  readonly #directory: string;
  readonly #database: DatabaseSync;
  readonly #recipients: StatementSync;

  constructor(directory: string) {
    this.#directory = directory;
    this.#database = openReadOnly(directory);
    const version = versionOf(this.#database);
    if (version === 0) throw new Error(`the spool in ${directory} is empty: no relay has finished opening it`);
    if (version > versionRead) {
      throw new Error(`the spool in ${directory} is of a newer version (schema ${version}): read it with that version`);
    }
    this.#database.exec("PRAGMA cache_size = -8000");
    addMailDomain(this.#database);
    this.#recipients = this.#database.prepare("SELECT * FROM recipient WHERE seq = ? ORDER BY idx");
  }

  async message(id: string): Promise<QueuedMessage | undefined> {
    const row = this.#database.prepare(`SELECT ${messageColumns} FROM message WHERE id = ?`).get(id);
    return row === undefined ? undefined : this.#queued(row)[0];
  }

  async oldest(limit: number): Promise<readonly QueuedMessage[]> {
    const page = this.#database.prepare(`SELECT ${messageColumns} FROM message WHERE seq > ? ORDER BY seq LIMIT ?`);
    const oldest: QueuedMessage[] = [];
    let after = 0;
    for (let left = limit; left > 0;) {
      const rows = page.all(after, Math.min(left, rowsAtOnce));
      if (rows.length === 0) break;
      left -= rows.length;
      after = Number(rows.at(-1)?.["seq"]);
      oldest.push(...rows.flatMap((row) => this.#queued(row)));
    }
    return oldest;
  }

  /** Reads headers until it has looked through `searchBytes`. */
  async withMessageId(messageId: string): Promise<Search> {
    const sizes = this.#database.prepare(
      "SELECT seq, header_bytes + iif(body_file, 0, body_bytes) AS bytes FROM message WHERE seq < ? ORDER BY seq DESC LIMIT ?",
    );
    const matches = this.#database.prepare(
      `SELECT ${messageColumns}, substr(content, 1, header_bytes) AS header FROM message WHERE seq BETWEEN ? AND ? AND instr(substr(content, 1, header_bytes), ?) > 0`,
    );
    const wanted = Buffer.from(messageId, "utf8");
    const found: QueuedMessage[] = [];
    let before = Number.MAX_SAFE_INTEGER;
    for (let bytes = 0; bytes < searchBytes;) {
      const page = sizes.all(before, rowsAtOnce);
      const [last, first] = [page[0], page.at(-1)];
      if (last === undefined || first === undefined) return { found, complete: true };
      before = Number(first["seq"]);
      bytes += page.reduce((sum, row) => sum + Number(row["bytes"]), 0);
      const rows = matches.all(before, Number(last["seq"]), wanted);
      found.push(...rows.filter((row) => hasMessageId(row, messageId)).flatMap((row) => this.#queued(row)));
      if (found.length >= searchMatches) break;
    }
    return { found, complete: false };
  }

  async totals(now: number, bounds: TotalBounds): Promise<SpoolTotals> {
    const messages = Number(this.#database.prepare("SELECT count(*) AS n FROM message").get()?.["n"]);
    const bySender = this.#database.prepare(
      "SELECT count(*) AS n, domain FROM message WHERE seq BETWEEN ? AND ? GROUP BY domain",
    );
    const byDestination = this.#database.prepare(
      `SELECT count(*) AS n, sum(due_at <= ? AND due_at < ${dueNever}) AS due, ${recipientDomain} AS domain FROM recipient WHERE seq BETWEEN ? AND ? GROUP BY 3`,
    );
    const page = this.#database.prepare(
      "SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM (SELECT seq FROM message WHERE seq > ? ORDER BY seq LIMIT ?)",
    );
    const senders = new BoundedTable<number>(bounds.domains);
    const destinations = new BoundedTable<DestinationTotal>(bounds.domains);
    let after = 0;
    let covered = 0;
    while (covered < bounds.messages) {
      const range = page.get(after, Math.min(rowsAtOnce, bounds.messages - covered));
      const [count, first, last] = [Number(range?.["n"] ?? 0), Number(range?.["first"]), Number(range?.["last"])];
      if (count === 0) break;
      covered += count;
      after = last;
      for (const row of bySender.all(first, last)) {
        senders.change(String(row["domain"]), (before = 0) => before + Number(row["n"]));
      }
      for (const row of byDestination.all(now, first, last)) {
        destinations.change(String(row["domain"]), (before = { recipients: 0, due: 0 }) => ({
          recipients: before.recipients + Number(row["n"]),
          due: before.due + Number(row["due"]),
        }));
      }
    }
    return { messages: Math.max(messages, covered), covered, senders: senders.rows, destinations: destinations.rows };
  }

  async unreadable(limit: number): Promise<readonly UnreadableRecipient[]> {
    return readUnreadable(this.#database, limit);
  }

  async exported(row: number): Promise<ExportedMessage | undefined> {
    return exportMessage(this.#database, row);
  }

  async captured(limit: number): Promise<readonly CapturedMail[]> {
    return readCaptured(this.#database, limit);
  }

  async capturedMessage(row: number): Promise<CapturedMessage | undefined> {
    return readCapturedMessage(this.#database, this.#directory, row);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  /** None when its last recipient left after the row was read. */
  #queued(row: Row): QueuedMessage[] {
    const rows = this.#recipients.all(Number(row["seq"])).map(queuedRecipient);
    if (rows.length === 0) return [];
    const recipients = rows.flatMap((read) => (read.kind === "read" ? [read.value] : []));
    const { traceparent } = row;
    return [
      {
        id: String(row["id"]),
        acceptedAt: Number(row["accepted_at"]),
        domain: String(row["domain"]),
        sizeBytes: Number(row["size"]),
        fromNobody: row["from_nobody"] === 1,
        traceparent: typeof traceparent === "string" ? traceparent : undefined,
        recipients,
        unreadable: rows.length - recipients.length,
      },
    ];
  }
}

function queuedRecipient(row: Row): Read<QueuedRecipient> {
  if (row["due_at"] === dueNever) return { kind: "unreadable", reason: "it is set aside" };
  return readRow(() => {
    const { address, attempts, dueAt, lastReply } = recipientIn(row);
    return { domain: domainOf(address), attempts, dueAt, lastReply };
  });
}

/** What was found in the header's octets must be that field, not a reply that names it. */
function hasMessageId(row: Row, messageId: string): boolean {
  const bytes = row["header"];
  const header = bytes instanceof Uint8Array ? parseHeader(Buffer.from(bytes)) : undefined;
  if (header?.kind !== "header") return false;
  return fieldsNamed(header, "message-id").some((field) => fieldValue(header, field) === messageId);
}

function openReadOnly(directory: string): DatabaseSync {
  const path = join(directory, "spool.db");
  if (!existsSync(path)) throw new Error(`there is no spool in ${directory}: name the right one with --directory`);
  try {
    return opened(path);
  } catch (error) {
    const code = error instanceof Error && "errcode" in error ? Number(error.errcode) : 0;
    // A volume that is mounted read-only takes no shared memory file. Nobody can write there, so none is needed.
    if ((code & 0xff) === sqliteCannotOpen && !existsSync(`${path}-wal`))
      return opened(`${pathToFileURL(path).href}?immutable=1`);
    throw new Error(`cannot read the spool in ${directory}: ${String(error)}`, { cause: error });
  }
}

function opened(path: string): DatabaseSync {
  const database = new DatabaseSync(path.startsWith("file:") ? new URL(path) : path, {
    readOnly: true,
    timeout: 5_000,
  });
  // Opening alone reads nothing: this is where a file that cannot be read says so.
  database.prepare("SELECT count(*) FROM sqlite_schema").get();
  return database;
}

/** Counts by domain with a bound on the names. */
class BoundedTable<T> {
  readonly rows = new Map<string, T>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  change(domain: string, next: (before: T | undefined) => T): void {
    const name = this.rows.has(domain) || this.rows.size < this.#limit ? domain : otherDomains;
    this.rows.set(name, next(this.rows.get(name)));
  }
}
