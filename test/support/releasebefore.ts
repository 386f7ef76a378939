/**
 * The release before this one, as far as a spool is concerned: its tables and its statements, word for word as that release has
 * them. With it a spool goes back and forth between two releases without the older program.
 *
 * When a release is made, its statements come here and the older ones go.
 */
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { domainOf } from "../../relay/mail/address.ts";
import { recipientFields, type NewMessage } from "../../relay/spool/message/message.ts";
import { storedOf } from "../../relay/spool/message/stored.ts";

const version = 3;

const tables = `
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
ALTER TABLE recipient ADD COLUMN sender_domain TEXT;
ALTER TABLE recipient ADD COLUMN destination TEXT;
CREATE INDEX recipient_lane ON recipient (sender_domain, destination, due_at) WHERE sender_domain IS NOT NULL;
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

const laneColumns =
  "sender_domain = (SELECT domain FROM message WHERE message.seq = recipient.seq), destination = mail_domain(address)";

/** Prepared when it opens a spool: one that SQLite refuses keeps that release from starting. */
const statements = {
  insertMessage:
    "INSERT INTO message (id, accepted_at, sender, domain, smtputf8, eight_bit, must_sign, ret, envid, body_hash, traceparent, header_bytes, body_bytes, body_file, content) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
  insertRecipient:
    "INSERT INTO recipient (seq, idx, due_at, attempts, address, notify, orcpt, sender_domain, destination) VALUES (?,?,?,?,?,?,?,?,?)",
  insertWhole:
    "INSERT INTO recipient (seq, idx, due_at, attempts, address, notify, orcpt, last_reply, last_attempt, delay_notified, sender_domain, destination) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
  deleteMessage: "DELETE FROM message WHERE seq = ?",
  deleteRecipient: "DELETE FROM recipient WHERE seq = ? AND idx = ?",
  deferRecipient: `UPDATE recipient SET due_at = ?, last_reply = ?, last_attempt = ?, delay_notified = max(delay_notified, ?), ${laneColumns} WHERE seq = ? AND idx = ?`,
  postponeRecipient: `UPDATE recipient SET due_at = ?, attempts = max(attempts - 1, 0), ${laneColumns} WHERE seq = ? AND idx = ?`,
  registerAttempt: "UPDATE recipient SET attempts = ?, due_at = ? WHERE seq = ? AND idx = ?",
  anyRecipient: "SELECT 1 FROM recipient WHERE seq = ? LIMIT 1",
  dueInOrder: "SELECT due_at, seq, idx FROM recipient WHERE due_at > ? ORDER BY due_at",
  messageBySeq: "SELECT * FROM message WHERE seq = ?",
  dueRecipients: "SELECT * FROM recipient WHERE seq = ? AND due_at <= ? ORDER BY idx",
  bodyFiles: "SELECT id FROM message WHERE body_file = 1",
  nextLane:
    "SELECT sender_domain, destination FROM recipient WHERE sender_domain IS NOT NULL AND sender_domain = ? AND destination > ? ORDER BY sender_domain, destination LIMIT 1",
  dueInLane:
    "SELECT seq, idx FROM recipient WHERE sender_domain = ? AND destination = ? AND due_at <= ? ORDER BY due_at LIMIT ?",
  mark: "INSERT INTO offered (seq, offer, peer, host, port) VALUES (?,?,?,?,?)",
  marks: "SELECT id, offer, peer, host, port, seq FROM offered JOIN message USING (seq)",
  insertReceived: "INSERT INTO received (id, offer, received_at) VALUES (?,?,?)",
} as const;

/** A row that stops it: all that is due waits with this one. */
export class RejectedRowError extends Error {
  override readonly name = "RejectedRowError";
}

export class ReleaseBefore {
  readonly #database: DatabaseSync;

  /** As at its start. Throws when it refuses the spool. */
  constructor(directory: string, now: number) {
    const database = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
    this.#database = database;
    database.function("mail_domain", { deterministic: true }, (address) => domainOf(String(address)));
    database.exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const found = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (found > version) throw new Error(`the spool was written by a newer version (schema ${found})`);
    if (found === 0) {
      database.exec(tables);
      database.prepare("INSERT INTO spool (key, value) VALUES ('id', ?)").run("00000000-0000-4000-8000-000000000000");
      database.exec(`PRAGMA user_version = ${version}`);
    }
    database
      .prepare("UPDATE recipient SET due_at = ? WHERE due_at > ? AND attempts = 1 AND last_reply IS NULL")
      .run(now, now);
    database.exec(`UPDATE recipient SET ${laneColumns} WHERE sender_domain IS NULL`);
    for (const statement of Object.values(statements)) database.prepare(statement);
  }

  commit({ message, recipients, dueAt }: NewMessage): void {
    const { id, acceptedAt, sender, domain, bodyHash, headerBytes, bodyBytes, content, ...rest } = storedOf(message);
    const flags = [rest.smtpUtf8, rest.eightBit, rest.mustSign].map(Number);
    const optional = [rest.ret ?? null, rest.envid ?? null];
    const envelope = [id, acceptedAt, sender, domain, ...flags, ...optional, bodyHash, rest.traceparent ?? null];
    const octets = [headerBytes, bodyBytes, Number(rest.bodyFile), content];
    const { lastInsertRowid: seq } = this.#database.prepare(statements.insertMessage).run(...envelope, ...octets);
    for (const { index, attempts, address, notify, orcpt } of recipients) {
      const values = [seq, index, dueAt, attempts, address, notify?.join(",") ?? null, orcpt ?? null];
      this.#database.prepare(statements.insertRecipient).run(...values, domain, domainOf(address));
    }
  }

  /** Registers attempts of all that is due and delivers it; the addresses. */
  deliver(now: number): readonly string[] {
    const addresses: string[] = [];
    const due = this.#database.prepare(statements.dueInOrder).all(Number.MIN_SAFE_INTEGER);
    const seqs = due.filter((row) => Number(row["due_at"]) <= now).map((row) => Number(row["seq"]));
    for (const seq of new Set(seqs)) {
      const message = this.#database.prepare(statements.messageBySeq).get(seq);
      if (typeof message?.["id"] !== "string" || !(message["content"] instanceof Uint8Array))
        throw new RejectedRowError();
      for (const row of this.#database.prepare(statements.dueRecipients).all(seq, now)) {
        addresses.push(this.#deliverTo(seq, row, now));
      }
      if (this.#database.prepare(statements.anyRecipient).get(seq) === undefined) {
        this.#database.prepare(statements.deleteMessage).run(seq);
      }
    }
    return addresses;
  }

  #deliverTo(seq: number, row: Readonly<Record<string, unknown>>, now: number): string {
    const { idx, address, notify, last_reply: lastReply } = row;
    if (typeof address !== "string") throw new RejectedRowError();
    try {
      if (typeof notify === "string") recipientFields.notify.read(notify);
      if (typeof lastReply === "string") recipientFields.lastReply.read(lastReply);
    } catch (error) {
      throw new RejectedRowError(String(error), { cause: error });
    }
    this.#database.prepare(statements.registerAttempt).run(Number(row["attempts"]) + 1, now + 60_000, seq, Number(idx));
    this.#database.prepare(statements.deleteRecipient).run(seq, Number(idx));
    return address;
  }

  /** Puts off all that is due, as after a 451. */
  defer(dueAt: number, now: number): void {
    for (const due of this.#database.prepare(statements.dueInOrder).all(Number.MIN_SAFE_INTEGER)) {
      if (Number(due["due_at"]) > now) break;
      const reply = JSON.stringify({ code: 451, text: "later", enhanced: "4.2.0" });
      const place = [Number(due["seq"]), Number(due["idx"])] as const;
      this.#database.prepare(statements.registerAttempt).run(1, dueAt, ...place);
      this.#database.prepare(statements.deferRecipient).run(dueAt, reply, null, 1, ...place);
    }
  }

  close(): void {
    this.#database.close();
  }
}
