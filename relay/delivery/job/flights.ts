/**
 * What is in flight: who takes so long that others fly in its place, and who has come back with a message to hand over and waits
 * for a place of its own.
 */
import type { Clock } from "../../../runtime/clock.ts";
import type { Job } from "./job.ts";
import type { DeliverySchedule } from "./schedule.ts";

export interface FlightsOptions {
  readonly schedule: DeliverySchedule;
  readonly clock: Clock;
  /** Somebody may have stood aside: there may be a place for others. */
  readonly onLook: (now: number) => void;
}

/** A delivery that has taken this long lets others fly in its place. */
const patientMs = 2_000;
const lookRoundMs = 500;

/** Whoever waits for a place to hand a message over. */
interface Homing {
  readonly job: Job;
  readonly resolve: () => void;
}

export class Flights {
  readonly #options: FlightsOptions;
  readonly #jobs = new Set<Job>();
  #homing: Homing[] = [];
  #lookRound: NodeJS.Timeout | undefined;

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  start(job: Job): void {
    this.#jobs.add(job);
    this.#lookRound ??= setTimeout(() => this.#look(), lookRoundMs).unref();
  }

  end(job: Job): void {
    this.#jobs.delete(job);
  }

  /** A place for a message that is about to be handed over; undefined when it has one. */
  place(job: Job): Promise<void> | undefined {
    if (this.#options.schedule.handOver(job, this.#options.clock.now())) return undefined;
    return new Promise((resolve) => this.#homing.push({ job, resolve }));
  }

  /** Those who wait for a place get what is free: whoever has a message to hand over is further than who has yet to start. */
  bringHome(): void {
    if (this.#homing.length === 0) return;
    const { schedule, clock } = this.#options;
    const now = clock.now();
    this.#homing = this.#homing.filter(({ job, resolve }) => {
      // Its connection may be gone, and its attempt over.
      if (job.state.kind === "aside" && !schedule.handOver(job, now)) return true;
      resolve();
      return false;
    });
  }

  close(): void {
    clearTimeout(this.#lookRound);
  }

  /** Deliveries that wait for a silent host stand aside. */
  #look(): void {
    this.#lookRound = undefined;
    const { schedule, clock, onLook } = this.#options;
    const now = clock.now();
    for (const job of this.#jobs) {
      const { state } = job;
      if ("since" in state && now - state.since >= patientMs) schedule.slow(job);
    }
    if (this.#jobs.size > 0) this.#lookRound = setTimeout(() => this.#look(), lookRoundMs).unref();
    onLook(now);
  }
}
