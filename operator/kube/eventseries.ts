/**
 * Which events are worth a request: the first of its kind is created, repeats of it become one series whose count is
 * written now and then, and an object that says one thing again and again in ever new words is cut short. Pure.
 */
import type { KubeEvent } from "./kube.ts";

export interface EventLimits {
  /** A repeat within this time belongs to the series; `kubectl` itself shows events for an hour. */
  readonly seriesMs: number;
  /** The count of a series is written at most this often. */
  readonly writeMs: number;
  /** Different notes with one reason about one object: so many at once, */
  readonly burst: number;
  /** and one more each time this has passed. */
  readonly refillMs: number;
  /** Series remembered. */
  readonly remembered: number;
}

export const eventLimits: EventLimits = {
  seriesMs: 360_000,
  writeMs: 60_000,
  burst: 10,
  refillMs: 60_000,
  remembered: 2_000,
};

export interface Series {
  readonly event: KubeEvent;
  /** Of the Event object. */
  readonly name: string;
  readonly count: number;
  readonly lastAt: number;
  readonly writtenAt: number;
}

export type EventDecision =
  | { readonly kind: "create"; readonly series: Series }
  | { readonly kind: "update"; readonly series: Series }
  /** Counted, and written later or never. */
  | { readonly kind: "hold" };

interface Bucket {
  readonly left: number;
  readonly at: number;
}

export class EventBook {
  readonly #limits: EventLimits;
  /** Oldest first, so that the oldest is forgotten first. */
  readonly #series = new Map<string, Series>();
  readonly #buckets = new Map<string, Bucket>();
  #dropped = 0;

  constructor(limits: EventLimits) {
    this.#limits = limits;
  }

  /** Events that were cut short since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** `name` is what a new Event object would be called; `now` in milliseconds since the epoch. */
  judge(event: KubeEvent, name: string, now: number): EventDecision {
    const key = JSON.stringify([event.regarding, event.type, event.reason, event.note]);
    const known = this.#series.get(key);
    if (known !== undefined && now - known.lastAt < this.#limits.seriesMs) return this.#repeat(key, known, now);
    if (!this.#mayCreate(event, now)) {
      this.#dropped += 1;
      return { kind: "hold" };
    }
    const series = { event, name, count: 1, lastAt: now, writtenAt: now };
    this.#remember(key, series);
    return { kind: "create", series };
  }

  #repeat(key: string, known: Series, now: number): EventDecision {
    // The first repeat is told at once: that something goes on is news.
    const isDue = known.count === 1 || now - known.writtenAt >= this.#limits.writeMs;
    const series = { ...known, count: known.count + 1, lastAt: now, writtenAt: isDue ? now : known.writtenAt };
    this.#remember(key, series);
    return isDue ? { kind: "update", series } : { kind: "hold" };
  }

  #remember(key: string, series: Series): void {
    this.#series.delete(key);
    this.#series.set(key, series);
    forgetBeyond(this.#series, this.#limits.remembered);
  }

  #mayCreate(event: KubeEvent, now: number): boolean {
    const key = JSON.stringify([event.regarding, event.reason]);
    const { burst, refillMs, remembered } = this.#limits;
    const bucket = this.#buckets.get(key) ?? { left: burst, at: now };
    const left = Math.min(burst, bucket.left + (now - bucket.at) / refillMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, { left: left >= 1 ? left - 1 : left, at: now });
    forgetBeyond(this.#buckets, remembered);
    return left >= 1;
  }
}

function forgetBeyond(map: Map<string, unknown>, limit: number): void {
  for (const key of map.keys()) {
    if (map.size <= limit) return;
    map.delete(key);
  }
}
