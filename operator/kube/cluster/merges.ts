/**
 * Changes of single data keys of Secrets. Those of one Secret go one after the other; those that wait for their turn go
 * together, as one write. When that is refused each goes alone: what the server will not take of one domain is no business
 * of its neighbours.
 */
import { keyOf, RejectedError } from "../kube.ts";
import type { Secret } from "../objects.ts";

/** Text by data key; undefined takes a key away. */
export type Changes = Readonly<Record<string, string | undefined>>;

interface Batch {
  readonly parts: Changes[];
  readonly written: Promise<void>;
}

export class Merges {
  readonly #write: (secret: Secret, changes: Changes) => Promise<void>;
  /** Batches that have not been sent yet, and the last write, by Secret. */
  readonly #waiting = new Map<string, Batch>();
  readonly #last = new Map<string, Promise<void>>();

  constructor(write: (secret: Secret, changes: Changes) => Promise<void>) {
    this.#write = write;
  }

  async merge(secret: Secret, changes: Changes): Promise<void> {
    const key = keyOf({ kind: "Secret", ...secret.metadata });
    const batch = this.#waiting.get(key) ?? this.#open(key, secret);
    batch.parts.push(changes);
    try {
      await batch.written;
    } catch (error) {
      if (!(error instanceof RejectedError) || batch.parts.length === 1) throw error;
      await this.#inTurn(key, () => this.#write(secret, changes));
    }
  }

  #open(key: string, secret: Secret): Batch {
    const parts: Changes[] = [];
    const written = this.#inTurn(key, async () => {
      this.#waiting.delete(key);
      await this.#write(secret, Object.fromEntries(parts.flatMap((part) => Object.entries(part))));
    });
    const batch: Batch = { parts, written };
    this.#waiting.set(key, batch);
    return batch;
  }

  #inTurn(key: string, write: () => Promise<void>): Promise<void> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const written = before
      // That write failed for those who waited for it; whether the next one does is seen when it is sent.
      .catch(() => undefined)
      .then(write)
      .finally(() => {
        if (this.#last.get(key) === written) this.#last.delete(key);
      });
    this.#last.set(key, written);
    return written;
  }
}
