/**
 * Verifiers that were derived, kept as long as a resource asks for them: the derivation is meant to be slow, and what is no longer
 * asked for must not live on in memory.
 */
import { createHash } from "node:crypto";
import { preparePassword, preparePasswordForScram } from "../../api/login.ts";
import type { CredentialDocument, ScramVerifier } from "../../api/relayconfig.ts";
import { scramIterations, stableSalt } from "../../runtime/scram.ts";
import type { ChosenLogin } from "./logins.ts";
import { scramVerifier } from "./scram.ts";

interface Remembered {
  readonly digest: string;
  readonly verifiers: Promise<readonly ScramVerifier[]>;
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
    const documents = logins.map(({ identity, username, password, expiresAt }) => {
      const key = `${relay}\n${identity}`;
      held.add(key);
      const verifiers = this.#verifiers(key, { relay, username, password, asker });
      const end = expiresAt === undefined ? {} : { expiresAt };
      return verifiers.then((scrams) => scrams.map((scram) => ({ identity, username, scram, ...end })));
    });
    this.#hold(asker, held);
    return (await Promise.all(documents)).flat();
  }

  forget(asker: string): void {
    this.#hold(asker, new Set());
  }

  #verifiers(key: string, login: Omit<ChosenLogin, "identity"> & { readonly relay: string; readonly asker: string }) {
    const { relay, username, password, asker } = login;
    const digest = createHash("sha256")
      .update(JSON.stringify([username, password]))
      .digest("hex");
    const known = this.#remembered.get(key);
    const askers = (known?.askers ?? new Set()).add(asker);
    if (known !== undefined && known.digest === digest) return known.verifiers;
    const salt = stableSalt(relay, username);
    const verifiers = Promise.all(
      spellingsOf(password).map((spelled) => scramVerifier({ password: spelled, salt, iterations: scramIterations })),
    );
    this.#remembered.set(key, { digest, verifiers, askers });
    return verifiers;
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

/** What clients derive from: nearly always one. The first is what passwords that travel are held against. */
function spellingsOf(password: string): readonly string[] {
  const [sent, derived] = [preparePassword(password), preparePasswordForScram(password)];
  return derived === sent || derived === "" ? [sent] : [sent, derived];
}
