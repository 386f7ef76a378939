/** How often, and since when, the same message was offered to the same recipient: bounded, and forgotten in time. */
import type { Tries } from "./behaviour.ts";

const keptMs = 3_600_000;
const keptTries = 10_000;

/** What tells a message before its content is there. Two that agree in all of it count as one. */
export interface Offer {
  readonly sender: string;
  readonly recipient: string;
  /** The SIZE and ENVID parameters of MAIL. */
  readonly size: string;
  readonly envelopeId: string;
}

export class TryBook {
  readonly #tries = new Map<string, { count: number; readonly firstAt: number }>();

  /** The tries before this one, which is noted. */
  note(offer: Offer, now: number): Tries {
    const key = JSON.stringify([offer.sender, offer.recipient, offer.size, offer.envelopeId]);
    const known = this.#tries.get(key);
    if (known === undefined || now - known.firstAt > keptMs) {
      this.#tries.delete(key);
      this.#tries.set(key, { count: 1, firstAt: now });
      this.#trim();
      return { count: 0, firstAt: undefined };
    }
    const before = { count: known.count, firstAt: known.firstAt };
    known.count += 1;
    return before;
  }

  /** The message was taken: the next one like it starts anew. */
  forget(offer: Offer): void {
    this.#tries.delete(JSON.stringify([offer.sender, offer.recipient, offer.size, offer.envelopeId]));
  }

  #trim(): void {
    for (const key of this.#tries.keys()) {
      if (this.#tries.size <= keptTries) return;
      this.#tries.delete(key);
    }
  }
}
