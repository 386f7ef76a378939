/**
 * Brings due messages from the spool into the schedule. Nothing is polled while nothing waits: the spool says when the next
 * retry is due. While some senders or destinations have their share in memory, theirs are passed over, and looked for again
 * soon.
 *
 * On failure of the spool a claim is tried again.
 */
import type { Clock } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import type { Entry } from "../../spool/message/message.ts";
import type { PassOver } from "../../spool/verbs.ts";
import type { Spool } from "../../spool/verbs.ts";
import { spoolPauseMs } from "./outcomewriter.ts";
import type { DeliverySchedule, Room } from "./schedule.ts";

export interface FeedOptions {
  readonly spool: Spool;
  readonly schedule: DeliverySchedule;
  readonly clock: Clock;
  readonly log: Log;
  readonly take: (entries: readonly Entry[]) => void;
  readonly window: Room;
}

/** Asked for at once: enough to keep the hops busy, few enough that the spool's thread is free again within some 50 ms. */
const claimLimit: Room = { messages: 100, recipients: 1_000, bytes: 8 * 1024 * 1024 };
/** The longest sleep: whatever event is missed, the schedule is read again. */
const longestSleepMs = 30_000;
/**
 * Between two looks when all that is due may be somebody's who has his share: twice as long after each that is in vain. One
 * look goes through some hundred flows, so that the last of 100,000 is reached within half a minute.
 */
const crowdedPauseMs = 50;
const longestCrowdedPauseMs = 100;
/** While there is no room at all. */
const fullPauseMs = 1_000;

export class Feed {
  readonly #options: FeedOptions;
  #timer: NodeJS.Timeout | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;
  #claiming = false;
  /** The timer rang while a claim was under way. */
  #calledMeanwhile = false;
  /** The spool may hold due messages that it could not hand over for want of room. */
  #backlog = true;
  #notBefore = 0;
  #passedOver: PassOver = { senders: [], destinations: [] };
  #crowdedPauseMs = crowdedPauseMs;
  #isDown = false;
  #closed = false;
  #underWay: Promise<void> = Promise.resolve();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** Claims nothing any more. Resolves when what a claim under way brought was taken. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#underWay;
  }

  /** Claims nothing until resume(). What a claim under way brings is still taken. */
  standDown(): void {
    this.#isDown = true;
  }

  resume(): void {
    this.#isDown = false;
    this.#backlog = true;
    this.claimDue();
  }

  /** A message stays in the spool for want of room. */
  noteBacklog(): void {
    this.#backlog = true;
    this.wakeBy(this.#options.clock.now() + crowdedPauseMs);
  }

  /** Refills in large steps. */
  claimBacklog(): void {
    const { schedule, clock, window } = this.#options;
    if (!this.#backlog) return;
    const { messages, recipients } = schedule.room();
    if (messages < Math.min(window.messages / 2, claimLimit.messages)) return;
    if (recipients < Math.min(window.recipients / 2, claimLimit.recipients)) return;
    // Until then the same senders and destinations would be passed over, in vain.
    if (clock.now() < this.#notBefore && schedule.isCrowded(this.#passedOver)) return;
    this.claimDue();
  }

  wakeBy(at: number): void {
    if (at >= this.#wakeAt || this.#closed) return;
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    const delayMs = Math.min(Math.max(at - this.#options.clock.now(), 1), longestSleepMs);
    this.#timer = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      // What comes due while the spool is asked may be missing from its answers.
      this.#calledMeanwhile = this.#claiming;
      this.claimDue();
    }, delayMs);
  }

  claimDue(): void {
    if (this.#claiming || this.#closed || this.#isDown) return;
    this.#claiming = true;
    this.#underWay = this.#claim()
      .catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, "could not read due messages from the spool");
        return this.#options.clock.now() + spoolPauseMs;
      })
      .then((wakeAt) => {
        this.#claiming = false;
        this.wakeBy(this.#calledMeanwhile ? this.#options.clock.now() : wakeAt);
        this.#calledMeanwhile = false;
        this.claimBacklog();
      })
      .catch((error: unknown) => this.#options.log.fatal({ error: String(error) }, "delivery stopped"));
  }

  /** Fills the window. Resolves with the time to look again. */
  async #claim(): Promise<number> {
    const { spool, clock, schedule, take } = this.#options;
    for (;;) {
      const room = schedule.room();
      // Full: the backlog stays noted. Deliveries that end ask again when there is room for many, and we when there is for few.
      if (room.messages === 0 || this.#closed || this.#isDown) return clock.now() + fullPauseMs;
      const limit = Math.min(claimLimit.messages, room.messages);
      const recipients = Math.min(claimLimit.recipients, room.recipients);
      const octets = Math.min(claimLimit.bytes, room.bytes);
      const passOver = schedule.crowded();
      const isSelective = passOver.senders.length + passOver.destinations.length > 0;
      this.#backlog = false;
      const now = clock.now();
      const entries = await spool.claim({ now, limit, recipients, octets, passOver });
      take(entries);
      if (entries.length === limit || sizeOf(entries) >= recipients || octetsOf(entries) >= octets) {
        this.#backlog = true;
        continue;
      }
      const nextDueAt = (await spool.nextDueAt(now)) ?? Number.POSITIVE_INFINITY;
      if (!isSelective) return Math.min(nextDueAt, clock.now() + longestSleepMs);
      this.#backlog = true;
      this.#passedOver = passOver;
      this.#notBefore = clock.now() + crowdedPauseMs;
      const isVain = entries.length === 0;
      this.#crowdedPauseMs = isVain ? Math.min(this.#crowdedPauseMs * 2, longestCrowdedPauseMs) : crowdedPauseMs;
      return Math.min(nextDueAt, clock.now() + this.#crowdedPauseMs);
    }
  }
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { recipients }) => sum + recipients.length, 0);
}

function octetsOf(entries: readonly Entry[]): number {
  return entries.reduce(
    (sum, { message: { header, body } }) => sum + header.length + (body.kind === "inline" ? body.bytes.length : 0),
    0,
  );
}
