/**
 * What is delivered next: pure bookkeeping over the messages that are in memory, no timers and no sockets.
 *
 * Promise: whoever has little in delivery always finds room. Memory and deliveries in flight are shared by dynamic thresholds:
 * nobody may hold more than a share of what is still free, so that the busier somebody is, the more others keep in reserve.
 * A destination starts with few deliveries at a time, gets more with each success and one after a failure; a delivery that
 * takes long stands aside and no longer counts against the others.
 */
import type { Message, PassOver, Recipient } from "../spool/entry.ts";

/** Destinations with the same key are one: they share connections, and success and failure. */
export interface Lane {
  readonly key: string;
  /** Deliveries at a time, at most. */
  readonly cap: number;
}

/** Recipients of one message that share a route and go in one transaction. */
export interface Job {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  readonly routeKey: string;
  readonly lane: Lane;
}

/** What a delivery says about its destination: `untried` when it was not dialed because it had failed just before. */
export type LaneResult = "good" | "bad" | "untried";

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

/** Whose share a message counts in. */
export interface Claimant {
  readonly message: Message;
  /** Recipient domains with a way of their own; none when all mail goes by the same smarthosts. */
  readonly destinations: readonly string[];
}

interface Held {
  /** Jobs of the message that are not settled. */
  parts: number;
  readonly bytes: number;
  readonly sender: string;
  readonly destinations: readonly string[];
}

interface Share {
  messages: number;
  bytes: number;
}

interface LaneState {
  /** In flight, those that stand aside included. */
  flights: number;
  allowed: number;
}

/** Where a destination starts: enough to find out whether it answers, few enough to wait for one that does not. */
const firstAllowed = 4;
const rememberedLanes = 10_000;
/** A single sender holds three quarters of the deliveries in flight, two hold three sevenths each, and so on. */
const flightShare = 3;
/** A single destination holds a third of the memory, a single sender a half. */
const destinationShare = 0.5;

