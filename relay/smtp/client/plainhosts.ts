/**
 * Hosts whose TLS came to nothing a moment ago: a handshake that stalls costs its time once, not at each connection. Only for
 * opportunistic TLS (RFC 7435), which goes on in the clear; it is tried again after a while. Pure: time is an argument's.
 */
import type { Clock } from "../../../runtime/clock.ts";

const rememberedMs = 600_000;
const rememberedHosts = 10_000;

export class PlainHosts {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(host: string): void {
    this.#until.delete(host);
    this.#until.set(host, this.#clock.now() + rememberedMs);
    const [oldest] = this.#until.keys();
    if (this.#until.size > rememberedHosts && oldest !== undefined) this.#until.delete(oldest);
  }

  has(host: string): boolean {
    const until = this.#until.get(host);
    if (until === undefined || until > this.#clock.now()) return until !== undefined;
    this.#until.delete(host);
    return false;
  }
}
