/**
 * Keys that have to be looked at. A key that is added twice while it waits runs once; one that is added while it runs runs
 * again afterwards, never twice at a time; one whose work failed comes back after a delay of its own that grows with
 * each failure in a row. Of the keys that wait, the smallest rank runs first, and of one rank the oldest. A key that comes
 * again and again waits until its pace lets it: what calls for it may be its own work.
 */
import type { Chance, Timers } from "../../runtime/clock.ts";
import { type BackoffLimits, backoffMs } from "./backoff.ts";
import { Pace, type PaceLimits } from "./pace.ts";

/**
 * Resolves to the milliseconds after which to look again; undefined when only a change matters. `isOwnTime`: the key comes
 * because those milliseconds are over, and nothing else has called for it.
 */
export type Work = (key: string, isOwnTime: boolean) => Promise<number | undefined>;

export interface WorkQueueSettings {
  readonly work: Work;
  /** How many keys are worked on at the same time. */
  readonly workers: number;
  /** Absent: in turn, so that no key waits for the last of ten thousand others. */
  readonly rank?: ((key: string) => number) | undefined;
  readonly onError: (key: string, error: unknown) => void;
  readonly backoff: BackoffLimits;
  readonly timers: Timers;
  readonly chance: Chance;
  /** Milliseconds of a clock that only goes forward. */
  readonly now: () => number;
  readonly pace: PaceLimits;
  /** Hears how long each key waited for its turn, in milliseconds. */
  readonly waited?: ((key: string, ms: number) => void) | undefined;
}

export const workBackoff: BackoffLimits = { firstMs: 500, maxMs: 60_000 };

/** A relay that comes is looked at some twenty times within two seconds. */
export const workPace: PaceLimits = { burst: 40, refillMs: 1_000 };

export class WorkQueue {
  readonly #settings: WorkQueueSettings;
  /** Keys that wait and since when, by rank; a Map keeps the order in which they came. */
  readonly #waiting = new Map<number, Map<string, number>>();
  readonly #running = new Set<string>();
  /** Added while they ran, with their rank. */
  readonly #again = new Map<string, number>();
  /** Calls off what would bring a key forward that waits behind all others. */
  readonly #hurried = new Map<string, () => void>();
  readonly #delayed = new Map<string, () => void>();
  readonly #pace: Pace;
  /** Keys that came too often, with their rank and what calls off the wait. */
  readonly #held = new Map<string, { readonly rank: number; readonly callOff: () => void }>();
  /** Keys that wait because their time has come, and for nothing else. */
  readonly #inTime = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #idle: (() => void)[] = [];
  #isStarting = false;
  #isStopped = false;

  constructor(settings: WorkQueueSettings) {
    this.#settings = settings;
    this.#pace = new Pace(settings.pace);
  }

