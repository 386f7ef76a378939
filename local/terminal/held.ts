/**
 * Problems that are cured a moment later are nobody's: a Secret that comes a second after who refers to it, a relay that is not
 * ready yet. Each is said once it has stood for a while, and not at all when it ends before.
 */
import type { Timers } from "../../runtime/clock.ts";

/** Longer than the parts of a start, or of an editor's saved files, take to find each other; short for who waits for a word. */
export const standMs = 1_500;

interface Waiting {
  say: () => void;
  readonly callOff: () => void;
}

export class Held {
  readonly #timers: Timers;
  readonly #waiting = new Map<string, Waiting>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** What is wrong now. That it is told in other words meanwhile does not make it younger. */
  hold(what: string, say: () => void): void {
    const known = this.#waiting.get(what);
    if (known !== undefined) {
      known.say = say;
      return;
    }
    const waiting: Waiting = { say, callOff: this.#timers.after(standMs, () => this.#stood(what, waiting)) };
    this.#waiting.set(what, waiting);
  }

  /** It is no more. True when nothing was said of it, so that its end is no news. */
  cured(what: string): boolean {
    const waiting = this.#waiting.get(what);
    if (waiting === undefined) return false;
    waiting.callOff();
    return this.#waiting.delete(what);
  }

  /** Nothing is said any more. */
  close(): void {
    for (const { callOff } of this.#waiting.values()) callOff();
    this.#waiting.clear();
  }

  #stood(what: string, waiting: Waiting): void {
    this.#waiting.delete(what);
    waiting.say();
  }
}
