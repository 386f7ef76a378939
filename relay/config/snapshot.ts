/**
 * The configuration a relay runs with: one immutable value, replaced as a whole. Everything that decides takes it as an
 * argument and keeps no reference beyond the decision.
 */
import type { KeyObject } from "node:crypto";
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
  /** Identities (`namespace/name` of a credentials Secret) that may send as this domain. */
  readonly identities: ReadonlySet<string>;
}

export interface Certificate {
  /** PEM, leaf first. */
  readonly chain: string;
  readonly privateKey: string;
  /** SHA-256 of the leaf's DER, lower-case hex. */
  readonly fingerprint: string;
  readonly notAfter: number;
  readonly names: readonly string[];
}

/** With what the pods of a relay show each other and the operator who they are, on the administration port. */
export interface PeerCertificate extends Certificate {
  /** PEM bundle of the internal authorities that are believed on that port; during a change of authority there are two. */
  readonly authorities: string;
}

export interface Snapshot {
  /** The operator's revision once all its parts are loaded, undefined while a part is still missing. */
  readonly revision: string | undefined;
  readonly relay: RelayDocument;
  /** By A-label. */
  readonly domains: ReadonlyMap<string, DomainSettings>;
  /** A-labels of domains that are configured, but not in a way this version can read. */
  readonly unreadable: ReadonlySet<string>;
  /** By user name as given; several Secrets may hold the same name. */
  readonly credentials: ReadonlyMap<string, readonly CredentialDocument[]>;
  readonly certificate: Certificate | undefined;
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
