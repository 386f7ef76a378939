/**
 * What a session of the relay may answer, and what that makes of it: RFC 5321 section 4.1.4 and the relay's own rules, written down
 * a second time. Pure, and knows nothing of the relay's code.
 */
import type { Command } from "./commands.ts";

export interface Transaction {
  /** Undefined when it is the null path, or when a line was taken that had been changed at random. */
  readonly sender: string | undefined;
  readonly isUtf8: boolean;
  /** By address, whether the client wants to be told of its success. */
  readonly recipients: ReadonlyMap<string, boolean>;
  /** Of lines that had been changed at random. */
  readonly uncertain: number;
}

export interface ModelState {
  readonly tls: "absent" | "offered" | "implicit";
  /** Of a network that the listener trusts. Undefined: nobody can tell. */
  readonly isTrusted: boolean | undefined;
  readonly needsLogin: boolean;
  readonly isSecure: boolean;
  readonly isGreeted: boolean;
  /** AUTH was said inside TLS, which a client may that has not said its name again; whether it has one then is left to the server. */
  readonly hasAskedIn: boolean;
  readonly isLoggedIn: boolean;
  /** The last reply was a challenge. */
  readonly isAsked: boolean;
  readonly transaction: Transaction | undefined;
  readonly refusals: number;
}

export type Expectation = "yes" | "no" | "any";

/** A few of them end a session, and what a login costs is more than one. */
const refusalsUnpunished = 2;

export function mayEnd({ refusals }: ModelState): boolean {
  return refusals >= refusalsUnpunished;
}

function mayMail(state: ModelState): Expectation {
  const { isLoggedIn, isTrusted, needsLogin, isGreeted, hasAskedIn, tls } = state;
  if (!isGreeted && !(hasAskedIn && tls === "offered")) return "no";
  if (isLoggedIn) return "yes";
  if (needsLogin || isTrusted === false) return "no";
  return isTrusted === true && isGreeted ? "yes" : "any";
}

export function expectationOf(state: ModelState, command: Command, endsBare: boolean): Expectation {
  // RFC 5321 section 2.3.8: a line feed alone ends no line.
  if (endsBare) return "no";
  // Whatever it is, it answers a challenge.
  if (state.isAsked) return "no";
  if (command.verdict === "wrong") return "no";
  switch (command.verb) {
    case "mail": {
      const may = state.transaction === undefined ? mayMail(state) : "no";
      return may === "yes" && command.verdict === "open" ? "any" : may;
    }
    case "rcpt":
      if (state.transaction === undefined) return "no";
      return command.verdict === "open" ? "any" : "yes";
    case "hello":
    case "reset":
      return "yes";
    case "other":
      return "any";
  }
}

export interface Reply {
  readonly code: number;
}

/** Any line that begins an exchange, whatever comes of it. */
export function asksIn(state: ModelState, line: string): ModelState {
  return state.isSecure && /^auth /i.test(line) ? { ...state, hasAskedIn: true } : state;
}

export function afterReply(before: ModelState, command: Command, { code }: Reply): ModelState {
  const state = asksIn(before, command.text);
  const counted = { ...state, isAsked: code === 334, refusals: state.refusals + (code >= 400 ? 1 : 0) };
  if (code !== 250) return counted;
  switch (command.verb) {
    case "hello":
      return { ...counted, isGreeted: true, transaction: undefined };
    case "reset":
      return { ...counted, transaction: undefined };
    case "mail":
      return {
        ...counted,
        transaction: { sender: command.address, isUtf8: command.isUtf8, recipients: new Map(), uncertain: 0 },
      };
    case "rcpt":
      return { ...counted, transaction: withRecipient(state.transaction, command) };
    case "other":
      return changedByNoise(counted, command.text);
  }
}

/** Noise may happen to be a command. */
function changedByNoise(state: ModelState, text: string): ModelState {
  if (/^\s*(?:ehlo|helo)/i.test(text)) return { ...state, isGreeted: true, transaction: undefined };
  return /^\s*rset/i.test(text) ? { ...state, transaction: undefined } : state;
}

function withRecipient(
  transaction: Transaction | undefined,
  { address, wantsSuccess }: Extract<Command, { verb: "rcpt" }>,
): Transaction | undefined {
  if (transaction === undefined) return undefined;
  const { recipients, uncertain } = transaction;
  if (address === undefined) return { ...transaction, uncertain: uncertain + 1 };
  return { ...transaction, recipients: new Map(recipients).set(address, wantsSuccess) };
}

export function dataExpectation({ transaction, isAsked }: ModelState): Expectation {
  return !isAsked && transaction !== undefined && transaction.recipients.size + transaction.uncertain > 0
    ? "yes"
    : "no";
}

export function startTlsExpectation({ tls, isSecure, isGreeted, isAsked, transaction }: ModelState): Expectation {
  if (tls !== "offered" || isSecure || isAsked) return "no";
  return isGreeted && transaction === undefined ? "yes" : "any";
}

/** RFC 3207 section 4.2: what was said before is forgotten. */
export function afterStartTls(state: ModelState): ModelState {
  return { ...state, isSecure: true, isGreeted: false, hasAskedIn: false, transaction: undefined };
}

export function loginExpectation(state: ModelState): Expectation {
  if (!state.isSecure || state.isLoggedIn || state.isAsked || state.transaction !== undefined) return "no";
  return state.isGreeted || state.tls === "offered" ? "yes" : "any";
}
