/**
 * The spool's tables and what is done to them: runs in the writer thread, inside transactions that writer.ts opens.
 *
 * A recipient row exists as long as its outcome is open; a message row as long as it has recipients. `due_at` is always
 * the time of the next attempt: it is moved forward before an attempt starts, so a process that dies in the attempt
 * comes back later and not at once, except for the first attempt, which acceptance implied (see resume).
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { domainOf } from "../../../mail/address.ts";
import type { SpoolId } from "../../message/id.ts";
import { recipientFields, type Recipient, type ScheduledRecipient } from "../../message/message.ts";
import { idIn, messageIn, recipientIn } from "../../message/row.ts";
import type { Census } from "../../queue.ts";
import type { PassOver, Postponement, Outcome } from "../../verbs.ts";
import type { StoredMessage } from "../../message/stored.ts";
import type { ClaimedRow, Gauges, NewRow, SettledResult } from "../protocol.ts";
import { readRow, missingMessage } from "../readrow.ts";
import type { CommittedBodies } from "../recover.ts";
import { Ages } from "./ages.ts";
import { Captured } from "./captured.ts";
import { Counts } from "./census.ts";
import { type Claim, Claims } from "./claims.ts";
import { Transfers } from "./transfers.ts";
import { Insertion } from "./insertion.ts";
import { Flows, type FlowQuestion } from "./flows.ts";
import { QuotaRows } from "./quotarows.ts";
import { dueNever, flowColumns, migrate, resume } from "./schema.ts";
import { Unreadable } from "./setaside.ts";

export interface ClaimOrder {
  readonly now: number;
  /** Messages. */
  readonly limit: number;
  readonly recipients: number;
  /** Header and body; the message that exceeds it is the last one. */
  readonly octets: number;
  readonly delaysMs: readonly number[];
  readonly passOver?: PassOver | undefined;
}

interface MessageOrder extends Pick<ClaimOrder, "now" | "delaysMs" | "recipients"> {
  readonly isWanted: (address: string) => boolean;
}

export interface SettleOrder {
  readonly id: SpoolId;
  /** ms since the epoch. */
  readonly now: number;
  readonly outcomes: readonly Outcome[];
  readonly postponed: readonly Postponement[];
  readonly notices: readonly NewRow[];
  readonly captureRoomBytes: number;
}

export interface RenewOrder {
  /** Grows with each round. */
  readonly round: number;
  readonly held: readonly SpoolId[];
}

export interface Lapsed {
  readonly messages: number;
  /** The earliest of them is due then. */
  readonly dueAt: number | undefined;
}

const { lastReply, lastAttempt, delayNotified } = recipientFields;

/** Nobody may write outcomes for what he does not hold. */
export class UnclaimedError extends Error {
  override readonly name = "UnclaimedError";
}

export class Ledger {
  readonly #database: DatabaseSync;
  readonly #insertion: Insertion;
  readonly #deleteMessage: StatementSync;
  readonly #deleteRecipient: StatementSync;
  readonly #deferFresh: StatementSync;
  readonly #deferAgain: StatementSync;
  readonly #postponeRecipient: StatementSync;
  readonly #flows: Flows;
  readonly #counts: Counts;
  readonly #registerAttempt: StatementSync;
  readonly #anyRecipient: StatementSync;
  readonly #anyWaiting: StatementSync;
  readonly #dueInOrder: StatementSync;
  readonly #messageBySeq: StatementSync;
  readonly #dueRecipients: StatementSync;
  readonly #pageCount: StatementSync;
  readonly #freeCount: StatementSync;
  readonly #pageBytes: number;
  readonly ages: Ages;
  readonly quotas: QuotaRows;
  readonly transfers: Transfers;
  readonly unreadable: Unreadable;
  readonly captured: Captured;
  readonly #flowOfLapsed: StatementSync;
  readonly #claims = new Claims((undo) => this.#undo.push(undo));
  #undo: (() => void)[] = [];
  #queuedMessages: number;
  #queuedRecipients: number;

