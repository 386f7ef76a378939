/**
 * The reconcile loop: keys in, one reconcile at a time, what changes meanwhile runs again. A reconcile that throws is
 * reported and tried again with a growing delay; one that succeeds may say when it wants to look again.
 */

/** Resolves to the milliseconds after which to look again; undefined when only a change matters. */
export type Reconcile = (key: string) => Promise<number | undefined>;

export interface LoopSettings {
  readonly reconcile: Reconcile;
  /** Smaller runs first among the keys that wait. */
  readonly rank: (key: string) => number;
  readonly onError: (key: string, error: unknown) => void;
}

const firstRetryMs = 500;
const maxRetryMs = 30_000;

export class ReconcileLoop {
  readonly #settings: LoopSettings;
  readonly #waiting = new Set<string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #failures = new Map<string, number>();
  readonly #idle: (() => void)[] = [];
  #running = false;
  #stopped = false;

  constructor(settings: LoopSettings) {
    this.#settings = settings;
  }

  add(key: string): void {
    if (this.#stopped) return;
    this.#waiting.add(key);
    if (this.#running) return;
    this.#running = true;
    // In a turn of its own, so that a burst of changes is one burst of work.
    setImmediate(() => {
      this.#run().catch((error: unknown) => this.#settings.onError(key, error));
    });
  }

  /** Resolves when nothing waits and nothing runs. */
  settled(): Promise<void> {
    if (!this.#running) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting.clear();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #run(): Promise<void> {
    for (let key = this.#next(); key !== undefined; key = this.#next()) {
      this.#waiting.delete(key);
      await this.#reconcile(key);
    }
    this.#running = false;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #next(): string | undefined {
    let best: string | undefined;
    for (const key of this.#waiting) {
      if (best === undefined || this.#settings.rank(key) < this.#settings.rank(best)) best = key;
    }
    return best;
  }

  async #reconcile(key: string): Promise<void> {
    try {
      const requeueAfterMs = await this.#settings.reconcile(key);
      this.#failures.delete(key);
      this.#later(key, requeueAfterMs);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      this.#settings.onError(key, error);
      this.#later(key, Math.min(maxRetryMs, firstRetryMs * 2 ** (failures - 1)));
    }
  }

  #later(key: string, delayMs: number | undefined): void {
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    if (delayMs === undefined || this.#stopped) return;
    this.#timers.set(
      key,
      setTimeout(() => this.add(key), delayMs),
    );
  }
}
