/**
 * When a message may go to a destination that takes so many a minute. Pure: time is an argument.
 *
 * Promise: messages are let go evenly, so that no minute has more than was allowed; those that then wait for a connection may
 * leave closer together. One that has to wait longer than a moment gets a time of its own and is not due before it; whoever
 * comes later gets a later time.
 */

export type PaceDecision =
  | { readonly kind: "now" }
  /** Soon enough to wait in memory, in ms. */
  | { readonly kind: "soon"; readonly waitMs: number }
  /** Not due before this time, in ms since the epoch. */
  | { readonly kind: "later"; readonly dueAt: number };

export interface PaceQuestion {
  readonly key: string;
  readonly messagesPerMinute: number;
  readonly now: number;
  /** Just accepted: it stands behind those that were given a time before. */
  readonly fresh: boolean;
}

interface Bucket {
  /** ms between two messages. */
  spacing: number;
  /** When the next message may go. */
  next: number;
  /** The last time that was given away. */
  promised: number;
}

const minuteMs = 60_000;
const soonMs = 1_000;
/** Nobody is put off longer at once: the limit may be raised, and the message may expire. */
const farthestMs = 3_600_000;

export class Pace {
  readonly #buckets = new Map<string, Bucket>();

  ask({ key, messagesPerMinute, now, fresh }: PaceQuestion): PaceDecision {
    const spacing = minuteMs / messagesPerMinute;
    const bucket = this.#buckets.get(key) ?? { spacing, next: now, promised: Number.NEGATIVE_INFINITY };
    this.#buckets.set(key, bucket);
    // Another limit: what was promised under the old one may lie an hour ahead, and must not hold up who comes now.
    if (bucket.spacing !== spacing) {
      bucket.next += spacing - bucket.spacing;
      bucket.promised = Number.NEGATIVE_INFINITY;
      bucket.spacing = spacing;
    }
    const isBehind = fresh && bucket.promised > now;
    const at = Math.max(bucket.next, now);
    if (at - now <= soonMs && !isBehind) {
      bucket.next = at + spacing;
      return at === now ? { kind: "now" } : { kind: "soon", waitMs: at - now };
    }
    const promised = Math.max(bucket.promised, bucket.next - spacing) + spacing;
    if (promised > now + farthestMs) return { kind: "later", dueAt: now + farthestMs };
    bucket.promised = promised;
    return { kind: "later", dueAt: Math.ceil(promised) };
  }

  /** Destinations that nothing was sent to for a while. */
  forget(now: number): void {
    for (const [key, bucket] of this.#buckets) {
      if (bucket.next < now && bucket.promised < now) this.#buckets.delete(key);
    }
  }
}
