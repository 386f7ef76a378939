/**
 * A job, the recipients of one message that share a route and go in one transaction, and its life. Pure.
 *
 *   asking -> paced -> waiting -> under way -> handed over -> settling -> (gone)
 *      |        |         |           |  ^                     |    ^
 *      |        |         |           v  |                     v    |
 *      |        |         |          aside -----------------> unwritten
 *      +--------+---------+-> returning -> (gone)
 *
 * Until it is handed over the next hop has nothing of the message: whatever happens, it is not sent twice. From then on it keeps
 * its place in flight until its outcome is durable, however long that takes; so there are never more messages with an outcome
 * that a crash would forget than places.
 */
import type { Message, Recipient } from "../../spool/message/message.ts";
import type { Route } from "../policy/route.ts";
import type { Finding } from "../resolve/mailhosts.ts";

/** Destinations with the same key are one: they share connections, and success and failure. */
export interface Lane {
  readonly key: string;
  /** Deliveries at a time, at most. */
  readonly cap: number;
}

export type JobState =
  /** What its destination allows is being looked up. */
  | { readonly kind: "asking" }
  /** It has its turn soon, in the pace of its destination. */
  | { readonly kind: "paced" }
  /** It may start as soon as sender and destination have a place. */
  | { readonly kind: "waiting" }
  /** In flight, from the look-up of hosts to the end of the envelope. */
  | { readonly kind: "under way"; readonly since: number }
  /** As before, for long: others fly in its place. */
  | { readonly kind: "aside" }
  /** In flight: the next hop has the message, or may have it. */
  | { readonly kind: "handed over"; readonly since: number; readonly isSlow: boolean }
  /** Its outcome is known and being written. */
  | { readonly kind: "settling"; readonly wasAside: boolean }
  /** Its outcome could not be written and is tried again: nobody's can be, or this one's. */
  | { readonly kind: "unwritten"; readonly wasAside: boolean }
  /** Goes back into the spool, untried. */
  | { readonly kind: "returning" };

export interface Job {
  readonly message: Message;
  readonly recipients: readonly Recipient[];
  readonly route: Route;
  /** That of the route until it is known what the destination allows. */
  lane: Lane;
  /** Where its destination was found when that was looked up for the lane. */
  finding?: Finding;
  state: JobState;
}

export const asking: JobState = { kind: "asking" };
export const waiting: JobState = { kind: "waiting" };
export const aside: JobState = { kind: "aside" };
export const returning: JobState = { kind: "returning" };
const settlingInFlight: JobState = { kind: "settling", wasAside: false };
const settlingAside: JobState = { kind: "settling", wasAside: true };
const unwrittenInFlight: JobState = { kind: "unwritten", wasAside: false };
const unwrittenAside: JobState = { kind: "unwritten", wasAside: true };

/** Whether others fly in its place. */
export function isAside({ state }: Job): boolean {
  return state.kind === "aside" || ((state.kind === "settling" || state.kind === "unwritten") && state.wasAside);
}

/** The attempt is over. One that stood aside handed nothing over, so that it needs no place for its outcome. */
export function settle(job: Job): void {
  job.state = isAside(job) ? settlingAside : settlingInFlight;
}

export function failToWrite(job: Job): void {
  // What goes back was not tried: nothing of it is at stake.
  if (job.state.kind === "returning") return;
  job.state = isAside(job) ? unwrittenAside : unwrittenInFlight;
}
