/**
 * What is delivered next: pure bookkeeping over the messages that are in memory, no timers and no sockets.
 *
 * Promise: sender domains take turns, so that one busy domain does not delay the others; one destination never takes
 * more than its share of the deliveries in flight, so that a slow one leaves room for the rest.
 */
import type { Message, Recipient } from "../spool/entry.ts";

/** Recipients of one message that share a route and go in one transaction. */
export interface Job {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  readonly routeKey: string;
}

/** RFC 5321 section 4.5.3.1.8: a server must take at least 100 recipients; more in one transaction is asking for 452. */
export const recipientsPerTransaction = 100;

export interface Window {
  readonly messages: number;
  readonly bytes: number;
  readonly inFlight: number;
  readonly inFlightPerRoute: number;
}

export const defaultWindow: Window = {
  messages: 1_000,
  bytes: 64 * 1024 * 1024,
  inFlight: 64,
  inFlightPerRoute: 48,
};

/** Splits recipients by route, keeping their order, and each group at the limit of a transaction. */
export function groupRecipients(
  recipients: readonly Recipient[],
  routeKeyOf: (recipient: Recipient) => string,
): { readonly routeKey: string; readonly recipients: readonly Recipient[] }[] {
  const byRoute = Map.groupBy(recipients, routeKeyOf);
  return [...byRoute].flatMap(([routeKey, all]) => {
    const count = Math.ceil(all.length / recipientsPerTransaction);
    return Array.from({ length: count }, (_, part) => ({
      routeKey,
      recipients: all.slice(part * recipientsPerTransaction, (part + 1) * recipientsPerTransaction),
    }));
  });
}

interface Held {
  /** Jobs of the message that are not settled. */
  jobs: number;
  readonly bytes: number;
}

export class DeliverySchedule {
  readonly #window: Window;
  /** Waiting jobs by sender domain, then by route. The order of the map is the order of turns. */
  readonly #waiting = new Map<string, Map<string, Job[]>>();
  readonly #held = new Map<string, Held>();
  readonly #inFlight = new Map<string, number>();
  #inFlightTotal = 0;
  #bytes = 0;

  constructor(window: Window) {
    this.#window = window;
  }

  /** Messages that may still be taken into memory. */
  room(): number {
    if (this.#bytes >= this.#window.bytes) return 0;
    return Math.max(0, this.#window.messages - this.#held.size);
  }

  get inFlight(): number {
    return this.#inFlightTotal;
  }

  isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** Takes jobs of one message in; they count until each was given to finish(). */
  add(jobs: readonly Job[]): void {
    for (const job of jobs) {
      const { id, body } = job.message;
      const held = this.#held.get(id);
      if (held !== undefined) held.jobs += 1;
      else {
        const bytes = job.message.header.length + (body.kind === "inline" ? body.bytes.length : 0);
        this.#held.set(id, { jobs: 1, bytes });
        this.#bytes += bytes;
      }
      this.#enqueue(job);
    }
  }

  /** The next job that may start now, counted as in flight; undefined when none may. */
  take(): Job | undefined {
    if (this.#inFlightTotal >= this.#window.inFlight) return undefined;
    for (const [domain, lanes] of this.#waiting) {
      for (const [routeKey, jobs] of lanes) {
        if ((this.#inFlight.get(routeKey) ?? 0) >= this.#window.inFlightPerRoute) continue;
        const job = jobs.shift();
        if (job === undefined) continue;
        this.#endTurn(domain, lanes, routeKey);
        this.#inFlight.set(routeKey, (this.#inFlight.get(routeKey) ?? 0) + 1);
        this.#inFlightTotal += 1;
        return job;
      }
    }
    return undefined;
  }

  /** The job taken is settled, or was given back in parts by add(). */
  finish(job: Job): void {
    this.#inFlightTotal -= 1;
    const left = (this.#inFlight.get(job.routeKey) ?? 1) - 1;
    if (left > 0) this.#inFlight.set(job.routeKey, left);
    else this.#inFlight.delete(job.routeKey);
    const held = this.#held.get(job.message.id);
    if (held === undefined) return;
    held.jobs -= 1;
    if (held.jobs > 0) return;
    this.#held.delete(job.message.id);
    this.#bytes -= held.bytes;
  }

  #enqueue(job: Job): void {
    const { domain } = job.message;
    const lanes = this.#waiting.get(domain) ?? new Map<string, Job[]>();
    const lane = lanes.get(job.routeKey);
    if (lane === undefined) lanes.set(job.routeKey, [job]);
    else lane.push(job);
    this.#waiting.set(domain, lanes);
  }

  /** The domain, and the route within it, go to the end of the row; empty ones leave it. */
  #endTurn(domain: string, lanes: Map<string, Job[]>, routeKey: string): void {
    const lane = lanes.get(routeKey);
    lanes.delete(routeKey);
    if (lane !== undefined && lane.length > 0) lanes.set(routeKey, lane);
    this.#waiting.delete(domain);
    if (lanes.size > 0) this.#waiting.set(domain, lanes);
  }
}
