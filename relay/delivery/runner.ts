/**
 * Delivery: takes due messages out of the spool, attempts them and tells the spool what became of them.
 *
 * Promise: a window of messages is in memory, bounded in messages, recipients and octets; never more messages than places in
 * flight are with a next hop while their outcome is not durable, and nothing new is started while none can be written. Nothing
 * is polled: the spool says what was committed and when the next retry is due. What only waited when delivery stands down or
 * ends is back in the spool as it was.
 * On failure of the spool: a claim is tried again; what happens to an outcome that cannot be written is in outcomes.ts. An
 * exception in one delivery ends that delivery: its claim comes to its end, and the message comes back (leases.ts).
 */
import type { Chance, Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Snapshot, SnapshotSource } from "../config/snapshot.ts";
import type { Limits } from "../limits/limits.ts";
import { domainOf } from "../mail/address.ts";
import { routeIn, type Route } from "../mail/route.ts";
import { noHopTracer, type DeliverHop, type HopTracer } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { AttemptPhase } from "../observe/families/delivery.ts";
import type { RelayMetrics } from "../observe/metrics.ts";
import type { Entry, Message, NewMessage, Recipient } from "../spool/entry.ts";
import type { Spool } from "../spool/spool.ts";
import { attemptDelivery, type Fate } from "./attempt.ts";
import { Intake } from "./job/intake.ts";
import { asking, returning, settle, type Job } from "./job/job.ts";
import { LaneFinder } from "./job/lanefinder.ts";
import { Leases, leaseRoundMs } from "./job/leases.ts";
import { OutcomeWriter } from "./job/outcomes.ts";
import { groupRecipients, Parting } from "./job/parts.ts";
import type { HopFinderOptions } from "./resolve/hops.ts";
import { createPool, type Pool } from "./pool.ts";
import { recordAttempt, traceConclusion } from "./record.ts";
import { DeliverySchedule, defaultWindow, type Claimant, type LaneResult, type Window } from "./job/schedule.ts";
import { concludeAttempt } from "./settlement.ts";

export interface DeliveryOptions {
  readonly snapshots: SnapshotSource;
  readonly spool: Spool;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly limits: Pick<Limits, "destinations" | "hosts">;
  readonly metrics: RelayMetrics;
  readonly journal: Journal;
  /** Nothing is traced when absent. */
  readonly hops?: HopTracer;
  readonly window?: Window;
  readonly pool?: Pool;
  /** Between two looks for what delivery has forgotten; tests are in a hurry. */
  readonly leaseRoundMs?: number;
  /** Where MX hosts listen and who answers for the DNS, in tests. */
  readonly resolving?: Partial<Omit<HopFinderOptions, "clock" | "chance" | "limits">>;
}

export interface Delivery {
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

export function openDelivery(options: DeliveryOptions): Delivery {
  const runner = new Runner(options);
  runner.start();
  return runner;
}

/** A delivery that has taken this long lets others fly in its place. */
const patientMs = 2_000;
const lookRoundMs = 500;

/** Whoever waits for a place to hand a message over. */
interface Homing {
  readonly job: Job;
  readonly resolve: () => void;
}

class Runner implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #schedule: DeliverySchedule;
  readonly #pool: Pool;
  readonly #lanes: LaneFinder;
  readonly #parting = new Parting();
  readonly #intake: Intake;
  readonly #outcomes: OutcomeWriter;
  readonly #leases: Leases;
  readonly #flights = new Set<Job>();
  #homing: Homing[] = [];
  #lookRound: NodeJS.Timeout | undefined;
  #isDown = false;
  #closing = false;
  readonly #emptied = Promise.withResolvers<void>();

