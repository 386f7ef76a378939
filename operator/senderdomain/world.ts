/** All that is known about one SenderDomain at one moment, as plain values. */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { DomainDocument, KeyDocument, RelayDocument } from "../../api/relayconfig.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import type { Sight } from "../kube/kube.ts";
import type { ConfigMap, Misfit, Secret, Stored } from "../kube/objects.ts";
import type { ShardFact } from "../kube/shard.ts";
import type { Labels } from "../kube/selector.ts";
import type { CredentialFacts } from "../credentials/logins.ts";
import type { Installation } from "../installation/installation.ts";
import type { Rejection } from "../work/rejection.ts";

export interface DomainWorld {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly installation: Installation;
  readonly domain: Stored<SenderDomain>;
  /** The relay that spec.relayRef names; absent when there is none. */
  readonly relay: Stored<MailRelay> | undefined;
  /** That relay, where its spec cannot be read: its pods keep what they have. */
  readonly misfit: Misfit<"MailRelay"> | undefined;
  /** How much of the relay's namespace is seen. */
  readonly relaySight: Sight;
  /** Namespace whose SenderDomains are not seen, and for one of which the relay has a document of this domain. */
  readonly unseenHolder: string | undefined;
  /** Undefined where the operator may not see them. */
  readonly namespaceLabels: Labels | undefined;
  /** Other SenderDomains that bring the same domain to the same relay and that the relay admits. */
  readonly rivals: readonly Stored<SenderDomain>[];
  /** Secrets of the own namespace that the spec names and that exist, by name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** ConfigMaps of it, likewise. */
  readonly configMaps: ReadonlyMap<string, ConfigMap | "forbidden">;
  /** DKIM keys that the operator made for this object, in order of their selectors; undefined where it may not read them. */
  readonly managedKeys: readonly Secret[] | undefined;
  readonly credentials: CredentialFacts;
  /** Names of Secrets of the own namespace that the operator may not read. */
  readonly forbidden: ReadonlySet<string>;
  /** Whether the operator may not read what it wrote for the relay, in the relay's namespace. */
  readonly isRelayForbidden: boolean;
  /** The shard that holds the domain, as it is now. */
  readonly shard: ShardFact | undefined;
  /** What the API server would not take when the domain was last carried out. */
  readonly rejections: readonly Rejection[];
  /** The document that the pods have, where the plan may have to fall back on it. */
  readonly previous: PreviousDocument;
  /** SHA-256 of the document that every ready pod was seen to have loaded; undefined when that was not seen. */
  readonly loaded: string | undefined;
  /** What the relay's pods mount now, which names the digest of that shard. */
  readonly mounted: RelayDocument | undefined;
}

/** A key that can sign, with what has to be published for it. */
export interface UsableKey {
  readonly selector: string;
  readonly privateKey: KeyDocument;
  readonly algorithm: "rsa" | "ed25519";
  readonly publicKey: string;
}

export interface KeyProblem {
  readonly kind: "missing" | "invalid" | "forbidden";
  /** The field, what is wrong, what to do. */
  readonly message: string;
}

export interface KeyFacts {
  readonly usable: readonly UsableKey[];
  readonly problems: readonly KeyProblem[];
}

/** The document the pods have now; undefined when they have none, or that of another SenderDomain. */
export type PreviousDocument = DomainDocument | undefined;
