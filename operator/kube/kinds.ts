/**
 * The Kubernetes objects that the operator makes for the pods of a relay and around them, reduced to the fields it sets.
 * The spelling is the API's own: what is rendered is what is applied.
 */
import type { Selector } from "./selector.ts";

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
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly creationTimestamp?: string | undefined;
  /** Set once somebody deleted the object and a finalizer still holds it. */
  readonly deletionTimestamp?: string | undefined;
  readonly finalizers?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
}

export interface ContainerPort {
  readonly name: string;
  readonly containerPort: number;
  readonly protocol?: "TCP";
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export interface HttpProbe {
  readonly httpGet: { readonly path: string; readonly port: string };
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
}

/** Amounts by resource name, as Quantities. */
export type Amounts = Readonly<Record<string, string>>;

export interface ResourceRequirements {
  readonly requests?: Amounts | undefined;
  readonly limits?: Amounts | undefined;
}

export interface SeccompProfile {
  readonly type: "RuntimeDefault" | "Localhost";
  readonly localhostProfile?: string | undefined;
}

export interface ProcessIdentity {
  readonly runAsUser?: number | undefined;
  readonly runAsGroup?: number | undefined;
  readonly seLinuxOptions?: object | undefined;
  readonly seccompProfile?: SeccompProfile | undefined;
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly imagePullPolicy?: "Always" | "IfNotPresent" | "Never";
  readonly args: readonly string[];
  readonly env: readonly EnvironmentVariable[];
  readonly ports: readonly ContainerPort[];
  readonly volumeMounts: readonly VolumeMount[];
  readonly resources: ResourceRequirements;
  readonly startupProbe: HttpProbe;
  readonly readinessProbe: HttpProbe;
  readonly livenessProbe: HttpProbe;
  readonly securityContext: ProcessIdentity & {
    readonly allowPrivilegeEscalation: false;
    readonly readOnlyRootFilesystem: true;
    readonly capabilities: { readonly drop: readonly ["ALL"] };
  };
}

export interface SecretVolume {
  readonly name: string;
  readonly secret: { readonly secretName: string; readonly optional: boolean; readonly defaultMode: number };
}

export interface EmptyVolume {
  readonly name: string;
  readonly emptyDir: { readonly sizeLimit: string };
}

export type Volume = SecretVolume | EmptyVolume;

export interface Toleration {
  readonly key?: string | undefined;
  readonly operator?: "Exists" | "Equal" | undefined;
  readonly value?: string | undefined;
  readonly effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute" | undefined;
  readonly tolerationSeconds?: number | undefined;
}

export interface TopologySpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway";
  readonly labelSelector: Selector;
  readonly minDomains?: number | undefined;
  readonly nodeAffinityPolicy?: "Honor" | "Ignore" | undefined;
  readonly nodeTaintsPolicy?: "Honor" | "Ignore" | undefined;
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly automountServiceAccountToken: false;
  readonly enableServiceLinks: false;
  readonly terminationGracePeriodSeconds: number;
  readonly securityContext: ProcessIdentity & {
    readonly runAsNonRoot: true;
    readonly fsGroup?: number | undefined;
    readonly fsGroupChangePolicy: "OnRootMismatch" | "Always";
    readonly supplementalGroups?: readonly number[] | undefined;
    readonly seccompProfile: SeccompProfile;
  };
  readonly containers: readonly [Container];
  readonly volumes: readonly Volume[];
  readonly topologySpreadConstraints: readonly TopologySpreadConstraint[];
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly tolerations?: readonly Toleration[];
  readonly affinity?: object;
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly priorityClassName?: string;
  readonly runtimeClassName?: string;
  readonly dnsPolicy?: "ClusterFirst" | "Default" | "None";
  readonly dnsConfig?: object;
  readonly hostAliases?: readonly { readonly ip: string; readonly hostnames: readonly string[] }[];
}

export interface PodTemplate {
  readonly metadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: PodSpec;
}

export interface VolumeClaimTemplate {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly accessModes: readonly string[];
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
    readonly updateStrategy: {
      readonly type: "RollingUpdate";
      readonly rollingUpdate: { readonly partition: 0 };
    };
    readonly persistentVolumeClaimRetentionPolicy: { readonly whenDeleted: "Retain"; readonly whenScaled: "Retain" };
    readonly revisionHistoryLimit: number;
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly template: PodTemplate;
    readonly volumeClaimTemplates: readonly VolumeClaimTemplate[];
  };
  /** What its controller says of templates; nothing where there is none. */
  readonly status?:
    | {
        readonly observedGeneration?: number | undefined;
        /** The template of which all pods were ready last. */
        readonly currentRevision?: string | undefined;
        readonly updateRevision?: string | undefined;
      }
    | undefined;
}

