/**
 * Who is turned away before it costs a socket: a client that is loud (see `clientlog`) and opens connections faster than mail
 * needs them. Each connection costs this process a fifth of a millisecond, and a stranger makes thousands a second.
 *
 * Nothing is said to it: it has not listened before. A mail client that shares its address tries again in the next second.
 */
import type { Time } from "./hosts.ts";

/** For one client, in one second. Mail that comes in a connection each, one after the other, stays below it. */
const perSecond = 100;

export class Newcomers {
  readonly #time: Time;
  /** Those of this second. */
  readonly #counts = new Map<string, number>();
  #second = 0;

  constructor(time: Time) {
    this.#time = time;
  }

  /** Counts one more connection of the client; whether it is loud is asked when it matters. */
  isOneTooMany(client: string, isLoud: (client: string) => boolean): boolean {
    const second = Math.floor(this.#time.now() / 1000);
    if (second !== this.#second) this.#counts.clear();
    this.#second = second;
    const count = (this.#counts.get(client) ?? 0) + 1;
    this.#counts.set(client, count);
    return count > perSecond && isLoud(client);
  }
}
