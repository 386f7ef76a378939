/**
 * All that is known about one MailRelay at one moment, as plain values: gather makes it, assess and plan decide over it.
 */
import { type MailRelay, usualClassName } from "../../api/mailrelay.ts";
import type { CredentialDocument } from "../../api/relayconfig.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import type { Certificate } from "../kube/kinds.ts";
import type { Sight } from "../kube/kube.ts";
import type { Labels } from "../kube/selector.ts";
import type { ShardFact } from "../kube/shard.ts";
import type { Contest } from "./rivals/contests.ts";
import type { NetworkPolicy, Service } from "../kube/kinds.ts";
import type {
  ConfigMap,
  OptionalKind,
  OwnerReference,
  PodHindrance,
  ReferredKind,
  Secret,
  StatefulSet,
  Stored,
} from "../kube/objects.ts";

/** A host and port that stand for another one, for example the capture exchanger of local mode. */
export interface NextHopAddress {
  readonly host: string;
  readonly port: number;
}

/** What pods have whose MailRelay does not say otherwise. */
export interface PodDefaults {
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never" | undefined;
  /** Names of Secrets in the relay's namespace. */
  readonly imagePullSecrets: readonly string[];
  /** The cluster gives each namespace user and group ids of its own, and refuses pods that bring theirs (OpenShift). */
  readonly areIdsAssigned: boolean;
}

export const usualPods: PodDefaults = { imagePullSecrets: [], areIdsAssigned: false };

/** A relay of another class, and every domain that refers to it, is another operator's: nothing is written of them. */
export function isServedAt(
  { className }: Pick<Place, "className">,
  relay: { readonly className?: string } | undefined,
): boolean {
  return className === undefined || relay === undefined || (relay.className ?? usualClassName) === className;
}

/** Where this operator runs: what differs between a cluster and a single machine. */
export interface Place {
  /** Which relays are served: those whose spec says the same; undefined: all of them. */
  readonly className: string | undefined;
  /** Of relay pods whose MailRelay names none. */
  readonly image: string;
  /** The image that has this very release in it. */
  readonly ownImage: string;
  readonly pods: PodDefaults;
  /** How names of Services end. */
  readonly clusterDomain: string;
  /** Names beside the host name that relays are reached by; part of our own certificates. */
  readonly certificateNames: readonly string[];
  /** Next hops by local name: `host`, or `host:port` where the ports of a host lead to different places. */
  readonly addressBook: ReadonlyMap<string, NextHopAddress>;
  /** Namespace of the operator and of its own Secrets. */
  readonly namespace: string;
  /** Where pods of this machine reach each other; undefined: each by its own name in DNS. */
  readonly podHost: string | undefined;
  /** Name of the operator's ServiceAccount, for the commands that give it rights. */
  readonly serviceAccount: string;
  readonly secretsRole: SecretsRole;
}

/** What a namespace's owner binds to let the operator at its Secrets: it must exist in that installation. */
export interface SecretsRole {
  readonly kind: "ClusterRole" | "Role";
  readonly name: string;
}

/** PEM of a certificate and its PKCS#8 key. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Signs what the operator and the pods show each other on the administration port. */
export interface InternalAuthority extends IssuedCertificate {
  /** PEM of every authority that is believed: this one, and the one before it while it is valid. */
  readonly bundle: string;
}

/** Something a manifest refers to and that cannot be used. */
export interface ReferenceProblem {
  readonly kind: "missing" | "invalid" | "forbidden";
  readonly object: ReferredKind;
  /** For example `spec.delivery.smarthosts[0].credentialsRef`. */
  readonly field: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

/** Something that was to be written, and that the API server would not take. */
export interface Rejection {
  /** The field that it was made for. */
  readonly field: string;
  /** Which object, and the server's words. */
  readonly message: string;
  /** Mail goes on without the object. */
  readonly isSpare?: true;
}

export interface CredentialFacts {
  readonly documents: readonly CredentialDocument[];
  readonly problems: readonly ReferenceProblem[];
}

export interface PodFact {
  readonly name: string;
  readonly uid: string;
  readonly ready: boolean;
  /** Somebody deleted it: it stops, and may still be ready for a moment. */
  readonly isGoing: boolean;
  /** Kubernetes' word: Pending, Running and so on. */
  readonly phase: string;
  /** Why it is not ready, where Kubernetes says so. */
  readonly hindrance: PodHindrance | undefined;
  /** Whether the client Service may select it. */
  readonly serving: boolean;
  /** What the revision annotation says now. */
  readonly annotatedRevision: string | undefined;
  /** Milliseconds since the epoch; undefined when this operator has not written to the pod. */
  readonly annotatedAt: number | undefined;
  /** Messages accepted a second lately; undefined until two reports are known. */
  readonly acceptedPerSecond: number | undefined;
  /** Absent when the pod does not answer. */
  readonly report: RelayReport | undefined;
  /** Mark of the template that it was made from; undefined of one from before there were marks. */
  readonly template: string | undefined;
  /** The newest version of the documents that a pod of this template was seen to read; undefined when none was seen. */
  readonly reads: number | undefined;
  /** Where it takes orders; undefined when it was made before there were any. */
  readonly administration: NextHopAddress | undefined;
  /** Digest of the order to leave that this operator gave it last. */
  readonly ordered: string | undefined;
  readonly orderFailure: OrderFailure | undefined;
}

/** Orders do not reach a pod. */
export interface OrderFailure {
  readonly why: string;
  /** Of the first that failed with none after it that did not, milliseconds since the epoch. */
  readonly since: number;
}

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

/** What was told of the queue, and when, milliseconds since the epoch. */
export interface Figures {
  readonly at: number;
  readonly queued: number;
  /** RFC 3339; undefined when nothing is due. */
  readonly oldestDueTime: string | undefined;
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

/** Everything a relay owns goes with it. */
export function ownerOf(object: {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid?: string | undefined };
}): OwnerReference {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name: object.metadata.name,
    uid: object.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
