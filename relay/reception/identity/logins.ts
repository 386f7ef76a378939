/**
 * The logins of one session: by which mechanism, what came of it, and how often they failed.
 *
 * On failure: each costs the client more time, and the third the session (RFC 4954 section 9). What a client wrote wrong, and what
 * is the matter with us, is not counted. A mechanism that throws is the connection's to answer.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { hasGaps, type Snapshot } from "../../config/snapshot.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import { channelWithoutName, type Channel } from "../../smtp/server/channel.ts";
import type { SaslExchange, SaslStep } from "../../smtp/server/sasl.ts";
import { invalidLogin, type Mechanism, type Proofs, type Proven, type Step } from "./mechanism.ts";
import { mechanismNamed, mechanismNames } from "./mechanisms.ts";
import type { PasswordCheck } from "./passwords.ts";
import { hasExpired, type Principal } from "./principal.ts";
import type { Restraint } from "./restraint.ts";
import type { LoginUses } from "./uses.ts";

export interface LoginsOptions {
  readonly snapshot: () => Snapshot;
  readonly passwords: PasswordCheck;
  readonly uses: LoginUses;
  readonly restraint: Restraint;
  readonly now: () => number;
  /** The right password, of Secrets whose time is over; the client is told what a wrong one is told. */
  readonly onExpired: (identities: readonly string[]) => void;
  readonly certificate: Proofs["certificate"];
  readonly onEnd: (mechanism: string, result: "success" | "failure", username: string | undefined) => void;
}

const failuresAllowed = 3;
const failureDelayMs = 250;
const nonceOctets = 18;
const incomplete = refusal(454, "4.7.0", "This login cannot be checked yet, try again later");

export class Logins {
  readonly #options: LoginsOptions;
  #proofs: Proofs;
  #principal: Principal | undefined;
  #failures = 0;
  /** Whose password was shown last. */
  #username: string | undefined;

  constructor(options: LoginsOptions) {
    this.#options = options;
    this.#proofs = this.#proofsIn(channelWithoutName);
  }

  /** What comes is inside TLS, and bound to it where the client likes. */
  secured(channel: Channel): void {
    this.#proofs = this.#proofsIn(channel);
  }

  #proofsIn(channel: Channel): Proofs {
    const { passwords, snapshot, certificate, restraint } = this.#options;
    return {
      password: async (login) => {
        this.#username = login.username;
        const held = await restraint.turn(login.username, login.password);
        return held ?? this.#inTime(await passwords.prove(snapshot().credentials, login));
      },
      challenge: async (username) => {
        this.#username = username;
        const held = await restraint.turn(username);
        if (held !== undefined) return held;
        const challenge = passwords.challenge(snapshot(), username);
        return { ...challenge, prove: (said, proof) => this.#inTime(challenge.prove(said, proof)) };
      },
      nonce: () => randomBytes(nonceOctets).toString("base64"),
      channel,
      certificate,
    };
  }

  /** What is left of it by the time that the Secrets give it. */
  #inTime<T extends Proven>(proven: T | Refusal): T | Refusal {
    if (proven.kind === "refusal" || proven.principal.proof.kind !== "password") return proven;
    const at = this.#options.now();
    const { credentials } = proven.principal.proof;
    const left = credentials.filter((credential) => !hasExpired(credential, at));
    if (left.length === 0) {
      this.#options.onExpired(credentials.map(({ identity }) => identity));
      return invalidLogin;
    }
    return { ...proven, principal: { ...proven.principal, proof: { kind: "password", credentials: left } } };
  }

  /** As EHLO names them. */
  get mechanisms(): readonly string[] {
    return mechanismNames(this.#proofs);
  }

  /** Who has logged in; what is left of it, the configuration says. */
  get principal(): Principal | undefined {
    return this.#principal;
  }

  /** Its Secrets were, just now: also by a message, as a client may keep its session for days. */
  used(): void {
    const proof = this.#principal?.proof;
    if (proof?.kind !== "password") return;
    const { uses, now } = this.#options;
    uses.used(
      proof.credentials.map(({ identity }) => identity),
      now(),
    );
  }

  exchange(name: string): SaslExchange | undefined {
    const mechanism = mechanismNamed(name, this.#proofs);
    if (mechanism === undefined) return undefined;
    this.#username = undefined;
    this.#options.restraint.begin();
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
        this.used();
        this.#options.restraint.succeeded();
        this.#options.onEnd(mechanism.name, "success", this.#username);
        return { kind: "authenticated" };
      case "refusal":
        return step.code === 535 ? this.#failed(mechanism, step) : step;
    }
  }

  async #failed(mechanism: Mechanism, refused: Refusal): Promise<Refusal> {
    this.#options.onEnd(mechanism.name, "failure", this.#username);
    this.#failures += 1;
    await this.#options.restraint.failed();
    if (this.#failures >= failuresAllowed) return refusal(421, "4.7.0", "Too many failed logins");
    await delay(failureDelayMs * this.#failures);
    // It may be a login that has not arrived, and 535 would be for good (RFC 4954 section 6).
    return hasGaps(this.#options.snapshot().gaps) ? incomplete : refused;
  }
}
