/**
 * How long a client may take over the octets of a message. Pure: times are those of one monotonic clock in ms.
 *
 * It has the idle time, as for everything else, and each octet gives back what one costs at the least pace; never more than the idle
 * time is left to it. One that sends an octet now and then is through with it soon, which a time for each octet
 * (RFC 5321 section 4.5.3.2.5) would let go on for years. While we are the slow ones its time stands still.
 */
export interface DataPaceLimits {
  readonly idleMs: number;
  /** Of a message, at least. */
  readonly octetsPerSecond: number;
}

export class DataPace {
  readonly #limits: DataPaceLimits;
  #until: number;
  #heldSince: number | undefined;

  constructor(limits: DataPaceLimits, now: number) {
    this.#limits = limits;
    this.#until = now + limits.idleMs;
  }

  came(octets: number, now: number): void {
    const { idleMs, octetsPerSecond } = this.#limits;
    this.#until = Math.min(this.#until + (octets * 1000) / octetsPerSecond, now + idleMs);
  }

  /** Nothing more is read for now. */
  held(now: number): void {
    this.#heldSince ??= now;
  }

  goesOn(now: number): void {
    if (this.#heldSince !== undefined) this.#until += now - this.#heldSince;
    this.#heldSince = undefined;
  }

  /** When its time is over, if nothing comes; undefined while it is us who are waited for. */
  get until(): number | undefined {
    return this.#heldSince === undefined ? this.#until : undefined;
  }
}
