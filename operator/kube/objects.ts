/**
 * The Kubernetes objects the operator reads and makes, reduced to the fields it uses. They have the API's own spelling,
 * so that a cluster's client can hand them through; Secret data stays base64 until `secretText` reads it.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import type {
  Certificate,
  NetworkPolicy,
  ObjectMeta,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  PodMonitor,
  Service,
  ServiceAccount,
  StatefulSet,
} from "./kinds.ts";

export type {
  ContainerPort,
  ObjectMeta,
  OwnerReference,
  PersistentVolumeClaim,
  Pod,
  PodTemplate,
  SecretVolume,
  StatefulSet,
  VolumeMount,
} from "./kinds.ts";

export interface Secret {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: ObjectMeta;
  readonly type: string;
  /** Base64 values. */
  readonly data: Readonly<Record<string, string>>;
}

/** A resource of ours as it is stored. */
export type Stored<T> = Omit<T, "metadata"> & { readonly metadata: ObjectMeta };

export interface KindMap {
  readonly MailRelay: Stored<MailRelay>;
  readonly SenderDomain: Stored<SenderDomain>;
  readonly Secret: Secret;
  readonly StatefulSet: StatefulSet;
  readonly Pod: Pod;
  readonly PersistentVolumeClaim: PersistentVolumeClaim;
  readonly Service: Service;
  readonly ServiceAccount: ServiceAccount;
  readonly PodDisruptionBudget: PodDisruptionBudget;
  readonly NetworkPolicy: NetworkPolicy;
  readonly PodMonitor: PodMonitor;
  readonly Certificate: Certificate;
}

export type Kind = keyof KindMap;
export type KubeObject = KindMap[Kind];

/** Kinds whose CustomResourceDefinition is somebody else's and may be missing. */
export type OptionalKind = "PodMonitor" | "Certificate";

/** What the operator makes whole, by server-side apply. */
export type AppliedObject =
  Secret | StatefulSet | Service | ServiceAccount | PodDisruptionBudget | NetworkPolicy | PodMonitor | Certificate;
