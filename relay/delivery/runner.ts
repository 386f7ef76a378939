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
import { routeOf, type Route } from "../mail/route.ts";
import { noHopTracer, type DeliverHop, type HopTracer } from "../observe/hop.ts";
import type { RelayMetrics } from "../observe/metrics.ts";
import type { Entry, Message, Recipient, Settlement } from "../spool/entry.ts";
import type { Spool } from "../spool/spool.ts";
import { attemptDelivery } from "./attempt.ts";
import { HostMemory } from "./hostmemory.ts";
import { HopFinder, standardMxPort, type HopFinderOptions } from "./resolve/hops.ts";
import { createPool, type Pool } from "./pool.ts";
import { recordAttempt, traceConclusion } from "./record.ts";
import { DeliverySchedule, defaultWindow, groupRecipients, type Job, type Window } from "./schedule.ts";
import { concludeAttempt } from "./settlement.ts";

export interface DeliveryOptions {
  readonly snapshots: SnapshotSource;
  readonly spool: Spool;
  readonly log: Log;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly metrics: RelayMetrics;
  /** Nothing is traced when absent. */
  readonly hops?: HopTracer;
  readonly window?: Window;
  readonly pool?: Pool;
  /** Where MX hosts listen and who answers for the DNS, in tests. */
  readonly resolving?: Partial<Pick<HopFinderOptions, "mxPort" | "openLookup">>;
}

export interface Delivery {
  /** Starts no attempt any more, waits for those in flight up to the deadline, then ends their connections. */
  close(deadlineMs: number): Promise<void>;
}

export function openDelivery(options: DeliveryOptions): Delivery {
  const runner = new Runner(options);
  runner.start();
  return runner;
}

/** Messages asked for at once: enough to keep the hops busy, few enough that the spool's thread stays responsive. */
const claimLimit = 100;
/** After trouble with the spool, and when it says something is due that it does not hand out. */
const spoolPauseMs = 1_000;
/** The longest sleep: whatever event is missed, the schedule is read again. */
const longestSleepMs = 30_000;

