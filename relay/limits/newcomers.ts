/**
 * Whether a client opens connections faster than mail needs them. Each costs this process a fifth of a millisecond and fifty
 * kilobytes, and a stranger makes thousands a second: one that makes trouble is turned away before it costs a socket.
 *
 * They are let in evenly: a hundred at once would stop everybody's mail for twenty milliseconds, each second anew.
 * Nothing is said to who is turned away: it has not listened before. A mail client that shares its address tries again.
 */
import { takenAt, waitFor, withTaken, type Bucket, type Flow } from "./gcra.ts";
import type { Time } from "./hosts.ts";

/** Of one client. Who has logged in is known and never turned away, so that a connection for each message is no reason either. */
const flow: Flow = { perMs: 20 / 1000, room: 50 };
/** A clock that is set back makes nobody wait for longer than this. */
const longestMs = flow.room / flow.perMs;

export class Newcomers {
  readonly #time: Time;
  readonly #connections = new Map<string, Bucket>();
  #sweptAt = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  /** Counts one more connection of the client, unless it comes too early. */
  isInTime(client: string): boolean {
    const now = this.#time.now();
    this.#sweep(now);
    const bucket = this.#connections.get(client);
    const one = { cost: 1, now };
    if (waitFor(bucket, flow, one) > 0) return false;
    this.#connections.set(client, withTaken(bucket, flow.perMs, one));
    return true;
  }

  /** Addresses that came once must not fill the memory. */
  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < 1000) return;
    this.#sweptAt = now;
    for (const [client, bucket] of this.#connections) {
      if (takenAt(bucket, flow.perMs, now) === 0 || bucket.at > now + longestMs) this.#connections.delete(client);
    }
  }
}
