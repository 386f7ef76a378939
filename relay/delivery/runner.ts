/**
 * Delivery: takes due messages out of the spool, attempts them and tells the spool what became of them.
 *
 * Promise: a window of messages is in memory, bounded in messages, recipients and octets; never more messages than places in
 * flight are with a next hop while their outcome is not durable, and nothing new is started while none can be written. Nothing
 * is polled: the spool says what was committed and when the next retry is due. What only waited when delivery stands down or
 * ends is back in the spool as it was.
 * On failure of the spool: a claim is tried again; what happens to an outcome that cannot be written is in outcomewriter.ts. An
 * exception in one delivery ends that delivery: its claim comes to its end, and the message comes back (leases.ts).
 */
import type { Log } from "../../runtime/log.ts";
import type { Snapshot } from "../config/snapshot.ts";
import type { Limits } from "../limits/limits.ts";
import type { Entry, Message, NewMessage, Recipient } from "../spool/message/message.ts";
import type { Reservation, Starter } from "../spool/start.ts";
import type { Spool } from "../spool/verbs.ts";
import { Carrier, type CarrierOptions } from "./carry.ts";
import { Feed } from "./job/feed.ts";
import { Flights } from "./job/flights.ts";
import { asking, returning, type Job } from "./job/job.ts";
import { LaneFinder } from "./job/lanefinder.ts";
import { Leases, leaseRoundMs } from "./job/leases.ts";
import { OutcomeWriter } from "./job/outcomewriter.ts";
import { groupRecipients, Parting } from "./job/parts.ts";
import { DeliverySchedule, defaultWindow, type Claimant, type LaneResult, type Window } from "./job/schedule.ts";
import { routeIn, type Route } from "./policy/route.ts";
import { createPool, type Pool } from "./pool.ts";
import { NextHopFinder, standardMxPort, type NextHopFinderOptions } from "./resolve/nexthops.ts";

export interface DeliveryOptions extends CarrierOptions {
  readonly spool: Spool;
  readonly log: Log;
  readonly limits: Pick<Limits, "destinations" | "hosts">;
  readonly window?: Window;
  readonly pool?: Pool;
  /** Between two looks for what delivery has forgotten; tests are in a hurry. */
  readonly leaseRoundMs?: number;
  /** Where MX hosts listen and who answers for the DNS, in tests. */
  readonly resolving?: Partial<Omit<NextHopFinderOptions, "clock" | "chance" | "limits">>;
}

export interface QueueRunner extends Starter {
  /**
   * Starts no attempt and takes nothing from the spool until resume(). Resolves when what only waited is back in the spool, as if
   * it had never left it; what is in flight ends as it would have.
   */
  standDown(): Promise<void>;
  /** Goes on with what is due. */
  resume(): void;
  /**
   * Starts no attempt any more and puts back what only waited, as if it had never left the spool; waits for that and for what is
   * in flight up to the deadline, then ends its connections.
   */
  close(deadlineMs: number): Promise<void>;
}

export function openDelivery(options: DeliveryOptions): QueueRunner {
  const runner = new Runner(options);
  runner.start();
  return runner;
}

class Runner implements QueueRunner {
  readonly #options: DeliveryOptions;
  readonly #schedule: DeliverySchedule;
  readonly #pool: Pool;
  readonly #finder: NextHopFinder;
  readonly #lanes: LaneFinder;
  readonly #parting = new Parting();
  readonly #feed: Feed;
  readonly #outcomes: OutcomeWriter;
  readonly #leases: Leases;
  readonly #flights: Flights;
  readonly #carrier: Carrier;
  #isDown = false;
  #closing = false;
  readonly #emptied = Promise.withResolvers<void>();

