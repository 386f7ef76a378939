/**
 * How often one key may be looked at: so many looks at once, and one more each time some time has passed. A loop that is fed
 * by its own writes (another controller that puts back what was applied, a server that changes what it is given) then costs a
 * look a second instead of all that the machine can do. Pure but for what it remembers.
 */
export interface PaceLimits {
  /** Looks at once. */
  readonly burst: number;
  /** Milliseconds until there may be one more. */
  readonly refillMs: number;
}

interface Bucket {
  readonly left: number;
  readonly at: number;
}

export class Pace {
  readonly #limits: PaceLimits;
  /** The one that was taken from longest ago first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** Milliseconds until the key may be looked at again; 0 when it may now. */
  waitMs(key: string, now: number): number {
    return Math.max(0, (1 - this.#left(key, now)) * this.#limits.refillMs);
  }

  /** The key is looked at. */
  take(key: string, now: number): void {
    const left = Math.max(0, this.#left(key, now) - 1);
    this.#buckets.delete(key);
    this.#buckets.set(key, { left, at: now });
    // What is full again is as good as new.
    for (const [other, { at }] of this.#buckets) {
      if (now - at < this.#limits.burst * this.#limits.refillMs) return;
      this.#buckets.delete(other);
    }
  }

  #left(key: string, now: number): number {
    const { burst, refillMs } = this.#limits;
    const bucket = this.#buckets.get(key);
    return bucket === undefined ? burst : Math.min(burst, bucket.left + (now - bucket.at) / refillMs);
  }
}
