/**
 * A spool for tests, in memory: the same verbs and the same rules about claims as the real one, nothing durable.
 */
import { Readable } from "node:stream";
import type { Entry, Message, NewMessage, Recipient } from "../../relay/spool/message/message.ts";
import type { Outcomes } from "../../relay/spool/verbs.ts";
import type { SpoolId } from "../../relay/spool/message/id.ts";
import { domainOf } from "../../relay/mail/address.ts";
import type { BodyWriter, ClaimQuestion, LapsedClaims, Spool } from "../../relay/spool/verbs.ts";
import type { Census, SpoolDepth, Waiting as WaitingMail } from "../../relay/spool/queue.ts";
import { startingAtOnce, type Starter } from "../../relay/spool/start.ts";

interface Waiting {
  recipient: Recipient;
  dueAt: number;
  claimed: boolean;
  /** The round in which delivery did not name its message. */
  missedIn?: number | undefined;
}

export class MemorySpool implements Spool {
  readonly written: Outcomes[] = [];
  readonly bodies = new Map<SpoolId, Buffer>();
  claims = 0;
  /** Of leases. */
  rounds = 0;
  /** Errors that the next calls of settle reject with. */
  readonly settleErrors: Error[] = [];
  readonly #messages = new Map<SpoolId, { message: Message; waiting: Waiting[] }>();
  readonly #wakers = new Set<() => void>();
  /** Delivery: what is committed without a word about a claim comes as from reception, and is started on when there is room. */
  starter: Starter | undefined;

  begin(): BodyWriter {
    throw new Error("the double receives no bodies");
  }

  async commit(message: NewMessage): Promise<Entry | undefined> {
    const { starter } = this;
    if (message.claim !== undefined || starter === undefined) return this.#keep(message);
    const log = {
      error(facts: object, text: string): void {
        throw new Error(`${text}: ${JSON.stringify(facts)}`);
      },
    };
    return startingAtOnce({ spool: this, starter, log }).commit(message);
  }

