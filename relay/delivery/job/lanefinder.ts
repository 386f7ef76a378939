/**
 * Gives each job its lane: what its destination allows at a time, and the pace at which it takes mail.
 *
 * On failure of the look-up the destination counts as one without limits: the attempt asks again, and ends in a deferral.
 */
import type { Chance, Clock } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import type { SnapshotSource } from "../../config/snapshot.ts";
import type { Limits } from "../../limits/limits.ts";
import { policyFor, type DestinationPolicy } from "../../mail/destination.ts";
import { asking, waiting, type Job } from "./job.ts";
import { HopFinder, standardMxPort, type HopFinderOptions } from "../resolve/hops.ts";

export interface LaneFinderOptions {
  readonly snapshots: SnapshotSource;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
  readonly limits: Pick<Limits, "destinations">;
  readonly resolving?: Partial<Pick<HopFinderOptions, "mxPort" | "openLookup">> | undefined;
  /** It may start when there is a place. */
  readonly onReady: (job: Job) => void;
  /** Its destination takes no more before then. */
  readonly onPostponed: (job: Job, dueAt: number) => void;
}

export interface NewJob {
  readonly job: Job;
  /** Where its recipients are, when it goes by MX. */
  readonly domain: string | undefined;
  /** Accepted just now. */
  readonly fresh: boolean;
}

export class LaneFinder {
  readonly hops: HopFinder;
  readonly #options: LaneFinderOptions;
  /** Those that are asking or paced. */
  readonly #pending = new Set<Job>();

  constructor(options: LaneFinderOptions) {
    const { clock, chance, limits, resolving } = options;
    this.#options = options;
    this.hops = new HopFinder({ clock, chance, limits, mxPort: standardMxPort, ...resolving });
  }

  find({ job, domain, fresh }: NewJob): void {
    if (domain === undefined) {
      job.state = waiting;
      this.#options.onReady(job);
      return;
    }
    const known = this.hops.knownPolicy(domain, this.#options.snapshots.current().relay);
    if (known !== undefined) {
      this.#admit(job, known, fresh);
      return;
    }
    job.state = asking;
    this.#pending.add(job);
    void this.#ask(job, domain, fresh);
  }

  /** Takes out every job that is not in its lane yet; nothing more is heard of them. */
  takePending(): readonly Job[] {
    const jobs = [...this.#pending];
    this.#pending.clear();
    return jobs;
  }

  /** Forgets the pace of destinations that had no mail for long. */
  forget(now: number): void {
    this.#options.limits.destinations.forget(now);
  }

  close(): void {
    this.hops.close();
  }

  /** Never rejects. */
  async #ask(job: Job, domain: string, fresh: boolean): Promise<void> {
    let policy = policyFor([], { domain, hosts: [], site: domain });
    try {
      policy = await this.hops.policy(domain, this.#options.snapshots.current().relay);
    } catch (error) {
      this.#options.log.error({ recipientDomain: domain, error: String(error) }, "could not look up a destination");
    }
    if (this.#pending.delete(job)) this.#admit(job, policy, fresh);
  }

  #admit(job: Job, { messagesPerMinute, key, maxConnections }: DestinationPolicy, fresh: boolean): void {
    const { clock, limits, onReady, onPostponed } = this.#options;
    // Twice as many as connections: the next message is signed while the one before is sent.
    job.lane = { key, cap: maxConnections * 2 };
    job.state = waiting;
    if (messagesPerMinute === undefined) {
      onReady(job);
      return;
    }
    const decision = limits.destinations.pace({ key, messagesPerMinute, now: clock.now(), fresh });
    if (decision.kind === "now") onReady(job);
    else if (decision.kind === "later") onPostponed(job, decision.dueAt);
    else {
      job.state = { kind: "paced" };
      this.#pending.add(job);
      setTimeout(() => {
        if (!this.#pending.delete(job)) return;
        job.state = waiting;
        onReady(job);
      }, decision.waitMs).unref();
    }
  }
}
