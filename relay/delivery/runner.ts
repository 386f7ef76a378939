/**
 * Delivery: takes due messages out of the spool, attempts them and tells the spool what became of them.
 *
 * Promise: a bounded window of messages is in memory, a bounded number is in flight, and a delivery counts as in flight
 * until its outcome is durable. Nothing is polled: the spool says what was committed and when the next retry is due.
 * On failure of the spool: a claim is tried again; an outcome that can not be written stops new attempts until it is,
 * because forgetting it would send the message twice.
 */
import type { Chance, Clock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Snapshot, SnapshotSource } from "../config/snapshot.ts";
import { domainOf } from "../mail/address.ts";
import { policyFor, type DestinationPolicy } from "../mail/destination.ts";
import { Pace } from "../mail/pace.ts";
import { routeIn, type Route } from "../mail/route.ts";
import { noHopTracer, type DeliverHop, type HopTracer } from "../observe/hop.ts";
import type { Journal } from "../observe/journal.ts";
import type { AttemptPhase } from "../observe/families/delivery.ts";
import type { RelayMetrics } from "../observe/metrics.ts";
import type { Entry, Message, NewMessage, Recipient, Settlement } from "../spool/entry.ts";
import type { Spool } from "../spool/spool.ts";
import { attemptDelivery, type Fate } from "./attempt.ts";
import { HostMemory } from "./hostmemory.ts";
import { Intake, spoolPauseMs } from "./intake.ts";
import { HopFinder, standardMxPort, type HopFinderOptions } from "./resolve/hops.ts";
import { createPool, type Pool } from "./pool.ts";
import { recordAttempt, traceConclusion } from "./record.ts";
import {
  DeliverySchedule,
  defaultWindow,
  groupRecipients,
  type Claimant,
  type Job,
  type LaneResult,
  type Window,
} from "./schedule.ts";
import { concludeAttempt } from "./settlement.ts";

export interface DeliveryOptions {
  readonly snapshots: SnapshotSource;
  readonly spool: Spool;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly metrics: RelayMetrics;
  readonly journal: Journal;
  /** Nothing is traced when absent. */
  readonly hops?: HopTracer;
  readonly window?: Window;
  readonly pool?: Pool;
  /** Where MX hosts listen and who answers for the DNS, in tests. */
  readonly resolving?: Partial<Omit<HopFinderOptions, "clock" | "chance">>;
}

export interface Delivery {
  /**
   * Starts no attempt and takes nothing from the spool until resume(). Resolves when what only waited is back in the spool, as if
   * it had never left it; what is in flight ends as it would have.
   */
  standDown(): Promise<void>;
  /** Goes on with what is due. */
  resume(): void;
  /** Starts no attempt any more, waits for those in flight up to the deadline, then ends their connections. */
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

class Runner implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #schedule: DeliverySchedule;
  readonly #pool: Pool;
  readonly #hosts: HostMemory;
  readonly #finder: HopFinder;
  readonly #pace = new Pace();
  readonly #intake: Intake;
  /** Deliveries under way, and when they began. */
  readonly #flights = new Map<Promise<void>, { readonly job: Job; readonly since: number }>();
  #lookRound: NodeJS.Timeout | undefined;
  #unwritten = 0;
  #isDown = false;
  #closing = false;
  #abandoned = false;

