/**
 * The spool's tables and what is done to them: runs in the writer thread, inside transactions that writer.ts opens.
 *
 * A recipient row exists as long as its outcome is open; a message row as long as it has recipients. `due_at` is always
 * the time of the next attempt: it is moved forward before an attempt starts, so a process that dies in the attempt
 * comes back later and not at once, except for the first attempt, which acceptance implied (see resume).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { domainOf } from "../../mail/address.ts";
import type { PassOver, Postponement, RecipientOutcome, SpoolId } from "../entry.ts";
import { Counts } from "./census.ts";
import { Lanes } from "./lanes.ts";
import type { Census } from "../spool.ts";
import type { ClaimedRow, Gauges, NewRow, ScheduledRow, StoredMessage } from "../protocol.ts";
import { Offers } from "./offers.ts";
import { messageOf, recipientOf, replyText, type Row } from "./rows.ts";
import { laneColumns, migrate, resume } from "./schema.ts";

/** What delivery holds of a message: these recipients must not be claimed again before they are settled. */
interface Claim {
  readonly seq: number;
  /** Sender domain of the message. */
  readonly domain: string;
  /** By the recipient's index. */
  readonly recipients: Map<number, HeldRecipient>;
}

type Claimed = Pick<ScheduledRow, "index" | "address"> & { readonly dueAt?: number };

interface HeldRecipient {
  readonly destination: string;
  /** As it was before the attempt was registered, ms since the epoch. */
  readonly dueAt: number;
}

export interface ClaimOrder {
  readonly now: number;
  readonly limit: number;
  readonly delaysMs: readonly number[];
  readonly passOver?: PassOver | undefined;
}

interface MessageOrder extends Pick<ClaimOrder, "now" | "delaysMs"> {
  readonly isWanted: (address: string) => boolean;
}

export interface SettleOrder {
  readonly id: SpoolId;
  readonly outcomes: readonly RecipientOutcome[];
  readonly postponed: readonly Postponement[];
  readonly notices: readonly NewRow[];
}

export interface SettleResult {
  readonly removed: SpoolId | undefined;
}

export class Ledger {
  readonly #database: DatabaseSync;
  readonly #insertMessage: StatementSync;
  readonly #insertRecipient: StatementSync;
  readonly #deleteMessage: StatementSync;
  readonly #deleteRecipient: StatementSync;
  readonly #deferRecipient: StatementSync;
  readonly #postponeRecipient: StatementSync;
  readonly #lanes: Lanes;
  readonly #counts: Counts;
  readonly #registerAttempt: StatementSync;
  readonly #anyRecipient: StatementSync;
  readonly #dueInOrder: StatementSync;
  readonly #messageBySeq: StatementSync;
  readonly #dueRecipients: StatementSync;
  readonly #pageCount: StatementSync;
  readonly #freeCount: StatementSync;
  readonly #pageBytes: number;
  readonly offers: Offers;
  readonly #claims = new Map<SpoolId, Claim>();
  readonly #claimedSeqs = new Map<number, SpoolId>();
  #undo: (() => void)[] = [];
  #queuedMessages: number;
  #queuedRecipients: number;

