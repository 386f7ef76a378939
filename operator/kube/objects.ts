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
  PodHindrance,
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

/** Its text and its binary data together, in base64 like a Secret's, so that both are read alike. */
export interface ConfigMap {
  readonly apiVersion: "v1";
  readonly kind: "ConfigMap";
  readonly metadata: ObjectMeta;
  readonly data: Readonly<Record<string, string>>;
}

/** What manifests refer to by name and data key. */
export type ReferredKind = "Secret" | "ConfigMap";

/** A resource of ours as it is stored. */
export type Stored<T> = Omit<T, "metadata"> & { readonly metadata: ObjectMeta };

/**
 * A resource of ours that is there and whose spec this version cannot read: what is known of it all the same. What was made
 * from its last good spec stays as it is.
 */
export interface Misfit<K extends "MailRelay" | "SenderDomain"> extends Pick<
  KindMap[K],
  "kind" | "metadata" | "status"
> {
  /** Of a MailRelay: which operator serves it, by its stored spec. */
  readonly className?: string;
  /** One line for each field that does not fit, with what to write instead; at least one. */
  readonly faults: readonly string[];
}

export interface KindMap {
  readonly MailRelay: Stored<MailRelay>;
  readonly SenderDomain: Stored<SenderDomain>;
  readonly Secret: Secret;
  readonly ConfigMap: ConfigMap;
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
export type WrittenKind = Exclude<Kind, "ConfigMap">;
export type KubeObject = KindMap[Kind];

/** What is made for a relay and around its pods: a change of one is that relay's alone. */
const partKinds = [
  "StatefulSet",
  "Pod",
  "PersistentVolumeClaim",
  "Service",
  "ServiceAccount",
  "PodDisruptionBudget",
  "NetworkPolicy",
  "PodMonitor",
  "Certificate",
] as const satisfies readonly Kind[];

type PartKind = (typeof partKinds)[number];

const parts: ReadonlySet<string> = new Set(partKinds);

export function isPart(kind: string): kind is PartKind {
  return parts.has(kind);
}

/** Kinds whose CustomResourceDefinition is somebody else's and may be missing. */
export type OptionalKind = "PodMonitor" | "Certificate";

/** What the operator makes whole, by server-side apply. */
export type AppliedObject =
  Secret | StatefulSet | Service | ServiceAccount | PodDisruptionBudget | NetworkPolicy | PodMonitor | Certificate;
