/**
 * User names and passwords against the verifiers of the snapshot.
 *
 * A wrong password and an unknown user cost the same. Successes are remembered under a hash keyed by a secret of this
 * process, so that a busy client pays the derivation once; failures never are. At most a few derivations run at a time,
 * because DKIM signing shares the thread pool; when too many wait, the answer is 454 and the client comes back.
 */
import { createHmac, randomBytes } from "node:crypto";
import { loginOctets, preparePassword, prepareUsername } from "../../../api/login.ts";
import type { CredentialDocument, RelayDocument, ScramVerifier } from "../../../api/relayconfig.ts";
import { scramIterations, stableSalt } from "../../../runtime/scram.ts";
import type { Snapshot } from "../../config/snapshot.ts";
import { refusal, type Refusal } from "../../mail/reply.ts";
import { invalidLogin, type PasswordChallenge, type PasswordLogin, type Proven } from "./mechanism.ts";
import { matchesVerifier, matchingVerifiers, provesPassword, serverSignatureOf } from "./scram.ts";

export interface PasswordCheck {
  prove(
    credentials: ReadonlyMap<string, readonly CredentialDocument[]>,
    login: PasswordLogin,
  ): Promise<Proven | Refusal>;
  /** For SCRAM: the client derives, and what is left to do costs as much for a name that nobody has. */
  challenge(snapshot: KnownLogins, username: string): PasswordChallenge;
}

type KnownLogins = Pick<Snapshot, "credentials"> & { readonly relay: Pick<RelayDocument, "relay"> };

const rememberedLogins = 10_000;
const derivationsAtOnce = 2;
const derivationsWaiting = 256;

const busy = refusal(454, "4.7.0", "Too many logins at once, try again later");

export function createPasswordCheck(): PasswordCheck {
  const secret = randomBytes(32);
  /** In order of use; the value names the identities that matched. */
  const remembered = new Map<string, ReadonlySet<string>>();
  const turnstile = createTurnstile(derivationsAtOnce, derivationsWaiting);
  const dummySalt = randomBytes(16).toString("base64");
  const dummyKey = randomBytes(32).toString("base64");

  const matching = async (
    candidates: readonly CredentialDocument[],
    password: string,
  ): Promise<CredentialDocument[]> => {
    const matches: CredentialDocument[] = [];
    // One salt is one derivation, however many passwords the user has.
    const bySalt = Map.groupBy(candidates, ({ scram }) => `${scram.iterations} ${scram.salt}`);
    for (const same of bySalt.values()) {
      const scrams = same.map(({ scram }) => scram);
      const proven = await matchingVerifiers(password, scrams);
      matches.push(...same.filter(({ scram }) => proven.has(scram)));
    }
    return matches;
  };

  return {
    async prove(credentials, login) {
      const username = prepareUsername(login.username);
      const password = preparePassword(login.password);
      const candidates = credentials.get(username) ?? [];
      const key = loginKey(secret, [
        username,
        password,
        ...candidates.flatMap((each) => [each.identity, each.scram.storedKey]),
      ]);
      const known = candidates.length === 0 ? undefined : remembered.get(key);
      if (known !== undefined) {
        remember(remembered, key, known);
        return userWith(
          username,
          candidates.filter((candidate) => known.has(candidate.identity)),
        );
      }
      if (Buffer.byteLength(password) > loginOctets) return invalidLogin;
      if (!(await turnstile.enter())) return busy;
      try {
        if (candidates.length === 0) {
          await matchesVerifier(password, dummyVerifier(credentials, { salt: dummySalt, storedKey: dummyKey }));
          return invalidLogin;
        }
        const matches = await matching(candidates, password);
        if (matches.length === 0) return invalidLogin;
        remember(remembered, key, new Set(matches.map((match) => match.identity)));
        return userWith(username, matches);
      } finally {
        turnstile.leave();
      }
    },

    challenge: (known, username) => challengeOf(known, username, dummyKey),
  };
}

function challengeOf(
  { credentials, relay: { relay } }: KnownLogins,
  given: string,
  dummyKey: string,
): PasswordChallenge {
  const username = prepareUsername(given);
  const candidates = ofOneSalt(credentials.get(username) ?? []);
  const salt = stableSalt(`${relay.namespace}/${relay.name}`, username).toString("base64");
  const unknown = dummyVerifier(credentials, { salt, storedKey: dummyKey });
  const tried = candidates.length === 0 ? [unknown] : candidates.map(({ scram }) => scram);
  const [first = unknown] = tried;
  return {
    salt: first.salt,
    iterations: first.iterations,
    prove(said, proof) {
      const matching = new Set(tried.filter((verifier) => provesPassword(verifier, said, proof)));
      const matches = candidates.filter(({ scram }) => matching.has(scram));
      const [match] = matches;
      if (match === undefined) return invalidLogin;
      return { ...userWith(username, matches), signature: serverSignatureOf(match.scram, said) };
    },
  };
}

/** A client is told one salt. All of a user's passwords have that one; documents that were made otherwise have their first. */
function ofOneSalt(candidates: readonly CredentialDocument[]): readonly CredentialDocument[] {
  const [first] = candidates;
  return candidates.filter(
    ({ scram }) => scram.salt === first?.scram.salt && scram.iterations === first.scram.iterations,
  );
}

/** As costly as a real user's: time tells nobody which names exist. */
function dummyVerifier(
  credentials: ReadonlyMap<string, readonly CredentialDocument[]>,
  values: { readonly salt: string; readonly storedKey: string },
): ScramVerifier {
  const [some] = credentials.values();
  const iterations = some?.[0]?.scram.iterations ?? scramIterations;
  return { iterations, salt: values.salt, storedKey: values.storedKey, serverKey: values.storedKey };
}

function userWith(name: string, credentials: readonly CredentialDocument[]): Proven {
  return {
    kind: "proven",
    principal: { kind: "user", name, proof: { kind: "password", credentials }, until: undefined },
  };
}

/** Length-prefixed, so that no two lists of parts give the same text. */
function loginKey(secret: Buffer, parts: readonly string[]): string {
  const hmac = createHmac("sha256", secret);
  for (const part of parts) hmac.update(`${part.length}:${part}`);
  return hmac.digest("base64");
}

function remember(logins: Map<string, ReadonlySet<string>>, key: string, identities: ReadonlySet<string>): void {
  logins.delete(key);
  logins.set(key, identities);
  const [oldest] = logins.keys();
  if (logins.size > rememberedLogins && oldest !== undefined) logins.delete(oldest);
}

interface Turnstile {
  /** False when too many wait already. */
  enter(): Promise<boolean>;
  leave(): void;
}

function createTurnstile(atOnce: number, waiting: number): Turnstile {
  const queue: (() => void)[] = [];
  let inside = 0;
  return {
    async enter() {
      if (inside < atOnce) {
        inside += 1;
        return true;
      }
      if (queue.length >= waiting) return false;
      await new Promise<void>((resolve) => queue.push(resolve));
      return true;
    },
    leave() {
      const next = queue.shift();
      // The place passes on to the one who waited longest: `inside` stays as it is.
      if (next === undefined) inside -= 1;
      else next();
    },
  };
}
