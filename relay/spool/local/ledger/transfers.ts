/**
 * Mail on its way to or from another pod of the relay: what is done to the tables for it. Runs in the writer thread, inside
 * transactions that writer.ts opens.
 *
 * An offered message is claimed whole until its offer has ended, so that delivery passes it over like what it holds
 * itself. Open offers are few: as many as there are transfers under way, and those whose end could not be learned.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { domainOf } from "../../../mail/address.ts";
import type { SpoolId } from "../../message/id.ts";
import type { ScheduledRecipient } from "../../message/message.ts";
import { idIn, messageIn, recipientIn, textIn, type Row } from "../../message/row.ts";
import type { StoredMessage } from "../../message/stored.ts";
import type { OpenOffer, OfferName } from "../../offers.ts";
import { agesMs } from "../../queue.ts";
import type { HandoffOperation, WholeRow } from "../protocol.ts";
import { missingMessage, readRow, type Read } from "../readrow.ts";
import type { AgedMessage } from "./ages.ts";
import type { NewClaim } from "./claims.ts";
import { dueNever } from "./schema.ts";
import type { Unreadable } from "./setaside.ts";

/** What the ledger keeps in memory, as far as hand-off changes it; each change is undone with its transaction. */
export interface Book {
  isHeld(seq: number): boolean;
  /** Sequence number of a message that is held. */
  heldSeq(id: SpoolId): number | undefined;
  hold(message: NewClaim["message"], seq: number, recipients: NewClaim["recipients"]): void;
  /** Lets go of the whole message. */
  letGo(id: SpoolId): void;
  /** Counts them, too. */
  insert(message: StoredMessage, recipients: readonly ScheduledRecipient[], isJudged: boolean): void;
  /** Recipients that came, or went when it is negative. */
  count(sender: string, destination: string, recipients: number): void;
  total(messages: number, recipients: number): void;
  /** It is another pod's to say whether it was in time. */
  handedOver(message: AgedMessage): void;
  /** It is ours again. */
  returned(acceptedAt: number, offeredAt: number | undefined): void;
  readonly unreadable: Unreadable;
}

type Offer = Extract<HandoffOperation, { kind: "offer" }>;
type Receive = Extract<HandoffOperation, { kind: "receive" }>;

/** Rows in one transaction: some milliseconds. */
const forgottenAtOnce = 5_000;

export class Transfers {
  readonly #book: Book;
  readonly #dueInOrder: StatementSync;
  readonly #seqOfId: StatementSync;
  readonly #seqNotOffered: StatementSync;
  readonly #messageBySeq: StatementSync;
  readonly #kindOfMessage: StatementSync;
  readonly #recipients: StatementSync;
  readonly #insertOffer: StatementSync;
  readonly #deleteOffer: StatementSync;
  readonly #openOffers: StatementSync;
  readonly #deleteMessage: StatementSync;
  readonly #deleteRecipients: StatementSync;
  readonly #insertReceived: StatementSync;
  readonly #received: StatementSync;
  readonly #forget: StatementSync;

