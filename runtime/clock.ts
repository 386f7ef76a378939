/** Time and chance as arguments, so that decisions can be tested without either. */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Uniform in [0, 1). */
export type Chance = () => number;

export const systemChance: Chance = () => Math.random();

export function octetsOf(chance: Chance, count: number): Buffer {
  const octets = Buffer.allocUnsafe(count);
  for (let index = 0; index < count; index += 1) octets[index] = Math.floor(chance() * 256);
  return octets;
}

/** Runs something later, once. */
export interface Timers {
  /** Returns what calls it off. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
