/**
 * When somebody last came in by the password of each Secret, so that a person can see which of them may go. Kept while the process
 * runs: what a relay forgets at its end, its status remembers.
 */
import type { Snapshot } from "../../config/snapshot.ts";

export interface LoginUse {
  /** `namespace/name`. */
  readonly secret: string;
  /** Milliseconds since the epoch; undefined when it was not used since the start. */
  readonly lastUsedAt: number | undefined;
}

type Credentials = Snapshot["credentials"];

export class LoginUses {
  readonly #lastUsedAt = new Map<string, number>();
  #known: { readonly of: Credentials | undefined; readonly secrets: readonly string[] } = {
    of: undefined,
    secrets: [],
  };

  used(secrets: readonly string[], at: number): void {
    for (const secret of secrets) this.#lastUsedAt.set(secret, at);
  }

  /** Of the Secrets that there are, the first so many by name: the same ones at each look, used or not. */
  of(credentials: Credentials, most: number): readonly LoginUse[] {
    return this.#secretsIn(credentials)
      .slice(0, most)
      .map((secret) => ({ secret, lastUsedAt: this.#lastUsedAt.get(secret) }));
  }

  /** Once for each configuration; what is gone is forgotten. */
  #secretsIn(credentials: Credentials): readonly string[] {
    if (this.#known.of === credentials) return this.#known.secrets;
    const secrets = new Set([...credentials.values()].flat().map(({ identity }) => identity));
    for (const secret of this.#lastUsedAt.keys()) if (!secrets.has(secret)) this.#lastUsedAt.delete(secret);
    this.#known = { of: credentials, secrets: [...secrets].sort() };
    return this.#known.secrets;
  }
}