  constructor(options: DeliveryOptions) {
    const { clock, spool, log, metrics, window = defaultWindow, leaseRoundMs: roundMs = leaseRoundMs } = options;
    this.#options = options;
    this.#schedule = new DeliverySchedule(window);
    this.#pool = options.pool ?? createPool({ clock, metrics });
    this.#outcomes = new OutcomeWriter({ spool, log, metrics });
    this.#lanes = new LaneFinder({
      ...options,
      onReady: (job) => {
        this.#schedule.enqueue(job);
        this.#startJobs();
      },
      onPostponed: (job, dueAt) => void this.#putBack(job, dueAt),
    });
    this.#leases = new Leases({
      spool,
      log,
      roundMs,
      held: () => this.#schedule.heldIds(),
      onLapsed: (dueAt) => this.#intake.wakeBy(dueAt),
    });
    this.#intake = new Intake({
      spool,
      clock,
      log,
      schedule: this.#schedule,
      window,
      take: (entries) => {
        for (const entry of entries) {
          this.#schedule.hold(this.#claimant(entry), 1);
          this.#accept(entry, false);
        }
      },
    });
  }

  start(): void {
    this.#options.spool.deliverTo({
      reserve: (message) => this.#reserve(message),
      deliver: (entry) => this.#accept(entry, true),
      cancel: ({ message, recipients }) => {
        this.#schedule.letGo(message.id, recipients.length);
        this.#changed();
      },
      arrived: (dueAt) => {
        if (dueAt <= this.#options.clock.now()) this.#intake.noteBacklog();
        else this.#intake.wakeBy(dueAt);
      },
    });
    this.#leases.start();
    this.#intake.claimDue();
  }

  async standDown(): Promise<void> {
    this.#isDown = true;
    this.#intake.standDown();
    await this.#putBackWaiting();
  }

  resume(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#intake.resume();
    this.#startJobs();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#outcomes.close();
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    // What a claim under way brings is put back as it comes.
    const ended = Promise.all([this.#intake.close(), this.#putBackWaiting()]).then(async () => {
      this.#changed();
      await this.#emptied.promise;
    });
    await Promise.race([ended, deadline.promise]);
    clearTimeout(timer);
    this.#outcomes.giveUp();
    clearTimeout(this.#lookRound);
    this.#leases.close();
    this.#lanes.close();
    this.#pool.close();
  }

  /** Keeps a place for a message that is about to be written, as one part of it. */
  #reserve(message: NewMessage): boolean {
    if (this.#closing || this.#isDown) return false;
    const claimant = this.#claimant(message);
    if (!this.#schedule.mayHold(claimant)) return false;
    this.#schedule.hold(claimant, 1);
    return true;
  }

  #claimant({ message, recipients }: Pick<Entry, "message" | "recipients">): Claimant {
    const snapshot = this.#options.snapshots.current();
    const routes = recipients.map((recipient) => routeFor(snapshot, message, recipient));
    const [first] = routes;
    const single = routes.length === 1 && first?.kind === "mx" ? [first.domain] : undefined;
    const domains = routes.flatMap((route) => (route.kind === "mx" ? route.domain : []));
    return { message, recipients: recipients.length, destinations: single ?? [...new Set(domains)] };
  }

  /** Splits a message that is held as one part into jobs, which may start as soon as their lanes are known. */
  #accept({ message, recipients }: Entry, fresh: boolean): void {
    const snapshot = this.#options.snapshots.current();
    const keyOf = (recipient: Recipient): string => routeFor(snapshot, message, recipient).key;
    const parts = groupRecipients(recipients, keyOf, this.#parting.sizeFor(message.id));
    this.#schedule.split(message.id, parts.length);
    for (const part of parts) {
      const [first] = part.recipients;
      if (first === undefined) continue;
      const route = routeFor(snapshot, message, first);
      const lane = { key: route.key, cap: Number.POSITIVE_INFINITY };
      const job: Job = { message, recipients: part.recipients, routeKey: part.routeKey, lane, state: asking };
      if (this.#isDown || this.#closing) void this.#putBack(job);
      else this.#lanes.find({ job, domain: route.kind === "mx" ? route.domain : undefined, fresh });
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
    if (written) this.#intake.wakeBy(dueAt ?? this.#options.clock.now());
    this.#changed();
  }

  /** Something has ended: there may be room, and places, for others. */
  #changed(): void {
    if (this.#closing && this.#schedule.isEmpty()) this.#emptied.resolve();
    this.#startJobs();
  }

  #startJobs(): void {
    // First: who has a message to hand over is further than who has yet to start.
    if (this.#homing.length > 0 && !this.#outcomes.isBlocked) this.#bringHome();
    while (!this.#closing && !this.#isDown && !this.#outcomes.isBlocked) {
      const job = this.#schedule.take(this.#options.clock.now());
      if (job === undefined) break;
      this.#flights.add(job);
      void this.#fly(job);
      this.#lookRound ??= setTimeout(() => this.#letPass(), lookRoundMs).unref();
    }
    this.#intake.claimBacklog();
  }

  /** Never rejects. */
  async #fly(job: Job): Promise<void> {
    let result: LaneResult | undefined;
    try {
      result = await this.#deliver(job);
    } catch (error) {
      // Its claim is renewed no more: the message comes back at its registered time.
      this.#options.log.error({ spoolId: job.message.id, error: String(error) }, "an attempt ended without an outcome");
    }
    this.#flights.delete(job);
    this.#schedule.finish(job, result);
    this.#changed();
  }

  /** Deliveries that wait for a silent host stand aside. */
  #letPass(): void {
    this.#lookRound = undefined;
    const now = this.#options.clock.now();
    this.#lanes.forget(now);
    for (const job of this.#flights) {
      const { state } = job;
      if ("since" in state && now - state.since >= patientMs) this.#schedule.slow(job);
    }
    if (this.#flights.size > 0) this.#lookRound = setTimeout(() => this.#letPass(), lookRoundMs).unref();
    this.#startJobs();
  }

  /** A place for a message that is about to be handed over; undefined when it has one. */
  #place(job: Job): Promise<void> | undefined {
    if (this.#schedule.handOver(job, this.#options.clock.now())) return undefined;
    return new Promise((resolve) => this.#homing.push({ job, resolve }));
  }

  #bringHome(): void {
    const now = this.#options.clock.now();
    this.#homing = this.#homing.filter(({ job, resolve }) => {
      // Its connection may be gone, and its attempt over.
      if (job.state.kind === "aside" && !this.#schedule.handOver(job, now)) return true;
      resolve();
      return false;
    });
  }

  async #deliver(job: Job): Promise<LaneResult | undefined> {
    const { message, recipients } = job;
    const { snapshots, clock, metrics, hops = noHopTracer } = this.#options;
    const snapshot = snapshots.current();
    const [first] = recipients;
    if (first === undefined) return undefined;
    const route = routeFor(snapshot, message, first);
    if (route.key !== job.routeKey) {
      // The configuration changed while the message waited: its recipients may now go different ways.
      this.#schedule.hold(this.#claimant(job), 1);
      this.#accept(job, false);
      return undefined;
    }
    const hop = hops.deliver({ message, recipients, now: clock.now() });
    try {
      if (first.attempts <= 1) metrics.phaseEnded("wait", (clock.now() - message.acceptedAt) / 1000);
      const fates = await this.#attempt(job, { snapshot, route, hop });
      settle(job);
      this.#parting.learn(message.id, fates);
      return await this.#conclude(job, { snapshot, fates, hop });
    } finally {
      hop?.end(undefined);
    }
  }

  async #attempt(job: Job, { snapshot, route, hop }: Way): Promise<readonly Fate[]> {
    const { clock, spool, limits } = this.#options;
    return attemptDelivery(job.message, job.recipients, {
      snapshot,
      route,
      pool: this.#pool,
      hosts: limits.hosts,
      readBody: ({ id }) => bodyChunks(spool.readBody(id)),
      findHops: (way) => this.#lanes.hops.hops(way, snapshot.relay),
      now: clock.now(),
      place: () => this.#place(job),
      timed: (phase, work) => this.#timed(phase, work),
      hop,
    });
  }

  /** People and panels are told of an outcome when it is durable, and not before. */
  async #conclude(job: Job, { snapshot, fates, hop }: Ended): Promise<LaneResult | undefined> {
    const { clock, chance, journal, metrics } = this.#options;
    const { message } = job;
    const conclusion = concludeAttempt({ message, fates, snapshot, now: clock.now(), chance });
    const { results, notices } = traceConclusion(conclusion, hop);
    const outcomes = results.map(({ outcome }) => outcome);
    const settlement = { id: message.id, outcomes, notices: notices.map(({ entry }) => entry) };
    if (!(await this.#outcomes.write(job, settlement))) return undefined;
    hop?.end(outcomes);
    recordAttempt({ message, results, notices, now: clock.now(), traceId: hop?.traceId }, journal, metrics);
    for (const outcome of outcomes) if (outcome.kind === "deferred") this.#intake.wakeBy(outcome.dueAt);
    return laneResult(fates);
  }

  async #timed<T>(phase: AttemptPhase, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#options.metrics.phaseEnded(phase, (performance.now() - startedAt) / 1000);
    }
  }
}

/** What an attempt begins with. */
interface Way {
  readonly snapshot: Snapshot;
  readonly route: Route;
  readonly hop: DeliverHop | undefined;
}

/** What it ends with. */
interface Ended extends Omit<Way, "route"> {
  readonly fates: readonly Fate[];
}

/** What the fates of a delivery say about the hosts of its destination; undefined when they say nothing. */
function laneResult(fates: readonly Fate[]): LaneResult | undefined {
  const troubles = fates.flatMap((fate) => (fate.kind === "undelivered" && fate.verdict.scope === "host" ? fate : []));
  if (troubles.length < fates.length) return "good";
  if (troubles.every(({ hosts }) => hosts === "resting")) return "untried";
  return troubles.every(({ hosts }) => hosts !== undefined) ? "bad" : undefined;
}

function routeFor(snapshot: Snapshot, message: Message, recipient: Recipient): Route {
  return routeIn(snapshot, message.domain, domainOf(recipient.address));
}

async function* bodyChunks(stream: NodeJS.ReadableStream): AsyncIterable<Buffer | string> {
  yield* stream;
}
