/**
 * Keeps a label's set of values bounded: a relay with 10,000 sender domains and 100,000 destinations must still be
 * scraped in a moment. Pure but for its memory of what it has seen.
 */

/** What stands for every value that came too late. It is no domain name, so it cannot meet one. */
export const otherValues = "(other)";

/**
 * The first `limit` values that are seen keep their name for the life of the process, because a counter that changes
 * its label looks like a reset; all later ones share one.
 */
export class BoundedLabel {
  readonly #limit: number;
  readonly #seen = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  of(value: string): string {
    if (this.#seen.has(value)) return value;
    if (this.#seen.size >= this.#limit) return otherValues;
    this.#seen.add(value);
    return value;
  }
}

/** `2xx`, `4xx` or `5xx`; `none` when nobody replied, such as a connection that was refused. */
export function replyClass(code: number, isRemote: boolean): string {
  return isRemote ? `${Math.floor(code / 100)}xx` : "none";
}
