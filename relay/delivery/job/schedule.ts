/**
 * What is delivered next: pure bookkeeping over the messages that are in memory, no timers and no sockets.
 *
 * Promise: whoever has little in delivery always finds room. Memory and deliveries in flight are shared by dynamic thresholds:
 * nobody may hold more than a share of what is still free, so that the busier somebody is, the more others keep in reserve.
 * A destination starts with few deliveries at a time, gets more with each success and one after a failure. A delivery that
 * takes long stands aside and no longer counts against the others, until it has a message to hand over: for that it needs a
 * place again, and keeps it until its outcome is written.
 */
import type { Message } from "../../spool/message/message.ts";
import type { PassOver } from "../../spool/verbs.ts";
import type { SpoolId } from "../../spool/message/id.ts";
import { aside, isAside, waiting, type Job, type Lane } from "./job.ts";

/** What a delivery says about its destination: `untried` when it was not dialed because it had failed just before. */
export type LaneResult = "good" | "bad" | "untried";

export interface Window {
  readonly messages: number;
  readonly recipients: number;
  readonly bytes: number;
  readonly inFlight: number;
  readonly inFlightPerRoute: number;
}

/** What may still be taken into memory. */
export type Room = Pick<Window, "messages" | "recipients" | "bytes">;

export const defaultWindow: Window = {
  messages: 1_000,
  // A recipient is some kilobyte while it is in delivery.
  recipients: 10_000,
  bytes: 64 * 1024 * 1024,
  inFlight: 64,
  inFlightPerRoute: 48,
};

/** Whose share a message counts in. */
export interface Claimant {
  readonly message: Message;
  readonly recipients: number;
  /** Recipient domains with a way of their own; none when all mail goes by the same smarthosts. */
  readonly destinations: readonly string[];
}

interface Held {
  /** Jobs of the message that are not settled. */
  parts: number;
  recipients: number;
  readonly bytes: number;
  readonly sender: string;
  readonly destinations: readonly string[];
}

interface Share {
  messages: number;
  recipients: number;
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
const noRoom: Room = { messages: 0, recipients: 0, bytes: 0 };

export class DeliverySchedule {
  readonly #window: Window;
  /** Waiting jobs by sender domain, then by lane. The order of the map is the order of turns. */
  readonly #waiting = new Map<string, Map<string, Job[]>>();
  readonly #held = new Map<SpoolId, Held>();
  readonly #senders = new Map<string, Share>();
  readonly #destinations = new Map<string, Share>();
  readonly #lanes = new Map<string, LaneState>();
  readonly #flightsOfSender = new Map<string, number>();
  #aside = 0;
  #inFlight = 0;
  #recipients = 0;
  #bytes = 0;

  constructor(window: Window) {
    this.#window = window;
  }

  /** All is zero when there is none of one. */
  room(): Room {
    const { messages, recipients, bytes } = this.#window;
    const room = {
      messages: messages - this.#held.size,
      recipients: recipients - this.#recipients,
      bytes: bytes - this.#bytes,
    };
    return room.messages <= 0 || room.recipients <= 0 || room.bytes <= 0 ? noRoom : room;
  }

  isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** Messages of which something is in memory. */
  heldIds(): readonly SpoolId[] {
    return [...this.#held.keys()];
  }

  /** Whether one more message may be taken without taking from others. */
  mayHold({ message, recipients, destinations }: Claimant): boolean {
    // One that is larger than the room is taken in parts, by claims.
    if (this.#recipients + recipients > this.#window.recipients) return false;
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

  /** Takes jobs of a message in; they count until each was given to finish() or release(), their recipients with them. */
  hold({ message, recipients, destinations }: Claimant, parts: number): void {
    const { id, body, domain } = message;
    const known = this.#held.get(id);
    this.#recipients += recipients;
    if (known !== undefined) {
      known.parts += parts;
      known.recipients += recipients;
      this.#count(known, { messages: 0, recipients, bytes: 0 });
      return;
    }
    const bytes = message.header.length + (body.kind === "inline" ? body.bytes.length : 0);
    const held = { parts, recipients, bytes, sender: domain, destinations };
    this.#held.set(id, held);
    this.#bytes += bytes;
    this.#count(held, { messages: 1, recipients, bytes });
  }

  /** What was held as one part is so many jobs. */
  split(id: SpoolId, jobs: number): void {
    const held = this.#held.get(id);
    if (held !== undefined) held.parts += jobs - 1;
  }

  /** The job is done with, without having been in flight. */
  release(job: Pick<Job, "message" | "recipients">): void {
    this.letGo(job.message.id, job.recipients.length);
  }

  /** As release(), for what was held before there was a job. */
  letGo(id: SpoolId, recipients: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    held.parts -= 1;
    held.recipients -= recipients;
    this.#recipients -= recipients;
    if (held.parts > 0) {
      this.#count(held, { messages: 0, recipients: -recipients, bytes: 0 });
      return;
    }
    this.#held.delete(id);
    this.#bytes -= held.bytes;
    // None of its recipients is left, whatever it was released with.
    this.#recipients -= held.recipients;
    this.#count(held, { messages: -1, recipients: -recipients - held.recipients, bytes: -held.bytes });
  }

  /** A job of a message that is held may start. */
  enqueue(job: Job): void {
    job.state = waiting;
    const { domain } = job.message;
    const lanes = this.#waiting.get(domain) ?? new Map<string, Job[]>();
    const lane = lanes.get(job.lane.key);
    if (lane === undefined) lanes.set(job.lane.key, [job]);
    else lane.push(job);
    this.#waiting.set(domain, lanes);
  }

  /** The next job that may start now, counted as in flight since then; undefined when none may. */
  take(now: number): Job | undefined {
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
        this.#enterFlight(job);
        job.state = { kind: "under way", since: now };
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

  /**
   * The job takes long: its destination gets no more than it needs, and others may fly in its place while the next hop has
   * nothing of it. Waiting for the disk is not waiting for a host: a job that is settling stays what it is.
   */
  slow(job: Job): void {
    const { state } = job;
    if (state.kind === "handed over" && !state.isSlow) job.state = { ...state, isSlow: true };
    else if (state.kind === "under way" && this.#aside < this.#window.messages / 2) {
      this.#aside += 1;
      this.#leaveFlight(job);
      job.state = aside;
    } else return;
    const lane = this.#laneOf(job.lane);
    lane.allowed = Math.max(1, Math.floor(lane.allowed / 2));
  }

  /** The message may be handed to the next hop; false when there is no place for its outcome now. */
  handOver(job: Job, now: number): boolean {
    if (job.state.kind === "aside") {
      const most = flightShare * (this.#window.inFlight - this.#inFlight);
      if ((this.#flightsOfSender.get(job.message.domain) ?? 0) >= most) return false;
      this.#aside -= 1;
      this.#enterFlight(job);
    }
    job.state = { kind: "handed over", since: now, isSlow: false };
    return true;
  }

  /** The job taken is settled, or was given back in parts by hold(). */
  finish(job: Job, result?: LaneResult): void {
    if (isAside(job)) this.#aside -= 1;
    else this.#leaveFlight(job);
    const lane = this.#laneOf(job.lane);
    lane.flights -= 1;
    if (result === "good") lane.allowed = Math.min(lane.allowed * 2, this.#window.inFlightPerRoute);
    // Putting mail off costs little; only dialing is kept to one.
    else if (result !== undefined) lane.allowed = result === "bad" ? 1 : firstAllowed;
    this.release(job);
  }

  #mayFly(lane: Lane, most: number): boolean {
    const state = this.#lanes.get(lane.key);
    if (state === undefined) return true;
    return state.flights < Math.min(lane.cap, state.allowed, this.#window.inFlightPerRoute, Math.max(most, 1));
  }

  #enterFlight({ message: { domain } }: Job): void {
    this.#inFlight += 1;
    this.#flightsOfSender.set(domain, (this.#flightsOfSender.get(domain) ?? 0) + 1);
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
    const messages = this.#window.messages - this.#held.size;
    const recipients = this.#window.recipients - this.#recipients;
    const bytes = this.#window.bytes - this.#bytes;
    if (messages <= 0 || recipients <= 0 || bytes <= 0) return true;
    if (share === undefined) return false;
    return share.messages >= messages * part || share.recipients >= recipients * part || share.bytes >= bytes * part;
  }

  /** The recipients of a message count in each of its destinations as if they were spread evenly. */
  #count({ sender, destinations }: Held, change: Readonly<Share>): void {
    countIn(this.#senders, sender, change);
    const part = destinations.length < 2 ? change : { ...change, recipients: change.recipients / destinations.length };
    for (const one of destinations) countIn(this.#destinations, one, part);
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
  const share = shares.get(key) ?? { messages: 0, recipients: 0, bytes: 0 };
  share.messages += change.messages;
  share.recipients += change.recipients;
  share.bytes += change.bytes;
  if (share.messages > 0) shares.set(key, share);
  else shares.delete(key);
}