  constructor(database: DatabaseSync, now: number) {
    this.#database = database;
    migrate(database);
    resume(database, now);
    this.unreadable = new Unreadable(database, now, {
      count: (sender, destination, recipients) => this.#count(sender, destination, recipients),
      parked: (seq, message) => {
        if (this.#anyWaiting.get(seq) === undefined) this.#undo.push(this.ages.left(message, { kind: "set aside" }));
      },
      undo: (undo) => this.#undo.push(undo),
    });
    this.captured = new Captured(database, (undo) => this.#undo.push(undo));
    this.#insertion = new Insertion(database);
    this.quotas = new QuotaRows(database);
    this.#deleteMessage = database.prepare("DELETE FROM message WHERE seq = ?");
    this.#deleteRecipient = database.prepare("DELETE FROM recipient WHERE seq = ? AND idx = ?");
    const deferral = "due_at = ?, last_reply = ?, last_attempt = ?, delay_notified = max(delay_notified, ?)";
    this.#deferFresh = database.prepare(`UPDATE recipient SET ${deferral}, ${flowColumns} WHERE seq = ? AND idx = ?`);
    // For a recipient that a claim found in its flow: it stands there still.
    this.#deferAgain = database.prepare(`UPDATE recipient SET ${deferral} WHERE seq = ? AND idx = ?`);
    // The attempt that was registered for it is not made.
    this.#postponeRecipient = database.prepare(
      `UPDATE recipient SET due_at = ?, attempts = max(attempts - 1, 0), ${flowColumns} WHERE seq = ? AND idx = ?`,
    );
    this.#flowOfLapsed = database.prepare(
      `UPDATE recipient SET ${flowColumns} WHERE seq = ? AND idx = ? RETURNING due_at`,
    );
    this.#flows = new Flows(database);
    this.#counts = new Counts(database);
    this.ages = new Ages(database, now, this.#claims);
    this.#registerAttempt = database.prepare("UPDATE recipient SET attempts = ?, due_at = ? WHERE seq = ? AND idx = ?");
    this.#anyRecipient = database.prepare("SELECT 1 FROM recipient WHERE seq = ? LIMIT 1");
    this.#anyWaiting = database.prepare(`SELECT 1 FROM recipient WHERE seq = ? AND due_at < ${dueNever} LIMIT 1`);
    this.#dueInOrder = database.prepare(
      `SELECT due_at, seq, idx FROM recipient WHERE due_at > ? AND due_at < ${dueNever} ORDER BY due_at`,
    );
    this.#messageBySeq = database.prepare("SELECT * FROM message WHERE seq = ?");
    this.#dueRecipients = database.prepare("SELECT * FROM recipient WHERE seq = ? AND due_at <= ? ORDER BY idx");
    this.#pageCount = database.prepare("PRAGMA page_count");
    this.#freeCount = database.prepare("PRAGMA freelist_count");
    this.#pageBytes = readNumber(database.prepare("PRAGMA page_size"));
    this.#queuedMessages = readNumber(database.prepare("SELECT count(*) FROM message"));
    this.#queuedRecipients = readNumber(database.prepare("SELECT count(*) FROM recipient"));
    this.transfers = new Transfers(database, now, {
      isHeld: (seq) => this.#claims.isHeld(seq),
      heldSeq: (id) => this.#claims.get(id)?.seq,
      hold: (message, seq, recipients) => this.#claims.hold({ message, seq, recipients, holder: "offer" }),
      letGo: (id) => this.#claims.letGo(id),
      insert: (message, recipients, isJudged) => this.#insert(message, recipients, { isHeld: false, isJudged }),
      count: (sender, destination, recipients) => this.#count(sender, destination, recipients),
      total: (messages, recipients) => this.#total(messages, recipients),
      handedOver: (message) => this.#undo.push(this.ages.left(message, { kind: "handed over" })),
      returned: (acceptedAt, offeredAt) => this.#undo.push(this.ages.returned(acceptedAt, offeredAt)),
      unreadable: this.unreadable,
    });
    // What it held above stands in the file: the first rollback must not let go of it.
    this.#undo = [];
  }

  get spoolId(): string {
    const row = this.#database.prepare("SELECT value FROM spool WHERE key = 'id'").get();
    return String(row?.["value"]);
  }

