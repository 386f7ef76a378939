/**
 * Which relays may replace their pods now. A new operator brings a new template to every relay at the same time: without turns
 * hundreds of pods would start anew at once, and a release that does not start would have stopped a pod of each of them.
 */

/** Pods are to be ready within ten minutes (their startup probe). */
const patienceMs = 600_000;

export interface Turn {
  /** When it was given, its pods were seen to be replaced, or one more of them was; milliseconds since the epoch. */
  readonly at: number;
  /** Pods that run the new template; undefined while none is seen to be replaced. */
  readonly replaced: number | undefined;
  /** False of a relay whose owner changed it: it has asked nobody. */
  readonly isGiven: boolean;
}

/** Whether one more relay may begin. Pure. */
export function mayBegin(turns: Iterable<Turn>, limit: number, now: number): boolean {
  return [...turns].filter((turn) => counts(turn, now)).length < limit;
}

/**
 * A relay without progress for so long holds up no other, unless not one of its pods became ready: then it may be the release that
 * does not start, and whoever comes next would stop as well.
 */
function counts({ at, replaced, isGiven }: Turn, now: number): boolean {
  return now - at < patienceMs || (isGiven && replaced === 0);
}

export class Turns {
  readonly #limit: number;
  readonly #turns = new Map<string, Turn>();
  #opened: Promise<void> | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(relay: string): boolean {
    return this.#turns.has(relay);
  }

  /** `present` gives the relays that replace pods already, as a new leader finds them; it is asked once. */
  async ask(relay: string, now: number, present: () => Promise<ReadonlyMap<string, number>>): Promise<boolean> {
    this.#opened ??= present().then((found) => {
      for (const [name, replaced] of found) {
        const at = this.#turns.get(name)?.at ?? now;
        // Who began under another leader has its turn from there, as far as anybody knows.
        this.#turns.set(name, { at, replaced, isGiven: true });
      }
    });
    await this.#opened.catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    if (this.has(relay)) return true;
    // Nothing is awaited from here on: two that ask at the same time cannot both have the last turn.
    if (!mayBegin(this.#turns.values(), this.#limit, now)) return false;
    this.#turns.set(relay, { at: now, replaced: undefined, isGiven: true });
    return true;
  }

  /** It replaces pods, whether it has asked or not. */
  replaces(relay: string, replaced: number, now: number): void {
    const turn = this.#turns.get(relay);
    if (turn !== undefined && replaced <= (turn.replaced ?? -1)) return;
    this.#turns.set(relay, { at: now, replaced, isGiven: turn?.isGiven ?? false });
  }

  giveBack(relay: string): void {
    this.#turns.delete(relay);
  }
}
