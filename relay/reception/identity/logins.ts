/**
 * The logins of one session: by which mechanism, what came of it, and how often they failed.
 *
 * On failure: each costs the client more time, and the third the session (RFC 4954 section 9). What a client wrote wrong, and what
 * is the matter with us, is not counted. A mechanism that throws is the connection's to answer.
 */
import { setTimeout as delay } from "node:timers/promises";
import { hasGaps, type Snapshot } from "../../config/snapshot.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import type { SaslExchange, SaslStep } from "../../smtp/server/sasl.ts";
import type { Mechanism, Proofs, Step } from "./mechanism.ts";
import { mechanismNamed } from "./mechanisms.ts";
import type { PasswordCheck } from "./passwords.ts";
import type { Principal } from "./principal.ts";

export interface LoginsOptions {
  readonly snapshot: () => Snapshot;
  readonly passwords: PasswordCheck;
  readonly onEnd: (mechanism: string, result: "success" | "failure", username: string | undefined) => void;
}

const failuresAllowed = 3;
const failureDelayMs = 250;
const incomplete = refusal(454, "4.7.0", "This login cannot be checked yet, try again later");

export class Logins {
  readonly #options: LoginsOptions;
  readonly #proofs: Proofs;
  #principal: Principal | undefined;
  #failures = 0;
  /** Whose password was shown last. */
  #username: string | undefined;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#proofs = {
      password: (login) => {
        this.#username = login.username;
        return options.passwords.prove(options.snapshot().credentials, login);
      },
    };
  }

  /** Who has logged in; what is left of it, the configuration says. */
  get principal(): Principal | undefined {
    return this.#principal;
  }

  exchange(name: string): SaslExchange | undefined {
    const mechanism = mechanismNamed(name);
    if (mechanism === undefined) return undefined;
    this.#username = undefined;
    return async (initial) => this.#after(mechanism, await mechanism.begin(initial, this.#proofs));
  }

  #after(mechanism: Mechanism, step: Step): SaslStep | Promise<SaslStep> {
    switch (step.kind) {
      case "challenge": {
        const { data } = step;
        return { kind: "challenge", data, answer: async (text) => this.#after(mechanism, await step.answer(text)) };
      }
      case "proven":
        this.#principal = step.principal;
        this.#options.onEnd(mechanism.name, "success", this.#username);
        return { kind: "authenticated" };
      case "refusal":
        return step.code === 535 ? this.#failed(mechanism, step) : step;
    }
  }

  async #failed(mechanism: Mechanism, refused: Refusal): Promise<Refusal> {
    this.#options.onEnd(mechanism.name, "failure", this.#username);
    this.#failures += 1;
    if (this.#failures >= failuresAllowed) return refusal(421, "4.7.0", "Too many failed logins");
    await delay(failureDelayMs * this.#failures);
    // It may be a login that has not arrived, and 535 would be for good (RFC 4954 section 6).
    return hasGaps(this.#options.snapshot().gaps) ? incomplete : refused;
  }
}
