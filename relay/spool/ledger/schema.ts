/** The spool's tables, and how those of an older version become today's. Runs in the writer thread. */
import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { domainOf } from "../../mail/address.ts";

export const schemaVersion = 4;

/** The time of what is not to be sent: later than every other. */
export const dueNever = Number.MAX_SAFE_INTEGER;

const firstSchema = `
CREATE TABLE spool (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE message (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  accepted_at INTEGER NOT NULL,
  sender TEXT NOT NULL,
  domain TEXT NOT NULL,
  smtputf8 INTEGER NOT NULL,
  eight_bit INTEGER NOT NULL,
  must_sign INTEGER NOT NULL,
  ret TEXT,
  envid TEXT,
  body_hash TEXT NOT NULL,
  traceparent TEXT,
  header_bytes INTEGER NOT NULL,
  body_bytes INTEGER NOT NULL,
  body_file INTEGER NOT NULL,
  content BLOB NOT NULL
);
CREATE TABLE recipient (
  seq INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  address TEXT NOT NULL,
  notify TEXT,
  orcpt TEXT,
  last_reply TEXT,
  last_attempt TEXT,
  delay_notified INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (seq, idx)
) WITHOUT ROWID;
CREATE INDEX recipient_due ON recipient (due_at);
`;

/**
 * A recipient that waits stands in a lane: that of its sender domain and its own domain. One that was accepted straight into
 * delivery gets a lane when it is put off; most never are, and cost no place in this index.
 */
const lanes = `
ALTER TABLE recipient ADD COLUMN sender_domain TEXT;
ALTER TABLE recipient ADD COLUMN destination TEXT;
CREATE INDEX recipient_lane ON recipient (sender_domain, destination, due_at) WHERE sender_domain IS NOT NULL;
`;

/**
 * `offered`: messages whose offer to another pod has no end yet, in a table of their own because a mark in the message's row
 * would rewrite its content. `received`: offers of other pods that were taken, kept beyond the messages themselves.
 */
const handoff = `
CREATE TABLE offered (
  seq INTEGER PRIMARY KEY,
  offer TEXT NOT NULL,
  peer TEXT NOT NULL,
  host TEXT NOT NULL,
  port INTEGER NOT NULL
);
CREATE TABLE received (
  id TEXT NOT NULL,
  offer TEXT NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (id, offer)
) WITHOUT ROWID;
CREATE INDEX received_at ON received (received_at);
`;

/** Recipients that are set aside because they, or their message, cannot be read; `idx` as it stands there, whatever it is. */
const unreadable = `
CREATE TABLE unreadable (
  seq INTEGER NOT NULL,
  idx BLOB NOT NULL,
  since INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (seq, idx)
) WITHOUT ROWID;
`;

/** SQL's name for domainOf() of relay/mail/address. */
export function addMailDomain(database: DatabaseSync): void {
  database.function("mail_domain", { deterministic: true }, (address) => domainOf(String(address)));
}

/** Throws when the spool is from a newer version: what that kept must not be guessed at. */
export function migrate(database: DatabaseSync): void {
  addMailDomain(database);
  const row = database.prepare("PRAGMA user_version").get();
  const version = Number(row?.["user_version"] ?? 0);
  if (version === schemaVersion) return;
  if (version > schemaVersion) {
    throw new Error(`the spool was written by a newer version (schema ${version}): start that version to empty it`);
  }
  database.exec("BEGIN IMMEDIATE");
  if (version < 1) {
    database.exec(firstSchema);
    database.prepare("INSERT INTO spool (key, value) VALUES ('id', ?)").run(randomUUID());
  }
  if (version < 2) database.exec(lanes);
  if (version < 3) database.exec(handoff);
  database.exec(unreadable);
  database.exec(`PRAGMA user_version = ${schemaVersion}`);
  database.exec("COMMIT");
}

/**
 * A first attempt that never reported back was cut off by the end of the process: it is due at once. Later ones keep
 * their registered time, so that a message that kills the process cannot do so in a loop. Nobody is in delivery now, so that
 * all stand in their lanes.
 */
export function resume(database: DatabaseSync, now: number): void {
  database
    .prepare("UPDATE recipient SET due_at = ? WHERE due_at > ? AND attempts = 1 AND last_reply IS NULL")
    .run(now, now);
  database.exec(`UPDATE recipient SET ${laneColumns} WHERE sender_domain IS NULL`);
}

/** Puts a recipient into its lane. */
export const laneColumns =
  "sender_domain = (SELECT domain FROM message WHERE message.seq = recipient.seq), destination = mail_domain(address)";
