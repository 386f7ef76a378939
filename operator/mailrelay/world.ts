/**
 * All that is known about one MailRelay at one moment, as plain values: gather makes it, assess and plan decide over it.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Certificate } from "../kube/kinds.ts";
import type { Sight } from "../kube/kube.ts";
import type { Labels } from "../kube/selector.ts";
import type { ShardFact } from "../kube/shard.ts";
import type { CredentialFacts } from "../credentials/logins.ts";
import type { Figures, PodFact } from "../pods/facts.ts";
import type { Rejection } from "../work/problems.ts";
import type { Place } from "../work/place.ts";
import type { Contest } from "../binding/rivals.ts";
import type { NetworkPolicy, Service } from "../kube/kinds.ts";
import type { ConfigMap, OptionalKind, Secret, StatefulSet, Stored } from "../kube/objects.ts";

/** A volume that holds, held or will hold the spool of one pod. */
export interface ClaimFact {
  readonly name: string;
  readonly ordinal: number;
  /** What was asked for, as a Quantity. */
  readonly size: string;
  readonly storageClassName: string | undefined;
  /** False while there is no volume behind it, and so nothing in it. */
  readonly isBound: boolean;
  /** Deleted already; something still holds it. */
  readonly isGoing: boolean;
  readonly isRetained: boolean;
  /** Recipients that waited when its pod left; undefined when that is not known. */
  readonly queued: number | undefined;
  /** Id of the spool that was proven empty, with no way for mail to come in afterwards. */
  readonly emptySpool: string | undefined;
  readonly growthRefused: Refusal | undefined;
}

/** The cluster would not make a volume larger. */
export interface Refusal {
  /** The API server's words. */
  readonly why: string;
  /** When to ask again, milliseconds since the epoch. */
  readonly retryAt: number;
}

/** How many pods the reports called for at one time. */
export interface Recommendation {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly replicas: number;
}

export interface RelayWorld {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** It is the relay's turn to replace its pods. */
  readonly hasTurn: boolean;
  readonly place: Place;
  readonly relay: Stored<MailRelay>;
  readonly credentials: CredentialFacts;
  /** Secrets of the relay's namespace that its spec names and that exist, by name. */
  readonly secrets: ReadonlyMap<string, Secret>;
  /** ConfigMaps of it, likewise. */
  readonly configMaps: ReadonlyMap<string, ConfigMap | "forbidden">;
  readonly authority: Secret | undefined;
  /** The certificate Secret the pods mount, as it is now. */
  readonly certificate: Secret | undefined;
  /** The Secret of the internal authority, in the operator's namespace. */
  readonly internalAuthority: Secret | undefined;
  /** The Secret with which the pods know each other and the operator, as it is now. */
  readonly peer: Secret | undefined;
  /** The configuration Secret the pods mount, as it is now. */
  readonly configuration: Secret | undefined;
  readonly statefulSet: StatefulSet | undefined;
  /** The Service that clients dial, as it is now. */
  readonly service: Service | undefined;
  /** The NetworkPolicy around the pods, as it is now. */
  readonly networkPolicy: NetworkPolicy | undefined;
  /** Shards that exist, by shard name. */
  readonly shards: ReadonlyMap<string, ShardFact>;
  /** Domains that SenderDomains hold on this relay; whatever else a shard has is left over. */
  readonly domains: ReadonlySet<string>;
  /**
   * Labels of namespaces whose SenderDomains are not seen and that have documents here; undefined where labels are not seen
   * either.
   */
  readonly unseen: ReadonlyMap<string, Labels | undefined>;
  /** How much of the relay's namespace is seen. */
  readonly sight: Sight;
  /** Objects that another MailRelay of the namespace would have under the same name. */
  readonly contests: readonly Contest[];
  readonly pods: readonly PodFact[];
  /** In order of their ordinals. */
  readonly claims: readonly ClaimFact[];
  /** Kinds of others that the cluster knows and the operator may use in the relay's namespace. */
  readonly kinds: ReadonlySet<OptionalKind>;
  /** Those of which that is not so, although the cluster may have them. */
  readonly doubts: ReadonlyMap<OptionalKind, "forbidden" | "unanswered">;
  /** What cert-manager was asked for. */
  readonly issuance: Certificate | undefined;
  /** Names of Secrets of the relay's namespace that the operator may not read. */
  readonly forbidden: ReadonlySet<string>;
  /** What the API server would not take of the last plan. */
  readonly rejections: readonly Rejection[];
  /** Undefined when this operator has told none. */
  readonly figures: Figures | undefined;
  /** Whether the operator may not read the Secrets of its own namespace. */
  readonly isOwnForbidden: boolean;
  /** Whether the operator may not see the labels of namespaces. */
  readonly areNamespacesHidden: boolean;
  /** Oldest first. */
  readonly recommendations: readonly Recommendation[];
}
