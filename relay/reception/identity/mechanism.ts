/**
 * A SASL mechanism (RFC 4422) as steps: to each message of the client it says a challenge, whose answer is the next message, or
 * who it is, or a refusal. Who speaks first and how many rounds there are is the mechanism's own affair.
 *
 * How messages travel (AUTH, base64, `*`, lines that are too long) is the protocol's: relay/smtp/server/sasl.ts. What a mechanism
 * cannot read is 501 5.5.2 (RFC 4954 section 4), which is no failed login.
 */
import type { Answer } from "../../../runtime/answer.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import type { Channel } from "../../smtp/server/channel.ts";
import type { Principal } from "./principal.ts";

export interface Mechanism {
  /** As EHLO says it, and metrics. */
  readonly name: string;
  /** Whether it can be used in this session; it always can when absent. */
  isOffered?(proofs: Proofs): boolean;
  /** `initial` came with AUTH itself; undefined when nothing did. */
  begin(initial: Buffer | undefined, proofs: Proofs): Step | Promise<Step>;
}

export type Step = Challenge | Notice | Proven | Refusal;

/** The login has failed, which the client is told in the mechanism's own words; whatever it answers, it then hears the refusal. */
export interface Notice {
  readonly kind: "notice";
  readonly data: Buffer;
  readonly refused: Refusal;
}

export interface Challenge {
  readonly kind: "challenge";
  readonly data: Buffer;
  answer(response: Buffer): Step | Promise<Step>;
}

export interface Proven {
  readonly kind: "proven";
  readonly principal: Principal;
}

/** What can be shown to this relay, each by the configuration of the moment. */
export interface Proofs {
  /** Or a token in its place, from clients that cannot show one otherwise. */
  password(login: PasswordLogin): Promise<Proven | Refusal>;
  token(login: TokenLogin): Promise<Proven | Refusal>;
  /** Whether anybody's tokens are taken. */
  areTokensTaken(): boolean;
  /** Of names that nobody has, too: who asks must not learn which there are. */
  challenge(username: string): Answer<PasswordChallenge | Refusal>;
  /** Printable and without commas; nobody can foresee it. */
  nonce(): string;
  /** The TLS connection that all of it travels in. */
  readonly channel: Channel;
  /** What the client showed in the TLS handshake, for itself or for a name that it has. */
  certificate(authzid: string): Proven | Refusal;
}

/** With what a client shows that it has a password without sending it (RFC 5802 section 3). */
export interface PasswordChallenge {
  /** Base64. */
  readonly salt: string;
  readonly iterations: number;
  /** `said` is all that both sides have said, the AuthMessage. */
  prove(said: string, proof: Buffer): ProvenToBoth | Refusal;
}

export interface ProvenToBoth extends Proven {
  /** ServerSignature: shows the client that this relay knows its password, too. */
  readonly signature: Buffer;
}

export interface PasswordLogin {
  readonly username: string;
  readonly password: string;
}

export interface TokenLogin {
  /** Empty, or whose token it is. */
  readonly username: string;
  readonly token: string;
}

/** The key may be on its way; a failed login of the session all the same, as anybody can invent such a token. */
export const unknownKey = refusal(454, "4.7.0", "The token's key is not known here yet, try again later");

/** RFC 4954 section 6: for good. */
export const invalidLogin = refusal(535, "5.7.8", "Authentication credentials invalid");

export function ask(data: string, answer: Challenge["answer"]): Challenge {
  return { kind: "challenge", data: Buffer.from(data), answer };
}

export function malformed(what: string): Refusal {
  return refusal(501, "5.5.2", what);
}

/** Nobody is called so, and who writes a log without care would have it split a line: those of C1 too, as U+0085 ends one. */
export function hasControlCharacters(text: string): boolean {
  return /\p{Cc}/u.test(text);
}
