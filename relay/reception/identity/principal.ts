/**
 * Who a session is: the one value in which every way in ends, whatever was shown for it. Pure.
 *
 * A session may be open for days, and what it showed need not hold as long. So nothing is kept of what a principal may do: before
 * each transaction the configuration of that moment is asked again, and a login that was taken back ends there and then.
 */
import type { CredentialDocument, TokenIssuerDocument } from "../../../api/relayconfig.ts";
import { type KnownTokenKey, knownTokenKeys } from "../../../api/identity/tokenkey.ts";
import type { Snapshot } from "../../config/snapshot.ts";
import { type ClientCertificate, stands as isVouchedFor } from "./certificate.ts";

export interface Principal {
  /**
   * Somebody who logged in; whoever speaks from a network that the listener trusts; and whoever showed a certificate in the TLS
   * handshake, said AUTH or not.
   */
  readonly kind: "user" | "network" | "peer";
  /** The user name, prepared; a token's user; the client's address; one of the certificate's names. */
  readonly name: string;
  readonly proof: Proof;
  /** When the proof ends by itself, in ms since the epoch; undefined when it does not. */
  readonly until: number | undefined;
}

export type Proof =
  /** One user name may stand for several Secrets: those whose password it was, each a grant of its own. */
  | { readonly kind: "password"; readonly credentials: readonly CredentialDocument[] }
  | { readonly kind: "certificate"; readonly certificate: ClientCertificate }
  | TokenProof
  | { readonly kind: "address" };

export interface TokenProof {
  readonly kind: "token";
  /** As it was then, and the key of it that the token is signed with. */
  readonly issuer: TokenIssuerDocument;
  readonly key: KnownTokenKey;
  /** As grants name them (config/granted.ts). */
  readonly identities: readonly string[];
}

/** What of a configuration says whether a proof stands. */
export interface ProofGrounds extends Pick<Snapshot, "credentials" | "clientAuthorities"> {
  readonly relay: Pick<Snapshot["relay"], "tokenIssuers">;
}

export function networkPrincipal(address: string): Principal {
  return { kind: "network", name: address, proof: { kind: "address" }, until: undefined };
}

/** What is proven to the snapshot of the moment `at`; undefined when nothing of it is left. */
export function askAgain(principal: Principal, snapshot: ProofGrounds, at: number): Principal | undefined {
  if (isOver(principal, at)) return undefined;
  const { name, proof } = principal;
  switch (proof.kind) {
    case "password": {
      const now = snapshot.credentials.get(name) ?? [];
      const stands = (proven: CredentialDocument): boolean =>
        now.some((each) => isSame(each, proven) && !hasExpired(each, at));
      // The usual case, several times for each message.
      if (proof.credentials.length > 0 && proof.credentials.every(stands)) return principal;
      const credentials = proof.credentials.filter(stands);
      return credentials.length === 0 ? undefined : { ...principal, proof: { kind: "password", credentials } };
    }
    case "certificate":
      return isVouchedFor(proof.certificate, snapshot.clientAuthorities, at) ? principal : undefined;
    case "token":
      return isStillIssued(proof, snapshot.relay.tokenIssuers ?? []) ? principal : undefined;
    case "address":
      // Whoever names it has just looked at the networks that are trusted now.
      return principal;
  }
}

export function isOver({ until }: Principal, at: number): boolean {
  return until !== undefined && until <= at;
}

/** The configuration of the moment says how long: a time that was put off counts for sessions that are open, too. */
export function hasExpired({ expiresAt }: CredentialDocument, at: number): boolean {
  return expiresAt !== undefined && expiresAt <= at;
}

/** Of one Secret, with one password: another password, or another salt for it, is another proof. */
function isSame(one: CredentialDocument, other: CredentialDocument): boolean {
  return one.identity === other.identity && one.scram.storedKey === other.scram.storedKey;
}

/** The manifest asks for the same of its tokens, and the key was not withdrawn: a key that was stolen is. */
function isStillIssued({ issuer, key }: TokenProof, now: readonly TokenIssuerDocument[]): boolean {
  // The usual case: nothing was loaded since.
  if (now.includes(issuer)) return true;
  const { keys: _keys, ...terms } = issuer;
  const same = now.find(({ keys: _others, ...others }) => isAlike(terms, others));
  return same !== undefined && knownTokenKeys(same.keys).some((each) => isAlike(each, key));
}

function isAlike(one: object, other: object): boolean {
  const members = new Map<string, unknown>(Object.entries(other));
  const entries = Object.entries(one);
  return entries.length === members.size && entries.every(([name, value]) => members.get(name) === value);
}