  constructor(options: DeliveryOptions) {
    const { clock, chance, spool, log, window = defaultWindow } = options;
    this.#options = options;
    this.#schedule = new DeliverySchedule(window);
    this.#pool = options.pool ?? createPool({ clock, metrics: options.metrics });
    this.#hosts = new HostMemory(clock);
    this.#finder = new HopFinder({ clock, chance, mxPort: standardMxPort, ...options.resolving });
    this.#intake = new Intake({
      spool,
      clock,
      log,
      schedule: this.#schedule,
      windowMessages: window.messages,
      take: (entries) => this.#take(entries),
    });
  }

  start(): void {
    this.#options.spool.deliverTo({
      reserve: (message) => this.#reserve(message),
      deliver: ({ message, recipients }) => {
        this.#accept(message, recipients, true);
        this.#schedule.release(message.id, 1);
        this.#startJobs();
      },
      cancel: (id) => this.#schedule.release(id, 1),
      arrived: (dueAt) => {
        if (dueAt <= this.#options.clock.now()) this.#intake.noteBacklog();
        else this.#intake.wakeBy(dueAt);
      },
    });
    this.#intake.claimDue();
  }

  async standDown(): Promise<void> {
    this.#isDown = true;
    this.#intake.standDown();
    await Promise.all(this.#schedule.takeWaiting().map(async (job) => this.#putBack(job)));
  }

  resume(): void {
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#intake.resume();
    this.#startJobs();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    this.#intake.close();
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    await Promise.race([Promise.all(this.#flights.keys()), deadline.promise]);
    clearTimeout(timer);
    // From here on nothing is settled: the attempts stay registered, and the next start takes them up.
    this.#abandoned = true;
    clearTimeout(this.#lookRound);
    this.#finder.close();
    this.#pool.close();
  }

  /** Keeps a place for a message that is about to be written, as one part of it. */
  #reserve({ message, recipients }: NewMessage): boolean {
    if (this.#closing || this.#isDown) return false;
    const claimant = this.#claimant(message, recipients);
    if (!this.#schedule.mayHold(claimant)) {
      return false;
    }
    this.#schedule.hold(claimant, 1);
    return true;
  }

  #take(entries: readonly Entry[]): void {
    for (const { message, recipients } of entries) this.#accept(message, recipients, false);
    this.#startJobs();
  }

  #claimant(message: Message, recipients: readonly Recipient[]): Claimant {
    const snapshot = this.#options.snapshots.current();
    const routes = recipients.map((recipient) => routeFor(snapshot, message, recipient));
    const [first] = routes;
    const single = routes.length === 1 && first?.kind === "mx" ? [first.domain] : undefined;
    const domains = routes.flatMap((route) => (route.kind === "mx" ? route.domain : []));
    return { message, destinations: single ?? [...new Set(domains)] };
  }

  /** Splits a message into jobs, which may start as soon as it is known what their destinations allow. */
  #accept(message: Message, recipients: readonly Recipient[], fresh: boolean): void {
    const snapshot = this.#options.snapshots.current();
    const groups = groupRecipients(recipients, (recipient) => routeFor(snapshot, message, recipient).key);
    this.#schedule.hold(this.#claimant(message, recipients), groups.length);
    for (const group of groups) {
      const [recipient] = group.recipients;
      if (recipient === undefined) continue;
      const route = routeFor(snapshot, message, recipient);
      const part = { message, fresh, ...group };
      if (route.kind !== "mx") {
        this.#enqueue({ ...part, lane: { key: route.key, cap: Number.POSITIVE_INFINITY } });
        continue;
      }
      const known = this.#finder.knownPolicy(route.domain, snapshot.relay);
      if (known !== undefined) this.#admit(part, known);
      else void this.#admitWhenKnown(part, route.domain);
    }
  }

  /** Never rejects. */
  async #admitWhenKnown(part: Part, domain: string): Promise<void> {
    let policy = policyFor([], { domain, hosts: [], site: domain });
    try {
      policy = await this.#finder.policy(domain, this.#options.snapshots.current().relay);
    } catch (error) {
      // The attempt will ask again, and end in a deferral.
      this.#options.log.error({ recipientDomain: domain, error: String(error) }, "could not look up a destination");
    }
    if (this.#closing) return;
    this.#admit(part, policy);
    this.#startJobs();
  }

  /** Lets a job start now, or when its destination takes more. */
  #admit({ fresh, ...part }: Part, policy: DestinationPolicy): void {
    // Twice as many as connections: the next message is signed while the one before is sent.
    const job: Job = { ...part, lane: { key: policy.key, cap: policy.maxConnections * 2 } };
    const { messagesPerMinute, key } = policy;
    if (messagesPerMinute === undefined || this.#isDown) {
      this.#enqueue(job);
      return;
    }
    const decision = this.#pace.ask({ key, messagesPerMinute, now: this.#options.clock.now(), fresh });
    if (decision.kind === "now") this.#enqueue(job);
    else if (decision.kind === "later") void this.#putBack(job, decision.dueAt);
    else {
      setTimeout(() => {
        this.#enqueue(job);
        this.#startJobs();
      }, decision.waitMs).unref();
    }
  }

  #enqueue(job: Job): void {
    if (this.#isDown) void this.#putBack(job);
    else this.#schedule.enqueue(job);
  }

  /** Back into the spool, with a time when its destination's pace gives one: it is not due before. Never rejects. */
  async #putBack({ message, recipients }: Job, dueAt?: number): Promise<void> {
    const postponed = recipients.map(({ index }) => ({ index, ...(dueAt === undefined ? {} : { dueAt }) }));
    const written = await this.#settle({ id: message.id, outcomes: [], postponed });
    this.#schedule.release(message.id, 1);
    if (written) this.#intake.wakeBy(dueAt ?? this.#options.clock.now());
    this.#startJobs();
  }

  #startJobs(): void {
    while (!this.#closing && !this.#isDown && this.#unwritten === 0) {
      const job = this.#schedule.take();
      if (job === undefined) break;
      const flight: Promise<void> = this.#deliver(job).then((result) => {
        this.#flights.delete(flight);
        this.#schedule.finish(job, result);
        this.#startJobs();
      });
      this.#flights.set(flight, { job, since: this.#options.clock.now() });
      this.#lookRound ??= setTimeout(() => this.#letPass(), lookRoundMs).unref();
    }
    this.#intake.claimBacklog();
  }

  /** Deliveries that wait for a silent host stand aside. */
  #letPass(): void {
    this.#lookRound = undefined;
    const now = this.#options.clock.now();
    this.#pace.forget(now);
    for (const { job, since } of this.#flights.values()) if (now - since >= patientMs) this.#schedule.standAside(job);
    if (this.#flights.size > 0) this.#lookRound = setTimeout(() => this.#letPass(), lookRoundMs).unref();
    this.#startJobs();
  }

  /** Never rejects. */
  async #deliver(job: Job): Promise<LaneResult | undefined> {
    const { message, recipients } = job;
    const { snapshots, clock, chance, spool, log, metrics, journal, hops = noHopTracer } = this.#options;
    let hop: DeliverHop | undefined;
    try {
      const snapshot = snapshots.current();
      const [first] = recipients;
      if (first === undefined) return undefined;
      const route = routeFor(snapshot, message, first);
      if (route.key !== job.routeKey) {
        // The configuration changed while the message waited: its recipients may now go different ways.
        this.#accept(message, recipients, false);
        return undefined;
      }
      hop = hops.deliver({ message, recipients, now: clock.now() });
      if (first.attempts <= 1) metrics.phaseEnded("wait", (clock.now() - message.acceptedAt) / 1000);
      const fates = await attemptDelivery(message, recipients, {
        snapshot,
        route,
        pool: this.#pool,
        hosts: this.#hosts,
        readBody: ({ id }) => bodyChunks(spool.readBody(id)),
        findHops: (way) => this.#finder.hops(way, snapshot.relay),
        now: clock.now(),
        timed: (phase, work) => this.#timed(phase, work),
        hop,
      });
      if (this.#abandoned) return undefined;
      const conclusion = concludeAttempt({ message, fates, snapshot, now: clock.now(), chance });
      const { results, notices } = traceConclusion(conclusion, hop);
      const outcomes = results.map(({ outcome }) => outcome);
      const written = await this.#settle({ id: message.id, outcomes, notices: notices.map(({ entry }) => entry) });
      if (!written) return undefined;
      hop?.end(outcomes);
      recordAttempt({ message, results, notices, now: clock.now(), traceId: hop?.traceId }, journal, metrics);
      for (const outcome of outcomes) if (outcome.kind === "deferred") this.#intake.wakeBy(outcome.dueAt);
      return laneResult(fates);
    } catch (error) {
      log.error({ spoolId: message.id, error: String(error) }, "an attempt ended without an outcome");
      return undefined;
    } finally {
      hop?.end(undefined);
    }
  }

  async #timed<T>(phase: AttemptPhase, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#options.metrics.phaseEnded(phase, (performance.now() - startedAt) / 1000);
    }
  }

  /** Resolves with true once the outcome is durable; with false only when delivery was given up meanwhile. */
  async #settle(settlement: Settlement): Promise<boolean> {
    for (let tries = 0; ; tries += 1) {
      try {
        await this.#options.spool.settle(settlement);
        if (tries > 0) this.#unwritten -= 1;
        return true;
      } catch (error) {
        if (tries === 0) this.#unwritten += 1;
        this.#options.log.error(
          { spoolId: settlement.id, error: String(error) },
          "could not write an outcome; deliveries pause until it is written",
        );
        if (this.#closing || this.#abandoned) return false;
        await new Promise((resolve) => setTimeout(resolve, spoolPauseMs));
      }
    }
  }
}

/** A job before it is known what its destination allows. */
interface Part extends Omit<Job, "lane"> {
  /** Accepted just now. */
  readonly fresh: boolean;
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
