/**
 * How often what RBAC refuses is asked for again. Nothing tells of a right, so it has to be asked; and rights to Secrets are
 * given namespace by namespace, so that many may be missing for good. A few are asked for every ten seconds: whoever has just
 * given one sees it at work at once. Many take turns, so that they cost about as much together. What somebody touches is asked
 * for right then.
 */

export const shortestRefusalMs = 10_000;
const longestRefusalMs = 300_000;
/** Of each that is refused. */
const turnMs = 1_000;

/** Milliseconds after which one of so many refusals is asked about again at the latest. */
export function refusalMs(refused: number): number {
  return Math.min(longestRefusalMs, Math.max(shortestRefusalMs, refused * turnMs));
}

/** What the server said when it refused something, as long as that is worth believing; by key. */
export class Refusals {
  readonly #now: () => number;
  readonly #said = new Map<string, { readonly said: string; readonly at: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Undefined when it is time to ask, or was never refused. */
  get(key: string): string | undefined {
    const refusal = this.#said.get(key);
    if (refusal === undefined || this.#now() - refusal.at >= refusalMs(this.#said.size)) return undefined;
    return refusal.said;
  }

  add(key: string, said: string): void {
    const now = this.#now();
    // What nobody has asked for since then is of resources that are gone, and must not slow the others down.
    for (const [other, { at }] of this.#said) if (now - at > longestRefusalMs) this.#said.delete(other);
    this.#said.set(key, { said, at: now });
  }

  forget(key: string): void {
    this.#said.delete(key);
  }

  forgetAll(prefix: string): void {
    for (const key of this.#said.keys()) if (key.startsWith(prefix)) this.#said.delete(key);
  }
}
