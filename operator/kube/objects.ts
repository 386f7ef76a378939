/**
 * The Kubernetes objects the operator reads and makes, reduced to the fields it uses. They have the API's own spelling,
 * so that a cluster's client can hand them through; Secret data stays base64 until `secretText` reads it.
 */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: true;
  readonly blockOwnerDeletion: true;
}

/** Metadata of objects that are stored: `namespace` is always there. */
export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export interface Secret {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: ObjectMeta;
  readonly type: string;
  /** Base64 values. */
  readonly data: Readonly<Record<string, string>>;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
}

export interface ContainerPort {
  readonly name: string;
  readonly containerPort: number;
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly EnvironmentVariable[];
  readonly ports: readonly ContainerPort[];
  readonly volumeMounts: readonly VolumeMount[];
}

export interface SecretVolume {
  readonly name: string;
  readonly secret: { readonly secretName: string; readonly optional: boolean; readonly defaultMode: number };
}

export interface PodTemplate {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly containers: readonly [Container]; readonly volumes: readonly SecretVolume[] };
}

export interface VolumeClaimTemplate {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly accessModes: readonly ["ReadWriteOnce"];
    readonly storageClassName?: string;
    readonly resources: { readonly requests: { readonly storage: string } };
  };
}

export interface StatefulSet {
  readonly apiVersion: "apps/v1";
  readonly kind: "StatefulSet";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly replicas: number;
    readonly serviceName: string;
    readonly podManagementPolicy: "Parallel";
    readonly persistentVolumeClaimRetentionPolicy: { readonly whenDeleted: "Retain"; readonly whenScaled: "Retain" };
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: PodTemplate;
    readonly volumeClaimTemplates: readonly VolumeClaimTemplate[];
  };
}

export interface Pod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly status: { readonly podIP: string; readonly ready: boolean; readonly ports: readonly ContainerPort[] };
}

/** A resource of ours as it is stored. */
export type Stored<T> = Omit<T, "metadata"> & { readonly metadata: ObjectMeta };

export interface KindMap {
  readonly MailRelay: Stored<MailRelay>;
  readonly SenderDomain: Stored<SenderDomain>;
  readonly Secret: Secret;
  readonly StatefulSet: StatefulSet;
  readonly Pod: Pod;
}

export type Kind = keyof KindMap;
export type KubeObject = KindMap[Kind];