class Runner implements Delivery {
  readonly #options: DeliveryOptions;
  readonly #schedule: DeliverySchedule;
  readonly #window: Window;
  readonly #pool: Pool;
  readonly #hosts: HostMemory;
  readonly #finder: HopFinder;
  readonly #flights = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;
  #claiming = false;
  /** The spool may hold due messages that it could not hand over for want of room. */
  #backlog = true;
  #unwritten = 0;
  #closing = false;
  #abandoned = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#window = options.window ?? defaultWindow;
    this.#schedule = new DeliverySchedule(this.#window);
    this.#pool = options.pool ?? createPool({ clock: options.clock, metrics: options.metrics });
    this.#hosts = new HostMemory(options.clock);
    const { clock, chance } = options;
    this.#finder = new HopFinder({ clock, chance, mxPort: standardMxPort, ...options.resolving });
  }

  start(): void {
    this.#options.spool.onCommitted(
      (entry) => this.#take([entry]),
      () => this.#room(),
    );
    this.#claimDue();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#timer);
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    await Promise.race([Promise.all(this.#flights), deadline.promise]);
    clearTimeout(timer);
    // From here on nothing is settled: the attempts stay registered, and the next start takes them up.
    this.#abandoned = true;
    this.#finder.close();
    this.#pool.close();
  }

  /** What the window still takes. Half full means that a commit may have found no room: the rest must be asked for. */
  #room(): number {
    if (this.#closing) return 0;
    const room = this.#schedule.room();
    if (room < this.#window.messages / 2) this.#backlog = true;
    return room;
  }

  #take(entries: readonly Entry[]): void {
    for (const { message, recipients } of entries) this.#schedule.add(this.#jobsOf(message, recipients));
    this.#startJobs();
  }

  #jobsOf(message: Message, recipients: readonly Recipient[]): Job[] {
    const snapshot = this.#options.snapshots.current();
    const groups = groupRecipients(recipients, (recipient) => routeFor(snapshot, message, recipient).key);
    return groups.map((group) => ({ message, ...group }));
  }

  #startJobs(): void {
    while (!this.#closing && this.#unwritten === 0) {
      const job = this.#schedule.take();
      if (job === undefined) break;
      const flight: Promise<void> = this.#deliver(job).finally(() => {
        this.#flights.delete(flight);
        this.#schedule.finish(job);
        this.#startJobs();
      });
      this.#flights.add(flight);
    }
    this.#claimBacklog();
  }

  /** Refills in large steps: half a window at a time. */
  #claimBacklog(): void {
    if (this.#backlog && this.#schedule.room() >= this.#window.messages / 2) this.#claimDue();
  }

  /** Never rejects. */
  async #deliver(job: Job): Promise<void> {
    const { message, recipients } = job;
    const { snapshots, clock, chance, spool, log, metrics, hops = noHopTracer } = this.#options;
    let hop: DeliverHop | undefined;
    try {
      const snapshot = snapshots.current();
      const [first] = recipients;
      if (first === undefined) return;
      const route = routeFor(snapshot, message, first);
      if (route.key !== job.routeKey) {
        // The configuration changed while the message waited: its recipients may now go different ways.
        this.#schedule.add(this.#jobsOf(message, recipients));
        return;
      }
      hop = hops.deliver({ message, recipients, now: clock.now() });
      const fates = await attemptDelivery(message, recipients, {
        snapshot,
        route,
        pool: this.#pool,
        hosts: this.#hosts,
        readBody: ({ id }) => bodyChunks(spool.readBody(id)),
        findHops: (way) => this.#finder.hops(way, snapshot.relay),
        now: clock.now(),
        hop,
      });
      if (this.#abandoned) return;
      const conclusion = concludeAttempt({ message, fates, snapshot, now: clock.now(), chance });
      const { results, notices } = traceConclusion(conclusion, hop);
      const outcomes = results.map(({ outcome }) => outcome);
      const written = await this.#settle({ id: message.id, outcomes, notices: notices.map(({ entry }) => entry) });
      if (!written) return;
      hop?.end(outcomes);
      recordAttempt({ message, results, notices, now: clock.now(), traceId: hop?.traceId }, log, metrics);
      for (const outcome of outcomes) if (outcome.kind === "deferred") this.#wakeBy(outcome.dueAt);
    } catch (error) {
      log.error({ spoolId: message.id, error: String(error) }, "an attempt ended without an outcome");
    } finally {
      hop?.end(undefined);
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

  #wakeBy(at: number): void {
    if (at >= this.#wakeAt || this.#closing) return;
    clearTimeout(this.#timer);
    this.#wakeAt = at;
    const delayMs = Math.min(Math.max(at - this.#options.clock.now(), 1), longestSleepMs);
    this.#timer = setTimeout(() => {
      this.#wakeAt = Number.POSITIVE_INFINITY;
      this.#claimDue();
    }, delayMs);
  }

  #claimDue(): void {
    if (this.#claiming || this.#closing) return;
    this.#claiming = true;
    this.#claim()
      .catch((error: unknown) => {
        this.#options.log.error({ error: String(error) }, "could not read due messages from the spool");
        return this.#options.clock.now() + spoolPauseMs;
      })
      .then((wakeAt) => {
        this.#claiming = false;
        this.#wakeBy(wakeAt);
        this.#claimBacklog();
      })
      .catch((error: unknown) => this.#options.log.fatal({ error: String(error) }, "delivery stopped"));
  }

  /** Fills the window. Resolves with the time to look again. */
  async #claim(): Promise<number> {
    const { spool, clock } = this.#options;
    let askedAt: number;
    for (;;) {
      const limit = Math.min(claimLimit, this.#schedule.room());
      // Full: the backlog stays noted, and the next delivery that ends asks again.
      if (limit === 0 || this.#closing) return clock.now() + longestSleepMs;
      this.#backlog = false;
      askedAt = clock.now();
      const entries = await spool.claim(askedAt, limit);
      this.#take(entries);
      if (entries.length < limit) break;
      this.#backlog = true;
    }
    const dueAt = await spool.nextDueAt();
    const now = clock.now();
    if (dueAt === undefined) return now + longestSleepMs;
    // Due when it was asked for and not handed over: the spool is in trouble. What came due since then is no such sign.
    return dueAt > askedAt ? dueAt : now + spoolPauseMs;
  }
}

function routeFor(snapshot: Snapshot, message: Message, recipient: Recipient): Route {
  return routeOf(snapshot.relay, snapshot.domains.get(message.domain), domainOf(recipient.address));
}

async function* bodyChunks(stream: NodeJS.ReadableStream): AsyncIterable<Buffer | string> {
  yield* stream;
}