  #keep(message: NewMessage): Entry | undefined {
    const claimed = message.claim === true;
    this.add(message, claimed);
    const recipients = message.recipients.map((recipient) => ({ ...recipient, attempts: recipient.attempts + 1 }));
    return claimed ? { message: message.message, recipients } : undefined;
  }

  /** Puts a message into the spool without telling delivery. */
  add({ message, recipients, dueAt }: NewMessage, claimed = false): void {
    const attempts = claimed ? 1 : 0;
    const waiting = recipients.map((recipient) => ({
      recipient: { ...recipient, attempts: recipient.attempts + attempts },
      dueAt,
      claimed,
    }));
    this.#messages.set(message.id, { message, waiting });
  }

  async claim(question: ClaimQuestion): Promise<readonly Entry[]> {
    const { now, limit, passOver, recipients = Number.MAX_SAFE_INTEGER, octets = Number.MAX_SAFE_INTEGER } = question;
    this.claims += 1;
    const entries: Entry[] = [];
    let [leftRecipients, leftOctets] = [recipients, octets];
    for (const { message, waiting } of this.#messages.values()) {
      if (entries.length >= limit || leftRecipients <= 0 || leftOctets <= 0) break;
      const isPassedOver = ({ recipient }: Waiting): boolean =>
        passOver?.senders.includes(message.domain) === true ||
        passOver?.destinations.includes(domainOf(recipient.address)) === true;
      const all = waiting.filter((one) => !one.claimed && one.dueAt <= now && !isPassedOver(one));
      const due = all.slice(0, leftRecipients);
      if (due.length === 0) continue;
      leftRecipients -= due.length;
      leftOctets -= message.header.length + (message.body.kind === "inline" ? message.body.bytes.length : 0);
      for (const one of due) {
        one.claimed = true;
        one.recipient = { ...one.recipient, attempts: one.recipient.attempts + 1 };
      }
      entries.push({ message, recipients: due.map((one) => one.recipient) });
    }
    return entries;
  }

  async nextDueAt(after = Number.NEGATIVE_INFINITY): Promise<number | undefined> {
    const all = [...this.#messages.values()]
      .flatMap(({ waiting }) => waiting)
      .filter((one) => !one.claimed && one.dueAt > after);
    return all.length === 0 ? undefined : Math.min(...all.map((one) => one.dueAt));
  }

  async settle(outcomes: Outcomes): Promise<readonly Entry[]> {
    const error = this.settleErrors.shift();
    if (error !== undefined) throw error;
    const held = this.#messages.get(outcomes.id);
    if (held === undefined) throw new Error(`${outcomes.id} is not in the spool`);
    for (const outcome of outcomes.outcomes) {
      const at = held.waiting.findIndex((one) => one.recipient.index === outcome.index);
      const one = held.waiting[at];
      if (one === undefined || !one.claimed) throw new Error(`${outcomes.id}/${outcome.index} is not claimed`);
      if (outcome.kind === "deferred") {
        one.claimed = false;
        one.dueAt = outcome.dueAt;
      } else held.waiting.splice(at, 1);
    }
    for (const { index, dueAt } of outcomes.postponed ?? []) {
      const one = held.waiting.find(({ recipient }) => recipient.index === index);
      if (one === undefined || !one.claimed) throw new Error(`${outcomes.id}/${index} is not claimed`);
      one.claimed = false;
      one.dueAt = dueAt ?? one.dueAt;
      one.recipient = { ...one.recipient, attempts: one.recipient.attempts - 1 };
    }
    if (held.waiting.length === 0) this.#messages.delete(outcomes.id);
    this.written.push(outcomes);
    const entries = (outcomes.notices ?? []).flatMap((notice) => this.#keep(notice) ?? []);
    for (const wake of this.#wakers) wake();
    return entries;
  }

  async renew(round: number, held: readonly SpoolId[]): Promise<LapsedClaims> {
    this.rounds = round;
    let dueAt: number | undefined;
    let messages = 0;
    for (const [id, { waiting }] of this.#messages) {
      const claimed = waiting.filter((one) => one.claimed);
      for (const one of claimed) {
        if (held.includes(id)) one.missedIn = undefined;
        else one.missedIn ??= round;
      }
      const lapsed = claimed.filter(({ missedIn = round }) => missedIn < round);
      if (lapsed.length > 0) messages += 1;
      for (const one of lapsed) {
        one.claimed = false;
        one.missedIn = undefined;
        dueAt = Math.min(dueAt ?? Number.MAX_SAFE_INTEGER, one.dueAt);
      }
    }
    return { messages, dueAt };
  }

  readBody(id: SpoolId): NodeJS.ReadableStream {
    return Readable.from([this.bodies.get(id) ?? Buffer.alloc(0)]);
  }

  async depth(): Promise<SpoolDepth> {
    const recipients = [...this.#messages.values()].reduce((sum, { waiting }) => sum + waiting.length, 0);
    return {
      queuedMessages: this.#messages.size,
      queuedRecipients: recipients,
      oldestDueAt: undefined,
      usedBytes: 0,
      logBytes: 0,
      unreadableRecipients: 0,
      capturedMessages: 0,
      full: false,
      spoolId: "memory",
    };
  }

  async census(): Promise<Census> {
    const none = { longest: [], others: 0 };
    return { senders: none, destinations: none, oldest: [] };
  }

  async waiting(): Promise<WaitingMail> {
    const none = { "5m": 0, "1h": 0, "1d": 0 };
    return {
      objective: { inTime: 0, late: 0 },
      oldestAcceptedAt: undefined,
      olderThan: none,
      domains: [],
      others: none,
    };
  }

  isFull(): boolean {
    return false;
  }

  async close(): Promise<void> {}

  get queuedMessages(): number {
    return this.#messages.size;
  }

  /** That delivery holds. */
  get claimedRecipients(): number {
    return [...this.#messages.values()].flatMap(({ waiting }) => waiting).filter(({ claimed }) => claimed).length;
  }

  /** Tells delivery of what add() brought. */
  arrive(dueAt: number): void {
    this.starter?.arrived(dueAt);
  }

  /** Resolves when outcomes were written this many times. */
  async settled(count: number): Promise<void> {
    while (this.written.length < count) {
      await new Promise<void>((resolve) => this.#wakers.add(resolve));
      this.#wakers.clear();
    }
  }
}
