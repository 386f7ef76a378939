/**
 * Mail on its way to or from another pod of the relay: what is done to the tables for it. Runs in the writer thread, inside
 * transactions that writer.ts opens.
 *
 * An offered message is claimed whole for as long as its mark stands, so that delivery passes it over like what it holds
 * itself. The marks are few: as many as there are transfers under way, and those whose end could not be learned.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { domainOf } from "../../mail/address.ts";
import type { SpoolId } from "../entry.ts";
import type { Mark, OfferName } from "../handoffs.ts";
import type { HandoffOperation, ScheduledRow, StoredMessage, WholeRow } from "../protocol.ts";
import { messageOf, recipientOf, replyText, text } from "./rows.ts";

/** What the ledger keeps in memory, as far as hand-off changes it; each change is undone with its transaction. */
export interface Book {
  isHeld(seq: number): boolean;
  /** Sequence number of a message that is held. */
  heldSeq(id: SpoolId): number | undefined;
  hold(message: StoredMessage, seq: number, recipients: readonly ScheduledRow[]): void;
  /** Lets go of the whole message. */
  letGo(id: SpoolId): void;
  insert(message: StoredMessage): number;
  /** Recipients that came, or went when it is negative. */
  count(sender: string, destination: string, recipients: number): void;
  total(messages: number, recipients: number): void;
}

type Offer = Extract<HandoffOperation, { kind: "offer" }>;
type Receive = Extract<HandoffOperation, { kind: "receive" }>;

/** Rows in one transaction: some milliseconds. */
const forgottenAtOnce = 5_000;

export class Offers {
  readonly #book: Book;
  readonly #dueInOrder: StatementSync;
  readonly #seqOfId: StatementSync;
  readonly #unmarkedSeq: StatementSync;
  readonly #messageBySeq: StatementSync;
  readonly #kindOfMessage: StatementSync;
  readonly #recipients: StatementSync;
  readonly #insertRecipient: StatementSync;
  readonly #mark: StatementSync;
  readonly #unmark: StatementSync;
  readonly #marks: StatementSync;
  readonly #deleteMessage: StatementSync;
  readonly #deleteRecipients: StatementSync;
  readonly #insertReceived: StatementSync;
  readonly #received: StatementSync;
  readonly #forget: StatementSync;

