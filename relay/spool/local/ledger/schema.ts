/**
 * The spool's tables, and how those of another version become today's. Runs in the writer thread.
 *
 * A spool opens with the release before and the one after. So a release adds, and changes nothing: a table, an index, a column
 * that a row may lack. What a spool has is seen in its tables, and what is not there yet is made; a release that does not know it
 * passes over it. `user_version` counts only changes that an older release could not live with: the release that
 * first knows one reads it and goes on writing the number before, the next one writes it.
 */
import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { domainOf } from "../../../mail/address.ts";
import { contentColumns, messageColumns, recipientColumns } from "../../message/row.ts";

/** What this release leaves in `user_version`, and the highest number that it can live with. */
export const versionWritten = 3;
/** 4 was written between two releases, and has nothing that 3 has not. */
export const versionRead = 4;

/** Nothing of a quota is used up any more after this long, whatever was sent: no message has more than an hour's octets. */
const quotaMs = 7 * 86_400_000;

/** The time of what is not to be sent: later than every other. */
export const dueNever = Number.MAX_SAFE_INTEGER;

interface Table {
  readonly columns: readonly string[];
  readonly key?: string;
  /** Without a number of its own for each row. */
  readonly isKeyed?: true;
}

const contentDeclarations = contentColumns.map(
  (column) => `${column} ${column === "content" ? "BLOB" : "INTEGER"} NOT NULL`,
);

/**
 * A recipient that waits stands in a flow: that of its sender domain and its own domain. One that was accepted straight into
 * delivery gets a flow when it is put off; most never are, and cost no place in the indexes of those that wait. `accepted_at` is
 * its message's, beside the flow, so that who waits longest is found there.
 *
 * `offered`: messages whose offer to another pod has no end yet, in a table of their own because a mark in the message's row
 * would rewrite its content. `received`: offers of other pods that were taken, kept beyond the messages themselves.
 *
 * `quota`: what is used up of what a domain, or a tenant's namespace, may send in an hour, as of its newest message.
 *
 * `captured`: copies of messages that were to stay, with the addresses that they were for as a JSON list.
 *
 * `unreadable`: recipients that are set aside because they, or their message, cannot be read; `idx` as it stands there, whatever
 * it is.
 */
const tables: Readonly<Record<string, Table>> = {
  spool: { columns: ["key TEXT PRIMARY KEY", "value TEXT NOT NULL"], isKeyed: true },
  message: {
    columns: [
      "seq INTEGER PRIMARY KEY",
      "id TEXT NOT NULL UNIQUE",
      ...messageColumns.declarations,
      ...contentDeclarations,
    ],
  },
  recipient: {
    columns: [
      "seq INTEGER NOT NULL",
      ...recipientColumns.declarations,
      "sender_domain TEXT",
      "destination TEXT",
      "accepted_at INTEGER",
    ],
    key: "seq, idx",
    isKeyed: true,
  },
  offered: {
    columns: [
      "seq INTEGER PRIMARY KEY",
      "offer TEXT NOT NULL",
      "peer TEXT NOT NULL",
      "host TEXT NOT NULL",
      "port INTEGER NOT NULL",
      "offered_at INTEGER",
    ],
  },
  received: {
    columns: ["id TEXT NOT NULL", "offer TEXT NOT NULL", "received_at INTEGER NOT NULL"],
    key: "id, offer",
    isKeyed: true,
  },
  quota: {
    columns: [
      "key TEXT PRIMARY KEY",
      "messages REAL NOT NULL",
      "recipients REAL NOT NULL",
      "bytes REAL NOT NULL",
      "at INTEGER NOT NULL",
    ],
    isKeyed: true,
  },
  captured: {
    columns: [
      // People name rows, and an open page asks for those after its last: the number of one that went is never another's.
      "seq INTEGER PRIMARY KEY AUTOINCREMENT",
      "id TEXT NOT NULL",
      "captured_at INTEGER NOT NULL",
      "recipients TEXT NOT NULL",
      "signatures TEXT NOT NULL",
      "bytes INTEGER NOT NULL",
      ...messageColumns.declarations,
      ...contentDeclarations,
    ],
  },
  unreadable: {
    columns: ["seq INTEGER NOT NULL", "idx BLOB NOT NULL", "since INTEGER NOT NULL", "reason TEXT NOT NULL"],
    key: "seq, idx",
    isKeyed: true,
  },
};