  /** Also those that only may have a file: one that is thrown away is lost. */
  bodies(): CommittedBodies {
    const rows = this.#database.prepare(
      `SELECT id FROM message WHERE body_file IS NOT 0 OR length(content) IS NOT header_bytes + body_bytes
       UNION SELECT id FROM captured WHERE body_file IS NOT 0`,
    );
    const ids: SpoolId[] = [];
    const unnamed: string[] = [];
    const whole = readRow(() => {
      for (const row of rows.iterate()) {
        const id = readRow(() => idIn(row));
        if (id.kind === "read") ids.push(id.value);
        else unnamed.push(id.reason);
      }
    });
    return { ids, complete: unnamed.length === 0 && whole.kind === "read" };
  }

  gauges(): Gauges {
    const free = readNumber(this.#freeCount);
    return {
      queuedMessages: this.#queuedMessages,
      queuedRecipients: this.#queuedRecipients,
      unreadableRecipients: this.unreadable.recipients,
      capturedMessages: this.captured.messages,
      capturedBytes: this.captured.bytes,
      databaseBytes: (readNumber(this.#pageCount) - free) * this.#pageBytes,
      freeBytes: free * this.#pageBytes,
    };
  }

  census(now: number, limit: number): Census {
    return this.#counts.census(now, limit);
  }

  commit({ message, recipients, dueAt, claimed, quotas }: NewRow): void {
    for (const state of quotas) this.quotas.keep(state);
    const scheduled = recipients.map((recipient) => ({ ...recipient, dueAt }));
    const seq = this.#insert(message, scheduled, { isHeld: claimed, isJudged: false });
    if (claimed) this.#claims.hold({ message, seq, recipients, holder: "delivery", isFresh: true });
  }

  /** The number of its row. What delivery holds from the start stands in no flow. */
  #insert(
    message: StoredMessage,
    recipients: readonly ScheduledRecipient[],
    { isHeld, isJudged }: Readonly<Record<"isHeld" | "isJudged", boolean>>,
  ): number {
    const { domain, acceptedAt } = message;
    const seq = this.#insertion.message(message);
    for (const recipient of recipients) {
      const destination = domainOf(recipient.address);
      const flow = isHeld ? undefined : { sender: domain, destination, acceptedAt };
      this.#insertion.recipient(seq, recipient, flow);
      this.#count(domain, destination, 1);
    }
    this.#total(1, recipients.length);
    this.#undo.push(this.ages.came({ domain, acceptedAt }, isJudged));
    return seq;
  }

  /**
   * Takes due recipients, grouped by message, and registers their next attempt: oldest first, unless some senders or
   * destinations are passed over; then flows take turns. A message with more recipients than are wanted is taken in part.
   */
  claim({ now, limit, recipients, octets, delaysMs, passOver }: ClaimOrder): readonly ClaimedRow[] {
    const isSelective = passOver !== undefined && passOver.senders.length + passOver.destinations.length > 0;
    const isClaimed = (seq: number, index: number): boolean => this.#claims.isClaimed(seq, index);
    const wish = { now, limit, recipients, isClaimed };
    const found = isSelective ? this.#flows.pick({ ...wish, passOver }) : this.#oldestDue(wish);
    const passedOver = new Set(passOver?.destinations);
    const isWanted = (address: string): boolean => !isSelective || !passedOver.has(domainOf(address));
    const rows: ClaimedRow[] = [];
    let [leftRecipients, leftOctets] = [recipients, octets];
    for (const seq of found) {
      if (leftRecipients <= 0 || leftOctets <= 0) break;
      for (const row of this.#claimMessage(seq, { now, delaysMs, isWanted, recipients: leftRecipients })) {
        rows.push(row);
        leftRecipients -= row.recipients.length;
        leftOctets -= row.message.content.length;
      }
    }
    return rows;
  }

  #oldestDue({ now, limit, recipients, isClaimed }: Omit<FlowQuestion, "passOver">): ReadonlySet<number> {
    const found = new Set<number>();
    let left = recipients;
    for (const due of this.#dueInOrder.iterate(Number.MIN_SAFE_INTEGER)) {
      if (Number(due["due_at"]) > now || found.size >= limit || left <= 0) break;
      const seq = Number(due["seq"]);
      if (isClaimed(seq, Number(due["idx"]))) continue;
      found.add(seq);
      left -= 1;
    }
    return found;
  }

  /** What cannot be read is set aside, and the others of the message do not wait for it. */
  #claimMessage(seq: number, { now, delaysMs, isWanted, recipients: most }: MessageOrder): ClaimedRow[] {
    const message = readRow(() => messageIn(this.#messageBySeq.get(seq) ?? missingMessage()));
    if (message.kind === "unreadable") {
      this.unreadable.message(seq, message.reason, now);
      return [];
    }
    const recipients: ScheduledRecipient[] = [];
    // After the loop, because it reads the rows that this changes.
    const unreadable: Parameters<Unreadable["recipient"]>[0][] = [];
    for (const row of this.#dueRecipients.iterate(seq, now)) {
      if (recipients.length >= most) break;
      if (this.#claims.isClaimed(seq, Number(row["idx"]))) continue;
      const recipient = readRow(() => recipientIn(row));
      if (recipient.kind === "unreadable")
        unreadable.push({ seq, index: row["idx"] ?? null, reason: recipient.reason, now });
      else if (isWanted(recipient.value.address))
        recipients.push({ ...recipient.value, attempts: recipient.value.attempts + 1 });
    }
    for (const one of unreadable) this.unreadable.recipient(one);
    for (const recipient of recipients) {
      const delay = delaysMs[Math.min(recipient.attempts, delaysMs.length) - 1] ?? 60_000;
      this.#registerAttempt.run(recipient.attempts, Math.round(now + delay), seq, recipient.index);
    }
    if (recipients.length === 0) return [];
    this.#claims.hold({ message: message.value, seq, recipients, holder: "delivery" });
    return [{ message: message.value, recipients: recipients.map(attempted) }];
  }

  /** Applies outcomes of claimed recipients; those of a message that is not claimed are refused: they would be a bug. */
  settle({ id, now, outcomes, postponed, notices, captureRoomBytes }: SettleOrder): Omit<SettledResult, "kind"> {
    const claim = this.#claims.get(id);
    if (claim === undefined) throw new UnclaimedError(`spool: ${id} is not claimed`);
    const defer = claim.isFresh ? this.#deferFresh : this.#deferAgain;
    const hasCaptured = this.captured.keep({ seq: claim.seq, outcomes, now });
    let final = 0;
    for (const outcome of outcomes) {
      const held = claim.recipients.get(outcome.index);
      if (held === undefined) throw new UnclaimedError(`spool: recipient ${outcome.index} of ${id} is not claimed`);
      if (outcome.kind === "deferred") {
        defer.run(
          Math.round(outcome.dueAt),
          lastReply.write(outcome.reply),
          lastAttempt.write(outcome.attempt),
          delayNotified.write(outcome.delayNotified === true ? true : undefined),
          claim.seq,
          outcome.index,
        );
      } else {
        this.#deleteRecipient.run(claim.seq, outcome.index);
        this.#count(claim.domain, held.destination, -1);
        final += 1;
      }
    }
    for (const { index, dueAt } of postponed) {
      const held = claim.recipients.get(index);
      if (held === undefined) throw new UnclaimedError(`spool: recipient ${index} of ${id} is not claimed`);
      this.#postponeRecipient.run(Math.round(dueAt ?? held.dueAt), claim.seq, index);
    }
    for (const notice of notices) this.commit(notice);
    const empty = final > 0 && this.#anyRecipient.get(claim.seq) === undefined;
    if (empty) this.#deleteMessage.run(claim.seq);
    if (empty) this.#undo.push(this.ages.left(claim, { kind: hasCaptured ? "captured" : "final", at: now }));
    else if (final > 0 && this.#isLeftAside(claim)) this.#undo.push(this.ages.left(claim, { kind: "set aside" }));
    this.#claims.release(id, claim, [...outcomes, ...postponed]);
    this.#total(empty ? -1 : 0, -final);
    const removed = empty && !this.captured.has(id) ? [id] : [];
    if (!hasCaptured) return { removed };
    const { bodies, dropped } = this.captured.prune({ now, roomBytes: captureRoomBytes });
    return { removed: [...removed, ...bodies], dropped };
  }

  /** Ends the claims that delivery has forgotten: their recipients wait for the time that was registered with the attempt. */
  renew({ round, held }: RenewOrder): Lapsed {
    let dueAt: number | undefined;
    const lapsed = this.#claims.lapsed(round, new Set(held));
    for (const [id, { seq, recipients }] of lapsed) {
      for (const index of recipients.keys()) {
        const row = this.#flowOfLapsed.get(seq, index);
        if (row !== undefined) dueAt = Math.min(dueAt ?? Number.MAX_SAFE_INTEGER, Number(row["due_at"]));
      }
      this.#claims.letGo(id);
    }
    return { messages: lapsed.length, dueAt };
  }

  /** Earliest due time, later than `after`, of a recipient that delivery does not hold. */
  nextDueAt(after: number): number | undefined {
    for (const due of this.#dueInOrder.iterate(after)) {
      if (!this.#claims.isClaimed(Number(due["seq"]), Number(due["idx"]))) return Number(due["due_at"]);
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

  /** Whether all that is left of it is set aside. */
  #isLeftAside({ seq }: Claim): boolean {
    return this.unreadable.recipients > 0 && this.#anyWaiting.get(seq) === undefined;
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

/** Delivery has no use for the time that was registered. */
function attempted(recipient: ScheduledRecipient): Recipient {
  const { dueAt: _, ...facts } = recipient;
  return facts;
}

function readNumber(statement: StatementSync): number {
  const value = Object.values(statement.get() ?? {})[0];
  return Number(value ?? 0);
}
