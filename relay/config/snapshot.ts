/**
 * The configuration a relay runs with: one immutable value, replaced as a whole. Everything that decides takes it as an
 * argument and keeps no reference beyond the decision.
 */
import type { KeyObject, X509Certificate } from "node:crypto";
import type { CredentialDocument, DomainDocument, RelayDocument } from "../../api/relayconfig.ts";

/** A key that has been parsed and found usable. */
export interface SigningKey {
  readonly selector: string;
  readonly algorithm: "rsa-sha256" | "ed25519-sha256";
  readonly key: KeyObject;
}

export interface DomainSettings {
  readonly document: DomainDocument;
  readonly keys: readonly SigningKey[];
  /** Identities that may send as this domain, as config/granted.ts spells them: `namespace/name` of a credentials Secret and others. */
  readonly identities: ReadonlySet<string>;
}

/** PEM, leaf first. */
export interface KeyPair {
  readonly chain: string;
  readonly privateKey: string;
}

export interface Certificate extends KeyPair {
  /** Shown to clients that know no other keys than RSA. */
  readonly rsa?: KeyPair | undefined;
  /** SHA-256 of the leaf's DER, lower-case hex; of both, with a plus sign between them, when there are two. */
  readonly fingerprint: string;
  /** Of the one that ends first. */
  readonly notAfter: number;
  readonly names: readonly string[];
}

/** With what the pods of a relay show each other and the operator who they are, on the administration port. */
export interface PeerCertificate extends Certificate {
  /** PEM bundle of the internal authorities that are believed on that port; during a change of authority there are two. */
  readonly authorities: string;
}

/** Who signs the certificates of clients that are believed. The same object as long as they are the same. */
export interface ClientAuthorities {
  /** Theirs, and nothing else of the bundle. */
  readonly pem: string;
  readonly certificates: readonly X509Certificate[];
}

/**
 * Where what is in force is known not to be what the operator meant. Whoever is refused for want of it is refused for now: a
 * refusal for good would cost mail that the whole configuration lets through.
 */
export interface Gaps {
  /** A-labels of domains whose newest document could not be read; of some an earlier one is in force. */
  readonly domains: ReadonlySet<string>;
  /** Some shard is not the one that was meant, or not there: domains and logins may be missing. */
  readonly shards: boolean;
  /** The newest document of the relay itself could not be read. */
  readonly relay: boolean;
}

/** Whether a login or a domain that is not known may be known to the operator. */
export function hasGaps({ domains, shards, relay }: Gaps): boolean {
  return shards || relay || domains.size > 0;
}

export interface Snapshot {
  /** The operator's revision once all its parts are loaded, undefined while a part is still missing. */
  readonly revision: string | undefined;
  readonly relay: RelayDocument;
  /** By A-label. */
  readonly domains: ReadonlyMap<string, DomainSettings>;
  readonly gaps: Gaps;
  /** By user name, prepared; several Secrets may hold the same name. */
  readonly credentials: ReadonlyMap<string, readonly CredentialDocument[]>;
  readonly certificate: Certificate | undefined;
  /** Absent: no certificate of a client is believed. */
  readonly clientAuthorities?: ClientAuthorities | undefined;
  /** Its identity is this relay's. Undefined until one was mounted. */
  readonly peer: PeerCertificate | undefined;
}

/** The configuration now, and a word when it changes. */
export interface SnapshotSource {
  current(): Snapshot;
  /** Why the newest files on disk are not in use; undefined when they are. */
  readonly lastError: string | undefined;
  onChange(listener: (snapshot: Snapshot) => void): void;
}
