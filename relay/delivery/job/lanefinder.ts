/**
 * Gives each job its lane: what its destination allows at a time, and the pace at which it takes mail.
 *
 * On failure of the look-up the destination counts as one without limits: the attempt asks again, and ends in a deferral.
 */
import type { Clock } from "../../../runtime/clock.ts";
import type { Log } from "../../../runtime/log.ts";
import type { SnapshotSource } from "../../config/snapshot.ts";
import type { Limits } from "../../limits/limits.ts";
import { policyFor } from "../policy/destination.ts";
import { asking, waiting, type Job } from "./job.ts";
import type { Destined, NextHopFinder } from "../resolve/nexthops.ts";

export interface LaneFinderOptions {
  readonly snapshots: SnapshotSource;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Pick<Limits, "destinations">;
  readonly finder: Pick<NextHopFinder, "known" | "find">;
  /** It may start when there is a place. */
  readonly onReady: (job: Job) => void;
  /** Its destination takes no more before then. */
  readonly onPostponed: (job: Job, dueAt: number) => void;
}

export interface NewJob {
  readonly job: Job;
  /** Accepted just now. */
  readonly fresh: boolean;
}

/** What is allowed, and where it was found, unless it could not be looked up. */
type FoundOrNot = Pick<Destined, "policy"> & Partial<Destined>;

export class LaneFinder {
  readonly #options: LaneFinderOptions;
  /** Those that are asking or paced. */
  readonly #pending = new Set<Job>();

  constructor(options: LaneFinderOptions) {
    this.#options = options;
  }

  find({ job, fresh }: NewJob): void {
    const { snapshots, finder, onReady } = this.#options;
    if (job.route.kind !== "mx") {
      job.state = waiting;
      onReady(job);
      return;
    }
    const { domain } = job.route;
    const known = finder.known(domain, snapshots.current().relay);
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

  /** Never rejects. */
  async #ask(job: Job, domain: string, fresh: boolean): Promise<void> {
    const { snapshots, finder, log } = this.#options;
    let destined: FoundOrNot = { policy: policyFor([], { domain, hosts: [], site: domain }) };
    try {
      destined = await finder.find(domain, snapshots.current().relay);
    } catch (error) {
      log.error({ recipientDomain: domain, error: String(error) }, "could not look up a destination");
    }
    if (this.#pending.delete(job)) this.#admit(job, destined, fresh);
  }

  #admit(job: Job, { policy, finding }: FoundOrNot, fresh: boolean): void {
    const { clock, limits, onReady, onPostponed } = this.#options;
    const { messagesPerMinute, key, maxConnections } = policy;
    if (finding !== undefined) job.finding = finding;
    // Twice as many as connections: the next message is signed while the one before is sent.
    job.lane = { key, cap: maxConnections * 2 };
    if (messagesPerMinute === undefined) {
      job.state = waiting;
      onReady(job);
      return;
    }
    const decision = limits.destinations.pace({ key, messagesPerMinute, now: clock.now(), fresh });
    job.state = waiting;
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