export interface Pod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  /** `ports` are those of the pod's containers; `phase` is Kubernetes' own word. */
  readonly status: {
    readonly podIP: string;
    readonly ready: boolean;
    readonly ports: readonly ContainerPort[];
    readonly phase: string;
    /** Of one that is not ready, where Kubernetes says why. */
    readonly hindrance?: PodHindrance;
    /** Of one that is not ready: since when a container of it runs and is not, RFC 3339; absent before one has run. */
    readonly unreadySince?: string;
  };
}

export interface PodHindrance {
  /** No node takes it; its image cannot be had; it ended and is started again; something it needs is not there. */
  readonly kind: "unscheduled" | "image" | "ended" | "waiting";
  /** Kubernetes' own words. */
  readonly detail: string;
}

export interface PersistentVolumeClaim {
  readonly apiVersion: "v1";
  readonly kind: "PersistentVolumeClaim";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly storageClassName?: string | undefined;
    readonly resources: { readonly requests: { readonly storage: string } };
  };
  readonly status?: { readonly phase?: string | undefined } | undefined;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  readonly targetPort: number;
  readonly protocol: "TCP";
  readonly appProtocol?: "tcp";
}

export interface ServiceSpec {
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer";
  /** Given by the API server but for the headless one. */
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly publishNotReadyAddresses?: true;
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
  readonly externalTrafficPolicy?: "Cluster" | "Local";
  readonly loadBalancerClass?: string;
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly ipFamilyPolicy?: "SingleStack" | "PreferDualStack" | "RequireDualStack";
  readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
  readonly internalTrafficPolicy?: "Cluster" | "Local";
}

export interface Service {
  readonly apiVersion: "v1";
  readonly kind: "Service";
  readonly metadata: ObjectMeta;
  readonly spec: ServiceSpec;
  /** The API server's word on the load balancer, where there is one. */
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly hostname?: string }[] | undefined;
    };
  };
}

export interface ServiceAccount {
  readonly apiVersion: "v1";
  readonly kind: "ServiceAccount";
  readonly metadata: ObjectMeta;
  readonly automountServiceAccountToken: false;
}

export interface PodDisruptionBudget {
  readonly apiVersion: "policy/v1";
  readonly kind: "PodDisruptionBudget";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly maxUnavailable: 1;
    readonly unhealthyPodEvictionPolicy: "AlwaysAllow";
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  };
}

export interface NetworkPeer {
  readonly namespaceSelector?: Selector | undefined;
  readonly podSelector?: Selector | undefined;
  readonly ipBlock?: { readonly cidr: string } | undefined;
}

export interface IngressRule {
  /** Everybody when absent. */
  readonly from?: readonly NetworkPeer[];
  /** All when absent. */
  readonly ports?: readonly { readonly port: number; readonly protocol: "TCP" | "UDP" | "SCTP" }[];
}

export interface NetworkPolicy {
  readonly apiVersion: "networking.k8s.io/v1";
  readonly kind: "NetworkPolicy";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly podSelector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly policyTypes: readonly ["Ingress"];
    readonly ingress: readonly IngressRule[];
  };
}

/** prometheus-operator's. */
export interface PodMonitor {
  readonly apiVersion: "monitoring.coreos.com/v1";
  readonly kind: "PodMonitor";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
    readonly podTargetLabels: readonly string[];
    readonly podMetricsEndpoints: readonly {
      readonly port: string;
      readonly path: string;
      readonly interval?: string;
    }[];
  };
}

/** cert-manager's. */
export interface Certificate {
  readonly apiVersion: "cert-manager.io/v1";
  readonly kind: "Certificate";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly secretName: string;
    readonly secretTemplate: { readonly labels: Readonly<Record<string, string>> };
    readonly dnsNames: readonly string[];
    readonly issuerRef: { readonly name: string; readonly kind: string; readonly group: string };
    readonly privateKey: {
      readonly rotationPolicy: "Always";
      readonly algorithm?: "ECDSA" | "RSA";
      readonly size?: number;
    };
    readonly duration?: string;
    readonly renewBefore?: string;
  };
  readonly status?:
    | {
        readonly conditions?:
          | readonly {
              readonly type: string;
              readonly status: string;
              readonly reason?: string | undefined;
              readonly message?: string | undefined;
            }[]
          | undefined;
      }
    | undefined;
}
