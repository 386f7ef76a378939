/**
 * How long a client may take, and how often it may be refused. Pure.
 *
 * A stranger has a time to log in, whatever it says meanwhile: NOOP and RSET are no reason to live. Who is known has the five
 * minutes of RFC 5321 section 4.5.3.2.7 since it last got on with a message.
 */

export interface Patience {
  /** From the first octet to a session: PROXY header and handshake. */
  readonly arrivalMs: number;
  /** A handshake after STARTTLS. */
  readonly handshakeMs: number;
  /** From the greeting to a login. */
  readonly loginMs: number;
  readonly idleMs: number;
  /** Of a message, at least: see frame/datapace.ts. */
  readonly octetsPerSecond: number;
  /** Before a loud client's next connection, and before each further command of a stranger that is loud or has said a lot. */
  readonly pauseMs: number;
  /** Before a login is looked at whose client fails often; in that time it must not lose its place (relay/limits/connections.ts). */
  readonly slowLoginMs: number;
}

export const usualPatience: Patience = {
  arrivalMs: 30_000,
  handshakeMs: 30_000,
  loginMs: 60_000,
  // RFC 5321 section 4.5.3.2.7 asks for five minutes.
  idleMs: 300_000,
  // As slow as a client may be that means well: a modem of the nineties sent five times as much.
  octetsPerSecond: 500,
  pauseMs: 500,
  slowLoginMs: 5000,
};

/** Times are those of one monotonic clock in ms. */
export type Standing =
  | { readonly kind: "stranger"; readonly since: number; readonly handshakeSince?: number }
  | { readonly kind: "known"; readonly progressAt: number; readonly handshakeSince?: number };

/** When a session has waited long enough for its client. */
export function deadlineOf(standing: Standing, patience: Patience): number {
  const own = standing.kind === "stranger" ? standing.since + patience.loginMs : standing.progressAt + patience.idleMs;
  const { handshakeSince } = standing;
  return handshakeSince === undefined ? own : Math.min(own, handshakeSince + patience.handshakeMs);
}

export function known(standing: Standing, now: number): Standing {
  return { ...standing, kind: "known", progressAt: now };
}

/** Who is a stranger stays one. */
export function progressed(standing: Standing, now: number): Standing {
  return standing.kind === "known" ? { ...standing, progressAt: now } : standing;
}

export function handshaking(standing: Standing, now: number): Standing {
  return { ...standing, handshakeSince: now };
}

export function handshaken(standing: Standing): Standing {
  const { handshakeSince: _over, ...rest } = standing;
  return rest;
}

/** Since the last message that was taken; a mailing list may hold many addresses that nobody can read. */
const refusalsAllowed = { stranger: 30, known: 200 } as const;

/** RFC 3463 section 3.6: it may send the rest in another transaction, and has done nothing wrong. */
const tooManyRecipients = "4.5.3";

/**
 * Whether a reply is counted. Of a client that is known, what is the matter with us alone (RFC 3463 section 3.4: 4.3.1 is a full disk)
 * is not: it is to come again as often as it likes. A stranger could cause that at will.
 */
export function isRefusal(reply: { readonly code: number; readonly enhanced: string }, standing: Standing): boolean {
  const isOurs = reply.enhanced.startsWith("4.3.") && standing.kind === "known";
  return reply.code >= 400 && reply.enhanced !== tooManyRecipients && !isOurs;
}

export function isTooMany(refusals: number, standing: Standing): boolean {
  return refusals > refusalsAllowed[standing.kind];
}

/** EHLO, STARTTLS, EHLO, a few logins and QUIT are fewer. */
const strangersCommands = 20;

/** Whether a client's next command waits: each costs us more than the client, and who is known needs no brake. */
export function isSlowed(standing: Standing, talk: { readonly commands: number; readonly isLoud: boolean }): boolean {
  return standing.kind === "stranger" && (talk.isLoud || talk.commands > strangersCommands);
}
