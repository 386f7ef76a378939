/**
 * The generic cell rate algorithm: what is taken drains evenly, and no more is in the bucket at a time than there is room for. So no
 * span of time sees more than the room and what drains meanwhile. Pure: time is an argument.
 *
 * Kept as what is taken and when that was so, and not as the time at which all of it will have drained: rate and room may be others
 * a moment later, and what was taken stays taken.
 */
export interface Bucket {
  readonly taken: number;
  /** ms since the epoch. */
  readonly at: number;
}

export interface Flow {
  /** What drains in a millisecond. */
  readonly perMs: number;
  readonly room: number;
}

export interface Taking {
  readonly cost: number;
  /** ms since the epoch. */
  readonly now: number;
}

/** Sums of fractions are a little off. */
const tolerance = 1e-9;

/** What is left of it. While a clock that was set back catches up nothing drains: see atMost(). */
export function takenAt(bucket: Bucket | undefined, perMs: number, now: number): number {
  if (bucket === undefined) return 0;
  return Math.max(0, bucket.taken - Math.max(0, now - bucket.at) * perMs);
}

/** Milliseconds until so much has drained that there would be room for it; 0 when there is now. */
export function waitFor(bucket: Bucket | undefined, { perMs, room }: Flow, { cost, now }: Taking): number {
  const over = takenAt(bucket, perMs, now) + cost - room;
  return over <= room * tolerance ? 0 : over / perMs;
}

/** As it is, for a clock that was set back: it goes on from there. */
export function atMost(bucket: Bucket, now: number): Bucket {
  return bucket.at > now ? { ...bucket, at: now } : bucket;
}

/** With it taken, whether or not there was room. */
export function withTaken(bucket: Bucket | undefined, perMs: number, { cost, now }: Taking): Bucket {
  return { taken: takenAt(bucket, perMs, now) + cost, at: now };
}