export class DeliverySchedule {
  readonly #window: Window;
  /** Waiting jobs by sender domain, then by lane. The order of the map is the order of turns. */
  readonly #waiting = new Map<string, Map<string, Job[]>>();
  readonly #held = new Map<string, Held>();
  readonly #senders = new Map<string, Share>();
  readonly #destinations = new Map<string, Share>();
  readonly #lanes = new Map<string, LaneState>();
  readonly #flightsOfSender = new Map<string, number>();
  readonly #aside = new Set<Job>();
  #inFlight = 0;
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
    return this.#inFlight;
  }

  isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** Whether one more message may be taken without taking from others. */
  mayHold({ message, destinations }: Claimant): boolean {
    if (this.#isFull(this.#senders.get(message.domain), 1)) return false;
    return !destinations.some((one) => this.#isFull(this.#destinations.get(one), destinationShare));
  }

  /** Sender and recipient domains of which no more should be taken now. */
  crowded(): PassOver {
    const full = (shares: ReadonlyMap<string, Share>, part: number): string[] =>
      [...shares].filter(([, share]) => this.#isFull(share, part)).map(([domain]) => domain);
    return { senders: full(this.#senders, 1), destinations: full(this.#destinations, destinationShare) };
  }

  /** Whether all of these still have their share. */
  isCrowded({ senders, destinations }: PassOver): boolean {
    return (
      senders.every((one) => this.#isFull(this.#senders.get(one), 1)) &&
      destinations.every((one) => this.#isFull(this.#destinations.get(one), destinationShare))
    );
  }

  /** Takes jobs of a message in; they count until each was given to finish() or release(). */
  hold({ message, destinations }: Claimant, parts: number): void {
    const { id, body, domain } = message;
    const known = this.#held.get(id);
    if (known !== undefined) {
      known.parts += parts;
      return;
    }
    const bytes = message.header.length + (body.kind === "inline" ? body.bytes.length : 0);
    const held = { parts, bytes, sender: domain, destinations };
    this.#held.set(id, held);
    this.#bytes += bytes;
    this.#count(held, 1);
  }

  /** Jobs of the message are done with, without having been in flight. */
  release(id: string, parts: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    held.parts -= parts;
    if (held.parts > 0) return;
    this.#held.delete(id);
    this.#bytes -= held.bytes;
    this.#count(held, -1);
  }

  /** A job of a message that is held may start. */
  enqueue(job: Job): void {
    const { domain } = job.message;
    const lanes = this.#waiting.get(domain) ?? new Map<string, Job[]>();
    const lane = lanes.get(job.lane.key);
    if (lane === undefined) lanes.set(job.lane.key, [job]);
    else lane.push(job);
    this.#waiting.set(domain, lanes);
  }

  /** The next job that may start now, counted as in flight; undefined when none may. */
  take(): Job | undefined {
    const most = flightShare * (this.#window.inFlight - this.#inFlight);
    if (most <= 0) return undefined;
    for (const [domain, lanes] of this.#waiting) {
      const flights = this.#flightsOfSender.get(domain) ?? 0;
      if (flights >= most) continue;
      for (const [laneKey, jobs] of lanes) {
        const [job] = jobs;
        if (job === undefined || !this.#mayFly(job.lane, most)) continue;
        jobs.shift();
        this.#endTurn(domain, lanes, laneKey);
        this.#laneOf(job.lane).flights += 1;
        this.#flightsOfSender.set(domain, flights + 1);
        this.#inFlight += 1;
        return job;
      }
    }
    return undefined;
  }

  /** Takes out every job that waits; they are held still, until release(). */
  takeWaiting(): readonly Job[] {
    const jobs = [...this.#waiting.values()].flatMap((lanes) => [...lanes.values()].flat());
    this.#waiting.clear();
    return jobs;
  }

  /** The job takes long: others may fly in its place, and its destination gets no more than it needs. */
  standAside(job: Job): void {
    if (this.#aside.has(job) || this.#aside.size >= this.#window.messages / 2) return;
    this.#aside.add(job);
    this.#leaveFlight(job);
    const lane = this.#laneOf(job.lane);
    lane.allowed = Math.max(1, Math.floor(lane.allowed / 2));
  }

  /** The job taken is settled, or was given back in parts by hold(). */
  finish(job: Job, result?: LaneResult): void {
    if (!this.#aside.delete(job)) this.#leaveFlight(job);
    const lane = this.#laneOf(job.lane);
    lane.flights -= 1;
    if (result === "good") lane.allowed = Math.min(lane.allowed * 2, this.#window.inFlightPerRoute);
    // Putting mail off costs little; only dialing is kept to one.
    else if (result !== undefined) lane.allowed = result === "bad" ? 1 : firstAllowed;
    this.release(job.message.id, 1);
  }

  #mayFly(lane: Lane, most: number): boolean {
    const state = this.#lanes.get(lane.key);
    if (state === undefined) return true;
    return state.flights < Math.min(lane.cap, state.allowed, this.#window.inFlightPerRoute, Math.max(most, 1));
  }

  #leaveFlight(job: Job): void {
    this.#inFlight -= 1;
    const { domain } = job.message;
    const left = (this.#flightsOfSender.get(domain) ?? 1) - 1;
    if (left > 0) this.#flightsOfSender.set(domain, left);
    else this.#flightsOfSender.delete(domain);
  }

  #laneOf({ key }: Lane): LaneState {
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      // Before this one is there: idle as yet, it would be forgotten with the others while it is counted.
      if (this.#lanes.size >= rememberedLanes) this.#forgetLanes();
      lane = { flights: 0, allowed: firstAllowed };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  /** What was learned of those that are idle; the others are few. */
  #forgetLanes(): void {
    for (const [key, { flights }] of this.#lanes) if (flights === 0) this.#lanes.delete(key);
  }

  #isFull(share: Share | undefined, part: number): boolean {
    const room = this.room();
    if (room === 0) return true;
    if (share === undefined) return false;
    return share.messages >= room * part || share.bytes >= (this.#window.bytes - this.#bytes) * part;
  }

  #count({ sender, destinations, bytes }: Held, sign: 1 | -1): void {
    countIn(this.#senders, sender, { messages: sign, bytes: sign * bytes });
    for (const one of destinations) countIn(this.#destinations, one, { messages: sign, bytes: sign * bytes });
  }

  /** The domain, and the lane within it, go to the end of the row; empty ones leave it. */
  #endTurn(domain: string, lanes: Map<string, Job[]>, laneKey: string): void {
    const lane = lanes.get(laneKey);
    lanes.delete(laneKey);
    if (lane !== undefined && lane.length > 0) lanes.set(laneKey, lane);
    this.#waiting.delete(domain);
    if (lanes.size > 0) this.#waiting.set(domain, lanes);
  }
}

function countIn(shares: Map<string, Share>, key: string, change: Readonly<Share>): void {
  const share = shares.get(key) ?? { messages: 0, bytes: 0 };
  share.messages += change.messages;
  share.bytes += change.bytes;
  if (share.messages > 0) shares.set(key, share);
  else shares.delete(key);
}
