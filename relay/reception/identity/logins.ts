/**
 * The logins of one session: by which mechanism, what came of it, and how often they failed.
 *
 * On failure: each costs the client more time, and the third the session (RFC 4954 section 9). What a client wrote wrong, and what
 * is the matter with us, is not counted. A mechanism that throws is the connection's to answer, and counts: what a client can make throw
 * it could else say for ever.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { TokenIssuerDocument } from "../../../api/relayconfig.ts";
import { hasGaps, type Snapshot } from "../../config/snapshot.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import { channelWithoutName, type Channel } from "../../smtp/server/channel.ts";
import type { SaslExchange, SaslStep } from "../../smtp/server/sasl.ts";
import {
  invalidLogin,
  type Mechanism,
  type PasswordLogin,
  type Proofs,
  type Proven,
  type Step,
  unknownKey,
} from "./mechanism.ts";
import { mechanismNamed, mechanismNames } from "./mechanisms.ts";
import type { PasswordCheck } from "./passwords.ts";
import { hasExpired, type Principal } from "./principal.ts";
import type { Restraint } from "./restraint.ts";
import { looksLikeToken, type TokenCheck } from "./tokens/tokens.ts";
import type { LoginUses } from "./uses.ts";

export interface LoginsOptions {
  readonly snapshot: () => Snapshot;
  readonly passwords: PasswordCheck;
  readonly tokens: TokenCheck;
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
const tooManyFailures = refusal(421, "4.7.0", "Too many failed logins");
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
    const { passwords, snapshot, certificate, restraint, tokens } = this.#options;
    return {
      password: (login) => this.#provePassword(login),
      challenge: async (username) => {
        this.#names(username);
        const held = await restraint.turn(username);
        if (held !== undefined) return held;
        const challenge = passwords.challenge(snapshot(), username);
        return { ...challenge, prove: (said, proof) => this.#inTime(challenge.prove(said, proof)) };
      },
      token: (login) => {
        this.#names(login.username);
        return tokens.prove(this.#issuers, login);
      },
      areTokensTaken: () => this.#issuers.length > 0,
      nonce: () => randomBytes(nonceOctets).toString("base64"),
      channel,
      certificate,
    };
  }

  get #issuers(): readonly TokenIssuerDocument[] {
    return this.#options.snapshot().relay.tokenIssuers ?? [];
  }

  /** Many clients can show nothing but a user name and a password; a token of an issuer that is known is none, and cannot be guessed. */
  async #provePassword(login: PasswordLogin): Promise<Proven | Refusal> {
    const { snapshot, tokens, passwords, restraint } = this.#options;
    this.#names(login.username);
    const issuers = this.#issuers;
    const { username, password } = login;
    if (issuers.length > 0 && (await tokens.isOfOne(issuers, password)))
      return tokens.prove(issuers, { username, token: password });
    const held = await restraint.turn(username, password);
    return held ?? this.#inTime(await passwords.prove(snapshot().credentials, login));
  }

  /** A token that was written where the name belongs is told to nobody. */
  #names(username: string): void {
    this.#username = looksLikeToken(username) ? undefined : username;
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
    return (initial) => this.#step(mechanism, async () => mechanism.begin(initial, this.#proofs));
  }

  async #step(mechanism: Mechanism, take: () => Promise<Step>): Promise<SaslStep> {
    let step: Step;
    try {
      step = await take();
    } catch (error) {
      this.#options.onEnd(mechanism.name, "failure", this.#username);
      this.#failures += 1;
      if (this.#failures >= failuresAllowed) return tooManyFailures;
      throw error;
    }
    return this.#after(mechanism, step);
  }

  #after(mechanism: Mechanism, step: Step): SaslStep | Promise<SaslStep> {
    switch (step.kind) {
      case "challenge": {
        const { data } = step;
        return { kind: "challenge", data, answer: (text) => this.#step(mechanism, async () => step.answer(text)) };
      }
      case "proven":
        this.#principal = step.principal;
        this.used();
        this.#options.restraint.succeeded();
        this.#options.onEnd(mechanism.name, "success", this.#username);
        return { kind: "authenticated" };
      case "notice":
        return this.#noticed(mechanism, step);
      case "refusal":
        return step.code === 535 || step === unknownKey ? this.#failed(mechanism, step) : step;
    }
  }

  /** It counts before the client acknowledges it: `*` would make a failed login none. */
  async #noticed(mechanism: Mechanism, { data, refused }: Extract<Step, { kind: "notice" }>): Promise<SaslStep> {
    const told = await this.#failed(mechanism, refused);
    return told.code === 421 ? told : { kind: "challenge", data, answer: async () => Promise.resolve(told) };
  }

  async #failed(mechanism: Mechanism, refused: Refusal): Promise<Refusal> {
    this.#options.onEnd(mechanism.name, "failure", this.#username);
    this.#failures += 1;
    // At a rotation of keys all pods behind one address show such tokens, and their passwords must not wait for that.
    if (refused !== unknownKey) await this.#options.restraint.failed();
    if (this.#failures >= failuresAllowed) return tooManyFailures;
    await delay(failureDelayMs * this.#failures);
    // It may be a login that has not arrived, and 535 would be for good (RFC 4954 section 6).
    return hasGaps(this.#options.snapshot().gaps) ? incomplete : refused;
  }
}
