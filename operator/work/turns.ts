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
  /**
   * Whether it says something of the release that none of its pods becomes ready: not of a relay whose owner changed it, which has
   * asked nobody, nor of one that had a pod that was not ready when it asked.
   */
  readonly isTelling: boolean;
}

/** What a new leader finds of a relay that replaces pods already. */
export type Begun = Pick<Turn, "isTelling"> & { readonly replaced: number };

/** What a relay that asks for its turn says. */
export interface TurnRequest {
  readonly now: number;
  /** All of its pods are ready. */
  readonly isWhole: boolean;
  /** Gives the relays that replace pods already, as a new leader finds them; it is asked once. */
  readonly present: () => Promise<ReadonlyMap<string, Begun>>;
}

/** Whether one more relay may begin. Pure. */
export function mayBegin(turns: Iterable<Turn>, limit: number, now: number): boolean {
  return [...turns].filter((turn) => counts(turn, now)).length < limit;
}

/**
 * A relay without progress for so long holds up no other, unless not one of its pods became ready: then it may be the release that
 * does not start, and whoever comes next would stop as well.
 */
function counts({ at, replaced, isTelling }: Turn, now: number): boolean {
  return now - at < patienceMs || (isTelling && replaced === 0);
}

export class Turns {
  readonly #limit: number;
  readonly #turns = new Map<string, Turn>();
  /** Those that count for nobody until they are whole again. */
  readonly #passedOver = new Set<string>();
  #opened: Promise<void> | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  has(relay: string): boolean {
    return this.#turns.has(relay);
  }

  async ask(relay: string, { now, isWhole, present }: TurnRequest): Promise<boolean> {
    this.#opened ??= present().then((found) => {
      for (const [name, begun] of found) {
        if (this.#passedOver.has(name)) continue;
        const at = this.#turns.get(name)?.at ?? now;
        // Who began under another leader has its turn from there, as far as anybody knows.
        this.#turns.set(name, { at, ...begun });
      }
    });
    await this.#opened.catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    if (this.has(relay)) return true;
    // Nothing is awaited from here on: two that ask at the same time cannot both have the last turn.
    if (!mayBegin(this.#turns.values(), this.#limit, now)) return false;
    this.#turns.set(relay, { at: now, replaced: undefined, isTelling: isWhole });
    return true;
  }

  /** It replaces its pods in nobody's turn: none of them takes mail, and none is expected to. */
  passOver(relay: string): void {
    this.#turns.delete(relay);
    this.#passedOver.add(relay);
  }

  /** It replaces pods, whether it has asked or not. */
  replaces(relay: string, replaced: number, now: number): void {
    if (this.#passedOver.has(relay)) return;
    const turn = this.#turns.get(relay);
    if (turn !== undefined && replaced <= (turn.replaced ?? -1)) return;
    this.#turns.set(relay, { at: now, replaced, isTelling: turn?.isTelling ?? false });
  }

  giveBack(relay: string): void {
    this.#passedOver.delete(relay);
    this.#turns.delete(relay);
  }
}