  constructor(database: DatabaseSync, now: number, book: Book) {
    this.#book = book;
    this.#dueInOrder = database.prepare(`SELECT seq FROM recipient WHERE due_at < ${dueNever} ORDER BY due_at`);
    this.#seqOfId = database.prepare("SELECT seq FROM message WHERE id = ?");
    this.#seqNotOffered = database.prepare(
      "SELECT seq FROM message WHERE id = ? AND NOT EXISTS (SELECT 1 FROM offered WHERE offered.seq = message.seq)",
    );
    this.#messageBySeq = database.prepare("SELECT * FROM message WHERE seq = ?");
    this.#kindOfMessage = database.prepare("SELECT domain, body_file, accepted_at FROM message WHERE seq = ?");
    this.#recipients = database.prepare("SELECT * FROM recipient WHERE seq = ? ORDER BY idx");
    this.#insertOffer = database.prepare(
      "INSERT INTO offered (seq, offer, peer, host, port, offered_at) VALUES (?,?,?,?,?,?)",
    );
    this.#deleteOffer = database.prepare("DELETE FROM offered WHERE seq = ? RETURNING offered_at");
    this.#openOffers = database.prepare(
      "SELECT id, domain, accepted_at, offer, peer, host, port, seq FROM offered JOIN message USING (seq)",
    );
    this.#deleteMessage = database.prepare("DELETE FROM message WHERE seq = ?");
    this.#deleteRecipients = database.prepare("DELETE FROM recipient WHERE seq = ?");
    this.#insertReceived = database.prepare("INSERT INTO received (id, offer, received_at) VALUES (?,?,?)");
    this.#received = database.prepare("SELECT 1 FROM received WHERE id = ? AND offer = ?");
    this.#forget = database.prepare(
      "DELETE FROM received WHERE (id, offer) IN (SELECT id, offer FROM received WHERE received_at < ? LIMIT ?)",
    );
    for (const row of this.#openOffers.all()) this.#holdOffered(row, now);
  }

  /** A message of which anything cannot be read stays: it could not be given whole. */
  offer({ limit, peer, offer, except, now }: Offer): readonly WholeRow[] {
    const staying = new Set(except.map((id) => Number(this.#seqOfId.get(id)?.["seq"])));
    const found = new Set<number>();
    const { unreadable } = this.#book;
    for (const row of this.#dueInOrder.iterate()) {
      if (found.size >= limit) break;
      const seq = Number(row["seq"]);
      if (!this.#book.isHeld(seq) && !staying.has(seq) && !unreadable.has(seq)) found.add(seq);
    }
    return [...found].flatMap((seq) => {
      const whole = this.#readWhole(seq, now);
      if (whole === undefined) return [];
      this.#insertOffer.run(seq, offer, peer.name, peer.host, peer.port, now);
      this.#book.hold(whole.message, seq, whole.recipients);
      return [whole];
    });
  }

  /** Returns when the first of its recipients is due. */
  takeBack(id: SpoolId): number {
    const { seq, offeredAt } = this.#endOffer(id);
    this.#book.returned(Number(this.#kindOfMessage.get(seq)?.["accepted_at"]), offeredAt);
    this.#book.letGo(id);
    return this.#recipients.all(seq).reduce((first, row) => Math.min(first, Number(row["due_at"])), Number.MAX_VALUE);
  }

  /** True when the message has a body file, which may go. */
  remove(id: SpoolId): boolean {
    const { seq } = this.#endOffer(id);
    const message = this.#kindOfMessage.get(seq);
    const recipients = this.#recipients.all(seq);
    this.#deleteRecipients.run(seq);
    this.#deleteMessage.run(seq);
    for (const row of recipients) this.#book.count(String(message?.["domain"]), domainOf(String(row["address"])), -1);
    this.#book.total(-1, -recipients.length);
    this.#book.handedOver({ domain: String(message?.["domain"]), acceptedAt: Number(message?.["accepted_at"]) });
    this.#book.letGo(id);
    return message?.["body_file"] !== 0;
  }

  openOffers(): readonly OpenOffer[] {
    return this.#openOffers.all().map(openOfferOf);
  }

  /** Undefined when it is not held. */
  offered(id: SpoolId): Read<WholeRow> | undefined {
    const seq = this.#book.heldSeq(id);
    return seq === undefined ? undefined : readRow(() => this.#whole(seq));
  }

  /** False when it is known. */
  receive({ row, offer, now, offeredAt = now }: Receive): boolean {
    const { message, recipients } = row;
    if (this.knows({ id: message.id, offer })) return false;
    // What the giver kept until it was late, the giver has counted.
    this.#book.insert(message, recipients, message.acceptedAt <= offeredAt - agesMs["5m"]);
    this.#insertReceived.run(message.id, offer, now);
    return true;
  }

  /**
   * A message that is itself offered to another pod is not known by its id alone: that pod may have it, and then it goes from here.
   * Who heard that it is here would remove his own, and nobody had it.
   */
  knows({ id, offer }: OfferName): boolean {
    return this.#received.get(id, offer) !== undefined || this.#seqNotOffered.get(id) !== undefined;
  }

  forgetReceived(before: number): number {
    return Number(this.#forget.run(before, forgottenAtOnce).changes);
  }

  /** `offeredAt` is undefined of an offer that the release before has registered. */
  #endOffer(id: SpoolId): { readonly seq: number; readonly offeredAt: number | undefined } {
    const seq = this.#book.heldSeq(id);
    const open = seq === undefined ? undefined : this.#deleteOffer.get(seq);
    if (seq === undefined || open === undefined) throw new Error(`spool: ${id} is not offered`);
    const offeredAt = open["offered_at"];
    return { seq, offeredAt: typeof offeredAt === "number" ? offeredAt : undefined };
  }

  /**
   * Holds a message by as little of it as can be: whether the rest can be read is asked when somebody wants it. An offer that
   * cannot be read itself says neither whom to ask nor what: the message is set aside, for a person to look where it is.
   */
  #holdOffered(row: Row, now: number): void {
    const seq = Number(row["seq"]);
    const offer = readRow(() => openOfferOf(row));
    if (offer.kind === "unreadable") {
      this.#deleteOffer.run(seq);
      this.#book.unreadable.message(seq, `its offer to another pod: ${offer.reason}`, now);
      return;
    }
    const recipients = this.#recipients
      .all(seq)
      .map(({ idx, address, due_at }) => ({ index: Number(idx), address: String(address), dueAt: Number(due_at) }));
    const message = { id: offer.value.id, domain: String(row["domain"]), acceptedAt: Number(row["accepted_at"]) };
    this.#book.hold(message, seq, recipients);
  }

  /** Undefined when it cannot be read; then what cannot be read is set aside. */
  #readWhole(seq: number, now: number): WholeRow | undefined {
    const message = readRow(() => this.#message(seq));
    if (message.kind === "unreadable") {
      this.#book.unreadable.message(seq, message.reason, now);
      return undefined;
    }
    const rows = this.#recipients.all(seq);
    const recipients: ScheduledRecipient[] = [];
    for (const row of rows) {
      const recipient = readRow(() => recipientIn(row));
      if (recipient.kind === "read") recipients.push(recipient.value);
      else this.#book.unreadable.recipient({ seq, index: row["idx"] ?? null, reason: recipient.reason, now });
    }
    return recipients.length === rows.length ? { message: message.value, recipients } : undefined;
  }

  #whole(seq: number): WholeRow {
    return { message: this.#message(seq), recipients: this.#recipients.all(seq).map(recipientIn) };
  }

  #message(seq: number): StoredMessage {
    return messageIn(this.#messageBySeq.get(seq) ?? missingMessage());
  }
}

function openOfferOf(row: Row): OpenOffer {
  const peer = { name: textIn(row, "peer"), host: textIn(row, "host"), port: Number(row["port"]) };
  return { id: idIn(row), offer: textIn(row, "offer"), peer };
}