  constructor(database: DatabaseSync, book: Book) {
    this.#book = book;
    this.#dueInOrder = database.prepare("SELECT seq FROM recipient ORDER BY due_at");
    this.#seqOfId = database.prepare("SELECT seq FROM message WHERE id = ?");
    this.#unmarkedSeq = database.prepare(
      "SELECT seq FROM message WHERE id = ? AND NOT EXISTS (SELECT 1 FROM offered WHERE offered.seq = message.seq)",
    );
    this.#messageBySeq = database.prepare("SELECT * FROM message WHERE seq = ?");
    this.#kindOfMessage = database.prepare("SELECT domain, body_file FROM message WHERE seq = ?");
    this.#recipients = database.prepare("SELECT * FROM recipient WHERE seq = ? ORDER BY idx");
    this.#insertRecipient = database.prepare(
      "INSERT INTO recipient (seq, idx, due_at, attempts, address, notify, orcpt, last_reply, last_attempt, delay_notified, sender_domain, destination) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
    );
    this.#mark = database.prepare("INSERT INTO offered (seq, offer, peer, host, port) VALUES (?,?,?,?,?)");
    this.#unmark = database.prepare("DELETE FROM offered WHERE seq = ?");
    this.#marks = database.prepare("SELECT id, offer, peer, host, port, seq FROM offered JOIN message USING (seq)");
    this.#deleteMessage = database.prepare("DELETE FROM message WHERE seq = ?");
    this.#deleteRecipients = database.prepare("DELETE FROM recipient WHERE seq = ?");
    this.#insertReceived = database.prepare("INSERT INTO received (id, offer, received_at) VALUES (?,?,?)");
    this.#received = database.prepare("SELECT 1 FROM received WHERE id = ? AND offer = ?");
    this.#forget = database.prepare(
      "DELETE FROM received WHERE (id, offer) IN (SELECT id, offer FROM received WHERE received_at < ? LIMIT ?)",
    );
    for (const row of this.#marks.all()) this.#hold(Number(row["seq"]));
  }

  offer({ limit, peer, offer, except }: Offer): readonly WholeRow[] {
    const staying = new Set(except.map((id) => Number(this.#seqOfId.get(id)?.["seq"])));
    const found = new Set<number>();
    for (const row of this.#dueInOrder.iterate()) {
      if (found.size >= limit) break;
      const seq = Number(row["seq"]);
      if (!this.#book.isHeld(seq) && !staying.has(seq)) found.add(seq);
    }
    return [...found].map((seq) => {
      this.#mark.run(seq, offer, peer.name, peer.host, peer.port);
      return this.#hold(seq);
    });
  }

  /** Returns when the first of its recipients is due. */
  takeBack(id: SpoolId): number {
    const seq = this.#endOffer(id);
    this.#book.letGo(id);
    return this.#recipients.all(seq).reduce((first, row) => Math.min(first, Number(row["due_at"])), Number.MAX_VALUE);
  }

  /** True when the message has a body file, which may go. */
  remove(id: SpoolId): boolean {
    const seq = this.#endOffer(id);
    const message = this.#kindOfMessage.get(seq);
    const recipients = this.#recipients.all(seq);
    this.#deleteRecipients.run(seq);
    this.#deleteMessage.run(seq);
    for (const row of recipients) this.#book.count(String(message?.["domain"]), domainOf(text(row, "address")), -1);
    this.#book.total(-1, -recipients.length);
    this.#book.letGo(id);
    return message?.["body_file"] === 1;
  }

  marks(): readonly Mark[] {
    return this.#marks.all().map((row) => ({
      // The brand is restored here, where an id comes back from disk.
      id: text(row, "id") as SpoolId,
      offer: text(row, "offer"),
      peer: { name: text(row, "peer"), host: text(row, "host"), port: Number(row["port"]) },
    }));
  }

  offered(id: SpoolId): readonly WholeRow[] {
    const seq = this.#book.heldSeq(id);
    return seq === undefined ? [] : [this.#whole(seq)];
  }

  /** False when it is known. */
  receive({ row, offer, now }: Receive): boolean {
    const { message, recipients } = row;
    if (this.knows({ id: message.id, offer })) return false;
    const seq = this.#book.insert(message);
    for (const recipient of recipients) {
      const destination = domainOf(recipient.address);
      this.#insertRecipient.run(
        seq,
        recipient.index,
        Math.round(recipient.dueAt),
        recipient.attempts,
        recipient.address,
        recipient.notify?.join(",") ?? null,
        recipient.orcpt ?? null,
        recipient.lastReply === undefined ? null : replyText(recipient.lastReply),
        recipient.lastAttempt ?? null,
        Number(recipient.delayNotified === true),
        message.domain,
        destination,
      );
      this.#book.count(message.domain, destination, 1);
    }
    this.#insertReceived.run(message.id, offer, now);
    this.#book.total(1, recipients.length);
    return true;
  }

  /**
   * A message that is itself offered to another pod is not known by its id alone: that pod may have it, and then it goes from here.
   * Who heard that it is here would remove his own, and nobody had it.
   */
  knows({ id, offer }: OfferName): boolean {
    return this.#received.get(id, offer) !== undefined || this.#unmarkedSeq.get(id) !== undefined;
  }

  forgetReceived(before: number): number {
    return Number(this.#forget.run(before, forgottenAtOnce).changes);
  }

  #endOffer(id: SpoolId): number {
    const seq = this.#book.heldSeq(id);
    if (seq === undefined || this.#unmark.run(seq).changes === 0) throw new Error(`spool: ${id} is not offered`);
    return seq;
  }

  #hold(seq: number): WholeRow {
    const whole = this.#whole(seq);
    this.#book.hold(whole.message, seq, whole.recipients);
    return whole;
  }

  #whole(seq: number): WholeRow {
    const stored = this.#messageBySeq.get(seq);
    if (stored === undefined) throw new Error(`spool: recipients of message ${seq} have no message`);
    const recipients = this.#recipients.all(seq).map((row) => ({ ...recipientOf(row), dueAt: Number(row["due_at"]) }));
    return { message: messageOf(stored), recipients };
  }
}
