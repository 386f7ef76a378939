/**
 * Whether mail may come in, and whether any is still on its way in: by clients and by peers alike. It shuts by itself when an
 * order to leave comes or the process stops, and opens when the order is taken back.
 */
import type { DrainOrders } from "./orders.ts";

export interface GateOptions {
  readonly orders: DrainOrders;
  /** Aborted when the process stops. */
  readonly stopping: AbortSignal;
}

export class Gate {
  readonly #options: GateOptions;
  readonly #listeners: ((isOpen: boolean) => void)[] = [];
  #wasOpen: boolean;
  #passing = 0;

  constructor(options: GateOptions) {
    this.#options = options;
    this.#wasOpen = this.isOpen();
    options.orders.onChange(() => this.#turn());
    options.stopping.addEventListener("abort", () => this.#turn(), { once: true });
  }

  /** Ask at the latest possible moment, and call pass() without waiting in between. */
  isOpen(): boolean {
    return !this.#options.stopping.aborted && this.#options.orders.current() === undefined;
  }

  /**
   * Everything between the last look at isOpen() and the end of the commit, or of the attempt at one. What is inside when the
   * gate closes ends as it would have.
   */
  async pass<T>(receive: () => Promise<T>): Promise<T> {
    this.#passing += 1;
    try {
      return await receive();
    } finally {
      this.#passing -= 1;
    }
  }

  /**
   * Nothing is being received, and nothing will be before the gate opens: what came in is in the spool's count. To prove that the
   * spool is empty ask this before counting, and once more after it.
   */
  isShut(): boolean {
    return !this.isOpen() && this.#passing === 0;
  }

  /** Told when it closes and when it opens again. */
  onTurn(listener: (isOpen: boolean) => void): void {
    this.#listeners.push(listener);
  }

  #turn(): void {
    const isOpen = this.isOpen();
    if (isOpen === this.#wasOpen) return;
    this.#wasOpen = isOpen;
    for (const listener of this.#listeners) listener(isOpen);
  }
}