  constructor(database: DatabaseSync, now: number) {
    this.#database = database;
    migrate(database);
    resume(database, now);
    this.#insertMessage = database.prepare(
      "INSERT INTO message (id, accepted_at, sender, domain, smtputf8, eight_bit, must_sign, ret, envid, body_hash, traceparent, header_bytes, body_bytes, body_file, content) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    );
    this.#insertRecipient = database.prepare(
      "INSERT INTO recipient (seq, idx, due_at, attempts, address, notify, orcpt, sender_domain, destination) VALUES (?,?,?,?,?,?,?,?,?)",
    );
    this.#deleteMessage = database.prepare("DELETE FROM message WHERE seq = ?");
    this.#deleteRecipient = database.prepare("DELETE FROM recipient WHERE seq = ? AND idx = ?");
    this.#deferRecipient = database.prepare(
      `UPDATE recipient SET due_at = ?, last_reply = ?, last_attempt = ?, delay_notified = max(delay_notified, ?), ${laneColumns} WHERE seq = ? AND idx = ?`,
    );
    // The attempt that was registered for it is not made.
    this.#postponeRecipient = database.prepare(
      `UPDATE recipient SET due_at = ?, attempts = max(attempts - 1, 0), ${laneColumns} WHERE seq = ? AND idx = ?`,
    );
    this.#lanes = new Lanes(database);
    this.#counts = new Counts(database);
    this.#registerAttempt = database.prepare("UPDATE recipient SET attempts = ?, due_at = ? WHERE seq = ? AND idx = ?");
    this.#anyRecipient = database.prepare("SELECT 1 FROM recipient WHERE seq = ? LIMIT 1");
    this.#dueInOrder = database.prepare("SELECT due_at, seq, idx FROM recipient WHERE due_at > ? ORDER BY due_at");
    this.#messageBySeq = database.prepare("SELECT * FROM message WHERE seq = ?");
    this.#dueRecipients = database.prepare("SELECT * FROM recipient WHERE seq = ? AND due_at <= ? ORDER BY idx");
    this.#pageCount = database.prepare("PRAGMA page_count");
    this.#freeCount = database.prepare("PRAGMA freelist_count");
    this.#pageBytes = readNumber(database.prepare("PRAGMA page_size"));
    this.#queuedMessages = readNumber(database.prepare("SELECT count(*) FROM message"));
    this.#queuedRecipients = readNumber(database.prepare("SELECT count(*) FROM recipient"));
    this.offers = new Offers(database, {
      isHeld: (seq) => this.#claimedSeqs.has(seq),
      heldSeq: (id) => this.#claims.get(id)?.seq,
      hold: (message, seq, recipients) => this.#claim(message, seq, recipients),
      letGo: (id) => this.#letGo(id),
      insert: (message) => Number(this.#insertMessage.run(...columnsOf(message)).lastInsertRowid),
      count: (sender, destination, recipients) => this.#count(sender, destination, recipients),
      total: (messages, recipients) => this.#total(messages, recipients),
    });
    // What it held above stands in the file: the first rollback must not let go of it.
    this.#undo = [];
  }

  get spoolId(): string {
    const row = this.#database.prepare("SELECT value FROM spool WHERE key = 'id'").get();
    return String(row?.["value"]);
  }

  bodyFiles(): readonly SpoolId[] {
    const rows = this.#database.prepare("SELECT id FROM message WHERE body_file = 1").all();
    return rows.map((row) => messageOf({ ...row, content: new Uint8Array() }).id);
  }

  gauges(): Gauges {
    const pages = readNumber(this.#pageCount) - readNumber(this.#freeCount);
    return {
      queuedMessages: this.#queuedMessages,
      queuedRecipients: this.#queuedRecipients,
      databaseBytes: pages * this.#pageBytes,
    };
  }

  census(now: number, limit: number): Census {
    return this.#counts.census(now, limit);
  }

  commit(row: NewRow): void {
    const { message } = row;
    const inserted = this.#insertMessage.run(...columnsOf(message));
    const seq = Number(inserted.lastInsertRowid);
    for (const recipient of row.recipients) {
      const destination = domainOf(recipient.address);
      this.#insertRecipient.run(
        seq,
        recipient.index,
        row.dueAt,
        recipient.attempts,
        recipient.address,
        recipient.notify?.join(",") ?? null,
        recipient.orcpt ?? null,
        row.claimed ? null : message.domain,
        row.claimed ? null : destination,
      );
      this.#count(message.domain, destination, 1);
    }
    if (row.claimed) this.#claim(message, seq, row.recipients);
    this.#total(1, row.recipients.length);
  }

  /**
   * Takes due recipients, grouped by message, and registers their next attempt: oldest first, unless some senders or
   * destinations are passed over; then lanes take turns.
   */
  claim({ now, limit, delaysMs, passOver }: ClaimOrder): readonly ClaimedRow[] {
    const isSelective = passOver !== undefined && passOver.senders.length + passOver.destinations.length > 0;
    const isClaimed = (seq: number, index: number): boolean => this.#isClaimed(seq, index);
    const found = isSelective ? this.#lanes.pick({ now, limit, passOver, isClaimed }) : this.#oldestDue(now, limit);
    const passedOver = new Set(passOver?.destinations);
    const isWanted = (address: string): boolean => !isSelective || !passedOver.has(domainOf(address));
    return [...found].flatMap((seq) => this.#claimMessage(seq, { now, delaysMs, isWanted }));
  }

  #oldestDue(now: number, limit: number): ReadonlySet<number> {
    const found = new Set<number>();
    for (const due of this.#dueInOrder.iterate(Number.MIN_SAFE_INTEGER)) {
      if (Number(due["due_at"]) > now || found.size >= limit) break;
      if (!this.#isClaimed(Number(due["seq"]), Number(due["idx"]))) found.add(Number(due["seq"]));
    }
    return found;
  }

  #claimMessage(seq: number, { now, delaysMs, isWanted }: MessageOrder): ClaimedRow[] {
    const stored = this.#messageBySeq.get(seq);
    if (stored === undefined) throw new Error(`spool: recipients of message ${seq} have no message`);
    const recipients = this.#dueRecipients
      .all(seq, now)
      .map((row) => nextAttemptOf(row))
      .filter((recipient) => !this.#isClaimed(seq, recipient.index) && isWanted(recipient.address));
    for (const recipient of recipients) {
      const delay = delaysMs[Math.min(recipient.attempts, delaysMs.length) - 1] ?? 60_000;
      this.#registerAttempt.run(recipient.attempts, Math.round(now + delay), seq, recipient.index);
    }
    const message = messageOf(stored);
    this.#claim(message, seq, recipients);
    return [{ message, recipients }];
  }

  /** Applies outcomes of claimed recipients; those of a message that is not claimed are refused: they would be a bug. */
  settle({ id, outcomes, postponed, notices }: SettleOrder): SettleResult {
    const claim = this.#claims.get(id);
    if (claim === undefined) throw new Error(`spool: ${id} is not claimed`);
    let final = 0;
    for (const outcome of outcomes) {
      const held = claim.recipients.get(outcome.index);
      if (held === undefined) throw new Error(`spool: recipient ${outcome.index} of ${id} is not claimed`);
      if (outcome.kind === "deferred") {
        this.#deferRecipient.run(
          Math.round(outcome.dueAt),
          replyText(outcome.reply),
          outcome.attempt ?? null,
          Number(outcome.delayNotified === true),
          claim.seq,
          outcome.index,
        );
      } else {
        this.#deleteRecipient.run(claim.seq, outcome.index);
        this.#count(claim.domain, held.destination, -1);
        final += 1;
      }
    }
    for (const { index, dueAt = claim.recipients.get(index)?.dueAt ?? 0 } of postponed) {
      this.#postponeRecipient.run(Math.round(dueAt), claim.seq, index);
    }
    for (const notice of notices) this.commit(notice);
    const empty = final > 0 && this.#anyRecipient.get(claim.seq) === undefined;
    if (empty) this.#deleteMessage.run(claim.seq);
    this.#release(id, claim, [...outcomes, ...postponed]);
    this.#total(empty ? -1 : 0, -final);
    return { removed: empty ? id : undefined };
  }

  /** Earliest due time, later than `after`, of a recipient that delivery does not hold. */
  nextDueAt(after: number): number | undefined {
    for (const due of this.#dueInOrder.iterate(after)) {
      if (!this.#isClaimed(Number(due["seq"]), Number(due["idx"]))) return Number(due["due_at"]);
    }
    return undefined;
  }

  /** Forgets how to undo: the transaction is durable. */
  committed(): void {
    this.#undo = [];
  }

  /** Takes back what the transaction did to claims and counts. */
  rolledBack(): void {
    for (const undo of this.#undo.toReversed()) undo();
    this.#undo = [];
  }

  #isClaimed(seq: number, index: number): boolean {
    const id = this.#claimedSeqs.get(seq);
    return id !== undefined && this.#claims.get(id)?.recipients.has(index) === true;
  }

  /** A recipient without a time of its own was due at acceptance: its first attempt is registered with it. */
  #claim({ id, domain, acceptedAt }: StoredMessage, seq: number, recipients: readonly Claimed[]): void {
    const claim = this.#claims.get(id) ?? { seq, domain, recipients: new Map<number, HeldRecipient>() };
    for (const { index, address, dueAt = acceptedAt } of recipients) {
      claim.recipients.set(index, { destination: domainOf(address), dueAt });
    }
    this.#claims.set(id, claim);
    this.#claimedSeqs.set(seq, id);
    this.#undo.push(() => this.#forget(id, claim, recipients));
  }

  #letGo(id: SpoolId): void {
    const claim = this.#claims.get(id);
    if (claim !== undefined)
      this.#release(
        id,
        claim,
        [...claim.recipients.keys()].map((index) => ({ index })),
      );
  }

  #release(id: SpoolId, claim: Claim, ended: readonly { readonly index: number }[]): void {
    const held = [...claim.recipients];
    this.#forget(id, claim, ended);
    this.#undo.push(() => {
      for (const [index, recipient] of held) claim.recipients.set(index, recipient);
      this.#claims.set(id, claim);
      this.#claimedSeqs.set(claim.seq, id);
    });
  }

  #forget(id: SpoolId, claim: Claim, ended: readonly { readonly index: number }[]): void {
    for (const { index } of ended) claim.recipients.delete(index);
    if (claim.recipients.size > 0) return;
    this.#claims.delete(id);
    this.#claimedSeqs.delete(claim.seq);
  }

  #count(sender: string, destination: string, recipients: number): void {
    this.#counts.add(sender, destination, recipients);
    this.#undo.push(() => this.#counts.add(sender, destination, -recipients));
  }

  #total(messages: number, recipients: number): void {
    this.#queuedMessages += messages;
    this.#queuedRecipients += recipients;
    this.#undo.push(() => {
      this.#queuedMessages -= messages;
      this.#queuedRecipients -= recipients;
    });
  }
}

function nextAttemptOf(row: Row): ScheduledRow {
  const recipient = recipientOf(row);
  return { ...recipient, attempts: recipient.attempts + 1, dueAt: Number(row["due_at"]) };
}

function columnsOf(message: StoredMessage): (string | number | null | Uint8Array)[] {
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

function readNumber(statement: StatementSync): number {
  const value = Object.values(statement.get() ?? {})[0];
  return Number(value ?? 0);
}
