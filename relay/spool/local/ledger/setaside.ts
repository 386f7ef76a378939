/**
 * Rows that cannot be read. They stay where they are, in a table of their own it is written that they are not to be touched, and
 * they stand in nobody's way: their due time is never, and they have no flow. They count as queued, so that nobody takes the
 * spool for empty. Each start tries them again, because another version may know what this one does not.
 *
 * A recipient is set aside alone; one whose message cannot be read, with all others of the message. Runs in the writer thread,
 * inside transactions that writer.ts opens.
 */
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { recipientFields } from "../../message/message.ts";
import { messageIn, recipientIn, type Row } from "../../message/row.ts";
import type { UnreadableNote } from "../protocol.ts";
import { readRow, type Read } from "../readrow.ts";
import type { AgedMessage } from "./ages.ts";
import { dueNever, flowColumns } from "./schema.ts";

/**
 * Stands where a recipient without a last reply has none. The release before makes first attempts without a reply due at its
 * start, and would stumble over this one.
 */
const asideReply = `'${String(recipientFields.lastReply.write({ code: 451, text: "set aside: it cannot be read" }))}'`;

/** What was found of one batch is told in so many lines at most. */
const mostNotes = 20;

export interface UnreadableBook {
  /** Recipients that wait no more, by the names that they were counted under. */
  readonly count: (sender: string, destination: string, recipients: number) => void;
  /** One of its recipients waits no more; `seq` is the number of the message's row. */
  readonly parked: (seq: number, message: AgedMessage) => void;
  readonly undo: (undo: () => void) => void;
}

export class Unreadable {
  readonly #book: UnreadableBook;
  readonly #insert: StatementSync;
  readonly #park: StatementSync;
  readonly #flowsOf: StatementSync;
  readonly #ofMessage: StatementSync;
  readonly #idOf: StatementSync;
  readonly #any: StatementSync;
  #recipients = 0;
  #notes: UnreadableNote[] = [];

  constructor(database: DatabaseSync, now: number, book: UnreadableBook) {
    this.#book = book;
    this.#insert = database.prepare("INSERT OR IGNORE INTO unreadable (seq, idx, since, reason) VALUES (?,?,?,?)");
    this.#park = database.prepare(
      `UPDATE recipient SET due_at = ${dueNever}, last_reply = coalesce(last_reply, ${asideReply}), sender_domain = NULL, destination = NULL WHERE seq = ? AND idx = ?`,
    );
    this.#flowsOf = database.prepare(
      `SELECT coalesce(sender_domain, (SELECT domain FROM message WHERE message.seq = recipient.seq)) AS sender,
         coalesce(destination, mail_domain(address)) AS destination,
         coalesce(accepted_at, (SELECT accepted_at FROM message WHERE message.seq = recipient.seq)) AS accepted_at FROM recipient WHERE seq = ? AND idx = ?`,
    );
    this.#ofMessage = database.prepare("SELECT idx FROM recipient WHERE seq = ? ORDER BY idx");
    this.#idOf = database.prepare("SELECT id FROM message WHERE seq = ?");
    this.#any = database.prepare("SELECT 1 FROM unreadable WHERE seq = ? LIMIT 1");
    this.#reopen(database, now);
  }

  get recipients(): number {
    return this.#recipients;
  }

  has(seq: number): boolean {
    return this.#any.get(seq) !== undefined;
  }

  /** The message and all of its recipients. */
  message(seq: number, reason: string, now: number): void {
    for (const row of this.#ofMessage.all(seq)) this.recipient({ seq, index: row["idx"] ?? null, reason, now });
  }

  recipient({ seq, index, reason, now }: { seq: number; index: SQLOutputValue; reason: string; now: number }): void {
    if (this.#insert.run(seq, index, now, reason).changes === 0) return;
    const flow = this.#flowsOf.get(seq, index);
    this.#park.run(seq, index);
    const sender = flow?.["sender"];
    // Without a sender it was never counted.
    if (typeof sender === "string") {
      this.#book.count(sender, String(flow?.["destination"]), -1);
      const acceptedAt = flow?.["accepted_at"];
      if (typeof acceptedAt === "number") this.#book.parked(seq, { domain: sender, acceptedAt });
    }
    const spoolId = String(this.#idOf.get(seq)?.["id"]);
    this.#recipients += 1;
    this.#notes.push({ spoolId, row: seq, recipient: Number(index), reason });
    this.#book.undo(() => {
      this.#recipients -= 1;
      this.#notes.pop();
    });
  }

  /** What was found since the last time, and how many more. */
  takeNotes(): readonly UnreadableNote[] {
    const notes = this.#notes.slice(0, mostNotes);
    this.#notes = [];
    return notes;
  }

  /** Before flows and counts are read: what is unreadable still is in neither of them after it. */
  #reopen(database: DatabaseSync, now: number): void {
    const known = database.prepare("SELECT seq, idx FROM unreadable").all();
    // In the order of SQLite, text and octets come after every number: no time of ours.
    const untimed = database.prepare("SELECT seq, idx FROM recipient WHERE due_at >= ''").all();
    if (known.length + untimed.length === 0) return;
    const remove = database.prepare("DELETE FROM unreadable WHERE seq = ? AND idx = ?");
    const release = database.prepare(
      `UPDATE recipient SET due_at = ?, last_reply = nullif(last_reply, ${asideReply}), ${flowColumns} WHERE seq = ? AND idx = ?`,
    );
    const message = database.prepare("SELECT * FROM message WHERE seq = ?");
    const recipient = database.prepare("SELECT * FROM recipient WHERE seq = ? AND idx = ?");
    database.exec("BEGIN IMMEDIATE");
    for (const { seq, idx } of [...known, ...untimed]) {
      const [place, index] = [Number(seq), idx ?? null];
      const row = recipient.get(place, index);
      if (row === undefined) remove.run(place, index);
      else if (readable(() => message.get(place), row)) {
        remove.run(place, index);
        release.run(now, place, index);
      } else {
        this.#insert.run(place, index, now, "its time to be sent is unreadable");
        this.#park.run(place, index);
        this.#recipients += 1;
      }
    }
    database.exec("COMMIT");
  }
}

/** As it will be once its time is `now`. */
function readable(message: () => Row | undefined, recipient: Row): boolean {
  const whole: Read<object> = readRow(() => [messageIn(message() ?? {}), recipientIn({ ...recipient, due_at: 0 })]);
  return whole.kind === "read";
}
