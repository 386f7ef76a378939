/**
 * The order to leave, while it is in force. It lives in memory alone: a relay that starts again has none until the operator
 * says it again, which it does when the report shows none.
 */
import { isDeepStrictEqual } from "node:util";
import type { DrainOrder } from "../../api/administration.ts";

export interface DrainOrders {
  /** Undefined while there is none. */
  current(): DrainOrder | undefined;
  /** Told of every order that differs from the one before, and of none (undefined) when it is taken back. */
  onChange(listener: (order: DrainOrder | undefined) => void): void;
}

/** How far giving away has come since the order came. */
export interface DrainProgress {
  /** Messages that peers have taken. */
  readonly handedOver: number;
  /** Why the newest transfer failed, for people; undefined when it did not. */
  readonly failure: string | undefined;
}

export type OrderChange = "new" | "changed" | "same";

/** Listeners are told before give() and takeBack() return: what they stop at once has stopped when the operator gets its answer. */
export class DrainState implements DrainOrders {
  readonly #listeners: ((order: DrainOrder | undefined) => void)[] = [];
  #order: DrainOrder | undefined;

  current(): DrainOrder | undefined {
    return this.#order;
  }

  onChange(listener: (order: DrainOrder | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** The same order again is `same` and told to nobody. */
  give(order: DrainOrder): OrderChange {
    if (isDeepStrictEqual(order, this.#order)) return "same";
    const change = this.#order === undefined ? "new" : "changed";
    this.#replace(order);
    return change;
  }

  /** False when there was none. */
  takeBack(): boolean {
    if (this.#order === undefined) return false;
    this.#replace(undefined);
    return true;
  }

  #replace(order: DrainOrder | undefined): void {
    this.#order = order;
    for (const listener of this.#listeners) listener(order);
  }
}
