/** Namespaces of which it is to be asked, once and after a while, whether anything there is needed still. */
export class Reviews {
  readonly #afterMs: number;
  readonly #review: (namespace: string) => void;
  readonly #due = new Set<string>();

  constructor(afterMs: number, review: (namespace: string) => void) {
    this.#afterMs = afterMs;
    this.#review = review;
  }

  soon(namespace: string): void {
    if (this.#due.has(namespace)) return;
    this.#due.add(namespace);
    const timer = setTimeout(() => {
      this.#due.delete(namespace);
      this.#review(namespace);
    }, this.#afterMs);
    timer.unref();
  }
}