/** Each keeps the name that it has in spools of before: under another one they would have it twice, and pay twice for each recipient. */
const indexes: Readonly<Record<string, string>> = {
  recipient_due: "recipient (due_at)",
  recipient_lane: "recipient (sender_domain, destination, due_at) WHERE sender_domain IS NOT NULL",
  recipient_age: "recipient (accepted_at, sender_domain) WHERE sender_domain IS NOT NULL",
  recipient_domain_age: "recipient (sender_domain, accepted_at) WHERE sender_domain IS NOT NULL",
  received_at: "received (received_at)",
  captured_id: "captured (id)",
};

/** SQL's name for domainOf() of relay/mail/address. */
export function addMailDomain(database: DatabaseSync): void {
  database.function("mail_domain", { deterministic: true }, (address) => domainOf(String(address)));
}

export function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
}

/** Throws when the spool is from a version that this one cannot live with: what that kept must not be guessed at. */
export function migrate(database: DatabaseSync): void {
  addMailDomain(database);
  const version = versionOf(database);
  if (version > versionRead) {
    throw new Error(`the spool was written by a newer version (schema ${version}): start that version to empty it`);
  }
  if (version === versionWritten && lacking(database).length === 0) return;
  database.exec("BEGIN IMMEDIATE");
  for (const statement of lacking(database)) database.exec(statement);
  database.prepare("INSERT OR IGNORE INTO spool (key, value) VALUES ('id', ?)").run(randomUUID());
  database.exec(`PRAGMA user_version = ${versionWritten}`);
  database.exec("COMMIT");
}

/** Statements that make what is not there. */
function lacking(database: DatabaseSync): readonly string[] {
  const named = database.prepare("SELECT name FROM sqlite_schema").all();
  const names = new Set(named.map(({ name }) => name));
  const statements = Object.entries(tables).flatMap(([name, table]) =>
    names.has(name) ? columnsLacking(database, name, table) : [creation(name, table)],
  );
  const made = Object.entries(indexes).filter(([name]) => !names.has(name));
  return [...statements, ...made.map(([name, on]) => `CREATE INDEX ${name} ON ${on}`)];
}

function creation(name: string, { columns, key, isKeyed }: Table): string {
  const parts = key === undefined ? columns : [...columns, `PRIMARY KEY (${key})`];
  return `CREATE TABLE ${name} (${parts.join(", ")})${isKeyed === true ? " WITHOUT ROWID" : ""}`;
}

function columnsLacking(database: DatabaseSync, name: string, { columns }: Table): readonly string[] {
  const present = new Set(
    database
      .prepare("SELECT name FROM pragma_table_info(?)")
      .all(name)
      .map((row) => row["name"]),
  );
  const absent = columns.filter((column) => !present.has(column.slice(0, column.indexOf(" "))));
  return absent.map((column) => `ALTER TABLE ${name} ADD COLUMN ${column}`);
}

/**
 * A first attempt that never reported back was cut off by the end of the process: it is due at once. Later ones keep
 * their registered time, so that a message that kills the process cannot do so in a loop. Nobody is in delivery now, so that
 * all stand in their flows.
 */
export function resume(database: DatabaseSync, now: number): void {
  database.prepare("DELETE FROM quota WHERE at < ?").run(now - quotaMs);
  database
    .prepare("UPDATE recipient SET due_at = ? WHERE due_at > ? AND attempts = 1 AND last_reply IS NULL")
    .run(now, now);
  // The release before leaves recipients in their flows without the time of their message.
  database.exec(`UPDATE recipient SET ${flowColumns} WHERE sender_domain IS NULL OR accepted_at IS NULL`);
}

/** Puts a recipient into its flow. */
export const flowColumns =
  "(sender_domain, accepted_at) = (SELECT domain, accepted_at FROM message WHERE message.seq = recipient.seq), destination = mail_domain(address)";
