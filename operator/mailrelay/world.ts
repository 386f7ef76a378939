/**
 * All that is known about one MailRelay at one moment, as plain values: gather makes it, assess and plan decide over it.
 */
import type { Certificate } from "../kube/kinds.ts";
import type { Sight } from "../kube/kube.ts";
import type { Labels } from "../kube/selector.ts";
import type { ShardFact } from "../kube/shard.ts";
import type { CredentialFacts } from "../credentials/logins.ts";
import type { IssuerFacts } from "../issuers/issuer.ts";
import type { Figures, Recommendation, RelayPods } from "../pods/facts.ts";
import type { Installation } from "../installation/installation.ts";
import type { Contest } from "../binding/rivals.ts";
import type { TrustFacts } from "../trust/trust.ts";
import type { Rejection } from "../work/rejection.ts";
import type { NetworkPolicy, Service } from "../kube/kinds.ts";
import type { ConfigMap, OptionalKind, Secret } from "../kube/objects.ts";

export interface RelayWorld extends RelayPods, TrustFacts {
  /** It is the relay's turn to replace its pods. */
  readonly hasTurn: boolean;
  readonly installation: Installation;
  /** What the API server would not take of the last plan. */
  readonly rejections: readonly Rejection[];
  readonly credentials: CredentialFacts;
  /** Whose tokens log in. */
  readonly issuers: IssuerFacts;
  /** ConfigMaps of the relay's namespace that its spec names and that exist, by name. */
  readonly configMaps: ReadonlyMap<string, ConfigMap | "forbidden">;
  /** The configuration Secret the pods mount, as it is now. */
  readonly configuration: Secret | undefined;
  /** The Service that clients dial, as it is now. */
  readonly service: Service | undefined;
  /** The NetworkPolicy around the pods, as it is now. */
  readonly networkPolicy: NetworkPolicy | undefined;
  /** Shards that exist, by shard name. */
  readonly shards: ReadonlyMap<string, ShardFact>;
  /** Domains that SenderDomains hold on this relay; whatever else a shard has is left over. */
  readonly domains: ReadonlySet<string>;
  /** Whether some domain, or some tenant's namespaces, may send only so much in an hour. */
  readonly hasLimits: boolean;
  /**
   * Labels of namespaces whose SenderDomains are not seen and that have documents here; undefined where labels are not seen
   * either.
   */
  readonly unseen: ReadonlyMap<string, Labels | undefined>;
  /** How much of the relay's namespace is seen. */
  readonly sight: Sight;
  /** Objects that another MailRelay of the namespace would have under the same name. */
  readonly contests: readonly Contest[];
  /** Kinds of others that the cluster knows and the operator may use in the relay's namespace. */
  readonly kinds: ReadonlySet<OptionalKind>;
  /** Those of which that is not so, although the cluster may have them. */
  readonly doubts: ReadonlyMap<OptionalKind, "forbidden" | "unanswered">;
  /** What cert-manager was asked for. */
  readonly issuance: Certificate | undefined;
  /** Names of Secrets of the relay's namespace that the operator may not read. */
  readonly forbidden: ReadonlySet<string>;
  /** Undefined when this operator has told none. */
  readonly figures: Figures | undefined;
  /** Whether the operator may not read the Secrets of its own namespace. */
  readonly isOwnForbidden: boolean;
  /** Whether the operator may not see the labels of namespaces. */
  readonly areNamespacesHidden: boolean;
  /** Oldest first. */
  readonly recommendations: readonly Recommendation[];
}
