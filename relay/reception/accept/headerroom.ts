/**
 * Octets of the headers that are being received, over all connections: each is in memory whole until its message is kept.
 *
 * A header as real mail has it always has room, so that who sends large ones keeps nobody else out. What is beyond that is bounded
 * for all together: 120 clients with as long a header as one may be. The next one is told to come again.
 */

export interface HeaderLimits {
  /** Of one header, that need no room of the others. */
  readonly usual: number;
  /** Of all headers together, beyond that. */
  readonly beyond: number;
}

const usualLimits: HeaderLimits = { usual: 16 * 1024, beyond: 30 * 1024 * 1024 };

export class HeaderRoom {
  readonly #limits: HeaderLimits;
  #beyond = 0;

  constructor(limits: HeaderLimits = usualLimits) {
    this.#limits = limits;
  }

  /** Room for one header, from its first octet to `leave`. */
  enter(): HeaderHold {
    let held = 0;
    const hold = (octets: number): void => {
      const beyond = Math.max(0, octets - this.#limits.usual);
      this.#beyond += beyond - held;
      held = beyond;
    };
    return {
      grow: (octets) => {
        hold(octets);
        return held === 0 || this.#beyond <= this.#limits.beyond;
      },
      leave: () => hold(0),
    };
  }
}

export interface HeaderHold {
  /** The header has so many octets by now; false when there is no room for them: then it is to be left. */
  grow(octets: number): boolean;
  /** It is in memory no more; more than once is once. */
  leave(): void;
}
