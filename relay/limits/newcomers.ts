/**
 * Whether a client opens connections faster than mail needs them. Each costs this process a fifth of a millisecond and fifty
 * kilobytes, and a stranger makes thousands a second: one that makes trouble is turned away before it costs a socket.
 *
 * They are let in evenly: a hundred at once would stop everybody's mail for twenty milliseconds, each second anew.
 * Nothing is said to who is turned away: it has not listened before. A mail client that shares its address tries again.
 */
import type { Time } from "./hosts.ts";

/** Of one client. Who has logged in is known and never turned away, so that a connection for each message is no reason either. */
const perSecond = 20;
const atOnce = 50;
const spacingMs = 1000 / perSecond;

export class Newcomers {
  readonly #time: Time;
  /** When a client's connections so far would have come one after the other, in ms since the epoch: the generic cell rate algorithm. */
  readonly #evenlyUntil = new Map<string, number>();
  #sweptAt = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  /** Counts one more connection of the client, unless it comes too early. */
  isInTime(client: string): boolean {
    const now = this.#time.now();
    this.#sweep(now);
    const until = Math.max(this.#evenlyUntil.get(client) ?? now, now) + spacingMs;
    if (until - now > atOnce * spacingMs) return false;
    this.#evenlyUntil.set(client, until);
    return true;
  }

  /** Addresses that came once must not fill the memory. A clock that is set back makes nobody wait for long. */
  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < 1000) return;
    this.#sweptAt = now;
    for (const [client, until] of this.#evenlyUntil) {
      if (until <= now || until > now + atOnce * spacingMs) this.#evenlyUntil.delete(client);
    }
  }
}
