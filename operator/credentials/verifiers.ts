/**
 * Verifiers that were derived, kept as long as a resource asks for them: the derivation is meant to be slow, and what is no longer
 * asked for must not live on in memory.
 */
import { createHash } from "node:crypto";
import type { CredentialDocument, ScramVerifier } from "../../api/relayconfig.ts";
import type { ChosenLogin } from "./logins.ts";
import { scramIterations, scramVerifier, stableSalt } from "./scram.ts";

interface Remembered {
  readonly digest: string;
  readonly verifier: Promise<ScramVerifier>;
  readonly askers: Set<string>;
}

export class Verifiers {
  readonly #remembered = new Map<string, Remembered>();
  /** Keys of what each asker holds. */
  readonly #held = new Map<string, ReadonlySet<string>>();

  async of(
    { asker, relay }: { readonly asker: string; readonly relay: string },
    logins: readonly ChosenLogin[],
  ): Promise<readonly CredentialDocument[]> {
    const held = new Set<string>();
    const documents = logins.map(({ identity, username, password }) => {
      const key = `${relay}\n${identity}`;
      held.add(key);
      const verifier = this.#verifier(key, { relay, username, password, asker });
      return verifier.then((scram) => ({ identity, username, scram }));
    });
    this.#hold(asker, held);
    return Promise.all(documents);
  }

  forget(asker: string): void {
    this.#hold(asker, new Set());
  }

  #verifier(key: string, login: Omit<ChosenLogin, "identity"> & { readonly relay: string; readonly asker: string }) {
    const { relay, username, password, asker } = login;
    const digest = createHash("sha256")
      .update(JSON.stringify([username, password]))
      .digest("hex");
    const known = this.#remembered.get(key);
    const askers = (known?.askers ?? new Set()).add(asker);
    if (known !== undefined && known.digest === digest) return known.verifier;
    const salt = stableSalt(relay, username);
    const verifier = scramVerifier({ password, salt, iterations: scramIterations });
    this.#remembered.set(key, { digest, verifier, askers });
    return verifier;
  }

  /** What nobody else asks for is forgotten: the Secret may be gone, and its password must not live on here. */
  #hold(asker: string, held: ReadonlySet<string>): void {
    for (const key of this.#held.get(asker) ?? []) {
      if (held.has(key)) continue;
      const askers = this.#remembered.get(key)?.askers;
      askers?.delete(asker);
      if (askers?.size === 0) this.#remembered.delete(key);
    }
    if (held.size === 0) this.#held.delete(asker);
    else this.#held.set(asker, held);
  }

  get size(): number {
    return this.#remembered.size;
  }
}