  /** Keys that wait, without those that wait for their time. */
  get depth(): number {
    let depth = 0;
    for (const keys of this.#waiting.values()) depth += keys.size;
    return depth;
  }

  get running(): number {
    return this.#running.size;
  }

  add(key: string): void {
    this.#add(key, this.#settings.rank?.(key) ?? 0);
  }

  /**
   * Behind everything that somebody waits for; with a time, no longer than that, however much comes in between. For a look
   * that nothing called for, and for one that covers many changes at once.
   */
  addLast(key: string, withinMs?: number): void {
    if (this.#isStopped) return;
    this.#add(key, Infinity);
    // One that runs now waits from when it has ended.
    const ranks = [this.#again.get(key), this.#held.get(key)?.rank];
    const isLast = this.#waiting.get(Infinity)?.has(key) === true || ranks.includes(Infinity);
    if (withinMs === undefined || this.#hurried.has(key) || !isLast) return;
    const hurry = (): void => {
      this.#hurried.delete(key);
      this.add(key);
    };
    this.#hurried.set(key, this.#settings.timers.after(withinMs, hurry));
  }

  #add(key: string, rank: number): void {
    if (this.#isStopped) return;
    this.#callOff(key);
    this.#inTime.delete(key);
    if (this.#running.has(key)) {
      this.#again.set(key, Math.min(rank, this.#again.get(key) ?? rank));
      return;
    }
    this.#enter(key, rank);
    this.#start();
  }

  /** Looks at the key after a while, unless something else brings it up before. The last caller decides when. */
  addAfter(key: string, delayMs: number): void {
    if (this.#isStopped) return;
    this.#callOff(key);
    this.#delayed.set(
      key,
      this.#settings.timers.after(delayMs, () => {
        this.#delayed.delete(key);
        this.add(key);
        if (!this.#running.has(key)) this.#inTime.add(key);
      }),
    );
  }

  /** Resolves when nothing waits and nothing runs; what waits for its time does not count. */
  settled(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Nothing new begins; resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#waiting.clear();
    this.#inTime.clear();
    this.#again.clear();
    for (const callOff of this.#delayed.values()) callOff();
    this.#delayed.clear();
    for (const { callOff } of this.#held.values()) callOff();
    this.#held.clear();
    for (const callOff of this.#hurried.values()) callOff();
    this.#hurried.clear();
    await this.settled();
  }

  #isIdle(): boolean {
    return this.#running.size === 0 && !this.#isStarting && this.depth === 0;
  }

  /** At once, or when its pace lets it. */
  #enter(key: string, rank: number): void {
    const held = this.#held.get(key);
    const pauseMs = this.#pace.waitMs(key, this.#settings.now());
    if (pauseMs === 0 && held === undefined) return this.#wait(key, rank);
    const release = (): void => {
      const { rank: lowest = rank } = this.#held.get(key) ?? {};
      this.#held.delete(key);
      this.#wait(key, lowest);
      this.#start();
    };
    const callOff = held?.callOff ?? this.#settings.timers.after(pauseMs, release);
    this.#held.set(key, { rank: Math.min(rank, held?.rank ?? rank), callOff });
  }

  /** A key waits once; of two ranks the smaller holds. */
  #wait(key: string, rank: number): void {
    for (const [other, keys] of this.#waiting) {
      if (other < rank && keys.has(key)) return;
      if (other > rank) keys.delete(key);
    }
    const since = this.#settings.now();
    const keys = this.#waiting.get(rank);
    if (keys === undefined) this.#waiting.set(rank, new Map([[key, since]]));
    else if (!keys.has(key)) keys.set(key, since);
  }

  /** In a turn of its own, so that a burst of changes is one burst of work. */
  #start(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    setImmediate(() => {
      this.#isStarting = false;
      this.#fill();
    });
  }

  #fill(): void {
    while (this.#running.size < this.#settings.workers) {
      const key = this.#take();
      if (key === undefined) break;
      this.#running.add(key);
      void this.#work(key, this.#inTime.delete(key));
    }
    if (!this.#isIdle()) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #take(): string | undefined {
    let best: number | undefined;
    for (const [rank, keys] of this.#waiting) if (keys.size > 0 && (best === undefined || rank < best)) best = rank;
    const keys = best === undefined ? undefined : this.#waiting.get(best);
    for (const [key, since] of keys ?? []) {
      keys?.delete(key);
      this.#hurried.get(key)?.();
      this.#hurried.delete(key);
      const { now, waited } = this.#settings;
      this.#pace.take(key, now());
      waited?.(key, now() - since);
      return key;
    }
    return undefined;
  }

  /** Never rejects. */
  async #work(key: string, isOwnTime: boolean): Promise<void> {
    let delayMs: number | undefined;
    try {
      delayMs = await this.#settings.work(key, isOwnTime);
      this.#failures.delete(key);
    } catch (error) {
      delayMs = this.#failed(key, error);
    }
    this.#running.delete(key);
    const again = this.#again.get(key);
    this.#again.delete(key);
    if (again !== undefined) this.#enter(key, again);
    else if (delayMs !== undefined && !this.#delayed.has(key)) this.addAfter(key, delayMs);
    this.#fill();
  }

  #failed(key: string, error: unknown): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    this.#settings.onError(key, error);
    const { backoff: limits, chance } = this.#settings;
    return backoffMs({ limits, failures, chance, askedMs: askedToWaitMs(error) });
  }

  #callOff(key: string): void {
    this.#delayed.get(key)?.();
    this.#delayed.delete(key);
  }
}

/** A server that is overloaded says for how long it wants to be left alone. */
function askedToWaitMs(error: unknown): number {
  const asked = error instanceof Error && "retryAfterMs" in error ? error.retryAfterMs : undefined;
  return typeof asked === "number" ? asked : 0;
}