  constructor(options: DeliveryOptions) {
    const {
      clock,
      chance,
      limits,
      spool,
      log,
      metrics,
      window = defaultWindow,
      leaseRoundMs: roundMs = leaseRoundMs,
    } = options;
    this.#options = options;
    this.#schedule = new DeliverySchedule(window);
    this.#pool = options.pool ?? createPool({ clock, metrics });
    this.#outcomes = new OutcomeWriter({ spool, starter: this, log, metrics });
    this.#finder = new NextHopFinder({ clock, chance, limits, mxPort: standardMxPort, ...options.resolving });
    this.#lanes = new LaneFinder({
      ...options,
      finder: this.#finder,
      onReady: (job) => this.#enqueue(job),
      onPostponed: (job, dueAt) => void this.#putBack(job, dueAt),
    });
    this.#flights = new Flights({ schedule: this.#schedule, clock, onLook: (now) => this.#look(now) });
    this.#carrier = new Carrier(options, {
      pool: this.#pool,
      hosts: limits.hosts,
      finder: this.#finder,
      parting: this.#parting,
      outcomes: this.#outcomes,
      place: (job) => this.#flights.place(job),
      onDeferred: (dueAt) => this.#feed.wakeBy(dueAt),
    });
    this.#leases = new Leases({
      spool,
      log,
      roundMs,
      held: () => this.#schedule.heldIds(),
      onLapsed: (dueAt) => this.#feed.wakeBy(dueAt),
    });
    this.#feed = new Feed({
      spool,
      clock,
      log,
      schedule: this.#schedule,
      window,
      take: (entries) => this.#take(entries),
    });
  }

  start(): void {
    this.#leases.start();
    this.#feed.claimDue();
  }

  async standDown(): Promise<void> {
    this.#isDown = true;
    this.#feed.standDown();
    await this.#putBackWaiting();
  }

  resume(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#feed.resume();
    this.#startJobs();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#outcomes.close();
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    // What a claim under way brings is put back as it comes.
    const ended = Promise.all([this.#feed.close(), this.#putBackWaiting()]).then(async () => {
      this.#changed();
      await this.#emptied.promise;
    });
    await Promise.race([ended, deadline.promise]);
    clearTimeout(timer);
    this.#outcomes.giveUp();
    this.#flights.close();
    this.#leases.close();
    this.#finder.close();
    this.#pool.close();
  }

  /** The message is held as one part from here on. */
  reserve(message: NewMessage): Reservation | undefined {
    if (this.#closing || this.#isDown) return undefined;
    const claimant = this.#claimant(message);
    if (!this.#schedule.mayHold(claimant)) return undefined;
    this.#schedule.hold(claimant, 1);
    return {
      start: (entry) => this.#accept(entry, true),
      cancel: () => {
        this.#schedule.letGo(message.message.id, message.recipients.length);
        this.#changed();
      },
    };
  }

  arrived(dueAt: number): void {
    if (dueAt <= this.#options.clock.now()) this.#feed.noteBacklog();
    else this.#feed.wakeBy(dueAt);
  }

  #claimant({ message, recipients }: Pick<Entry, "message" | "recipients">): Claimant {
    const snapshot = this.#options.snapshots.current();
    const routes = recipients.map((recipient) => routeFor(snapshot, message, recipient));
    const [first] = routes;
    const single = routes.length === 1 && first?.kind === "mx" ? [first.domain] : undefined;
    const domains = routes.flatMap((route) => (route.kind === "mx" ? route.domain : []));
    return { message, recipients: recipients.length, destinations: single ?? [...new Set(domains)] };
  }

  #take(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const { message, recipients } = entry;
      this.#schedule.hold(this.#claimant(entry), 1);
      try {
        this.#accept(entry, false);
      } catch (error) {
        this.#options.log.error({ spoolId: message.id, error: String(error) }, "could not take a message");
        this.#schedule.letGo(message.id, recipients.length);
      }
    }
  }

  /**
   * Splits a message that is held as one part into jobs, which may start as soon as their lanes are known. Throws only before the
   * first of them may have started.
   */
  #accept({ message, recipients }: Entry, fresh: boolean): void {
    const snapshot = this.#options.snapshots.current();
    const routeOf = (recipient: Recipient): Route => routeFor(snapshot, message, recipient);
    const parts = groupRecipients(recipients, routeOf, this.#parting.sizeFor(message.id));
    this.#schedule.split(message.id, parts.length);
    for (const part of parts) {
      const lane = { key: part.route.key, cap: Number.POSITIVE_INFINITY };
      const job: Job = { message, ...part, lane, state: asking };
      if (this.#isDown || this.#closing) void this.#putBack(job);
      else this.#findLane(job, fresh);
    }
  }

  /** Never throws: other parts of the message may be in flight. A part that got nowhere comes back when its claim ends. */
  #findLane(job: Job, fresh: boolean): void {
    try {
      this.#lanes.find({ job, fresh });
    } catch (error) {
      this.#options.log.error({ spoolId: job.message.id, error: String(error) }, "could not start on a message");
      if (job.state.kind === "asking") this.#schedule.release(job);
    }
  }

  /** All that is not in flight. */
  async #putBackWaiting(): Promise<void> {
    const jobs = [...this.#lanes.takePending(), ...this.#schedule.takeWaiting()];
    await Promise.all(jobs.map(async (job) => this.#putBack(job)));
  }

  /** Back into the spool, with a time when its destination's pace gives one: it is not due before. Never rejects. */
  async #putBack(job: Job, dueAt?: number): Promise<void> {
    job.state = returning;
    const { message, recipients } = job;
    const postponed = recipients.map(({ index }) => ({ index, ...(dueAt === undefined ? {} : { dueAt }) }));
    const written = await this.#outcomes.write(job, { id: message.id, outcomes: [], postponed });
    this.#schedule.release(job);
    if (written) this.#feed.wakeBy(dueAt ?? this.#options.clock.now());
    this.#changed();
  }

  #enqueue(job: Job): void {
    this.#schedule.enqueue(job);
    this.#startJobs();
  }

  #look(now: number): void {
    this.#lanes.forget(now);
    this.#startJobs();
  }

  /** Something has ended: there may be room, and places, for others. */
  #changed(): void {
    if (this.#closing && this.#schedule.isEmpty()) this.#emptied.resolve();
    this.#startJobs();
  }

  #startJobs(): void {
    if (!this.#outcomes.isBlocked) this.#flights.bringHome();
    while (!this.#closing && !this.#isDown && !this.#outcomes.isBlocked) {
      const job = this.#schedule.take(this.#options.clock.now());
      if (job === undefined) break;
      this.#flights.start(job);
      void this.#fly(job);
    }
    this.#feed.claimBacklog();
  }

  /** Never rejects. */
  async #fly(job: Job): Promise<void> {
    let result: LaneResult | undefined;
    try {
      result = await this.#carry(job);
    } catch (error) {
      // Its claim is renewed no more: the message comes back at its registered time.
      this.#options.log.error({ spoolId: job.message.id, error: String(error) }, "an attempt ended without an outcome");
    }
    this.#flights.end(job);
    this.#schedule.finish(job, result);
    this.#changed();
  }

  async #carry(job: Job): Promise<LaneResult | undefined> {
    const { message, recipients } = job;
    const snapshot = this.#options.snapshots.current();
    const [first] = recipients;
    if (first === undefined) return undefined;
    const route = routeFor(snapshot, message, first);
    if (route.key === job.route.key) return this.#carrier.carry(job, { snapshot, route });
    // The configuration changed while the message waited: its recipients may now go different ways.
    this.#take([job]);
    return undefined;
  }
}

function routeFor(snapshot: Snapshot, message: Message, recipient: Recipient): Route {
  return routeIn(snapshot, message.domain, recipient);
}
