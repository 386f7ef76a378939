/** What one transaction holds of quotas: nothing of it is lost, and nothing is counted twice, however the transaction ends. Pure. */
import type { Amounts, Exhausted, Quota, QuotaState } from "./quota.ts";

/** Where it is counted. */
export interface QuotaBook {
  now(): number;
  lacking(quotas: readonly Quota[], cost: Amounts): Exhausted | undefined;
  take(quotas: readonly Quota[], cost: Amounts): void;
  giveBack(quotas: readonly Quota[], cost: Amounts, since: number): void;
  statesOf(quotas: readonly Quota[]): readonly QuotaState[];
}

interface Held {
  readonly quotas: readonly Quota[];
  readonly cost: Amounts;
  /** ms since the epoch. */
  readonly since: number;
}

export class QuotaHold {
  readonly #book: QuotaBook;
  #held: Held | undefined;

  constructor(book: QuotaBook) {
    this.#book = book;
  }

  /** Holds this in place of what it held; where that does not fit it goes on holding what it held, and the answer says why. */
  change(quotas: readonly Quota[], cost: Amounts): Exhausted | undefined {
    const before = this.#held;
    this.cancel();
    const lacking = this.#book.lacking(quotas, cost);
    if (lacking === undefined) this.#take(quotas, cost);
    else if (before !== undefined) this.#take(before.quotas, before.cost);
    return lacking;
  }

  /** As it is to be kept with the message, which has all of this now. */
  states(): readonly QuotaState[] {
    return this.#held === undefined ? [] : this.#book.statesOf(this.#held.quotas);
  }

  /** The message is kept: what it held is used up. */
  keep(): void {
    this.#held = undefined;
  }

  /** Gives all of it back; more than once is once. */
  cancel(): void {
    if (this.#held !== undefined) this.#book.giveBack(this.#held.quotas, this.#held.cost, this.#held.since);
    this.#held = undefined;
  }

  #take(quotas: readonly Quota[], cost: Amounts): void {
    if (quotas.length === 0) return;
    this.#book.take(quotas, cost);
    this.#held = { quotas, cost, since: this.#book.now() };
  }
}
