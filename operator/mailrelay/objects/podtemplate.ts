/**
 * The pod of a relay: one container under the restricted pod security standard, its own user, a read-only root, and
 * everything the operator tells it as mounted Secrets. Only what a running relay cannot change by itself is in here,
 * because whatever differs here starts the pods anew, one at a time.
 */
import { administrationPort, administrationPortName, peerDirectory } from "../../../api/administration.ts";
import { parseDuration } from "../../../api/duration.ts";
import { containerPort } from "../../../api/fields/listener.ts";
import { labelsFor, relayLabel, servingLabel, templateAnnotation } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import { configurationDirectory, domainsDirectory, tlsDirectory } from "../../../api/relayconfig.ts";
import type {
  Container,
  EnvironmentVariable,
  HttpProbe,
  PodSpec,
  PodTemplate,
  TopologySpreadConstraint,
} from "../../kube/kinds.ts";
import type { SecretVolume, Stored, VolumeMount } from "../../kube/objects.ts";
import { textDigest } from "../../kube/shard.ts";
import { type PodDefaults, usualPods } from "../../installation/installation.ts";
import { allShards, shardSecretName } from "../../binding/shards.ts";
import { certificateSecretName, configurationSecretName, peerSecretName, spoolVolume } from "../../owned/names.ts";

const configurationRoot = "/var/lib/mailboat/config";
const spoolDirectory = "/var/lib/mailboat/spool";
const temporaryVolume = "tmp";
export const httpPort = 9464;
/** What lies there is gone with the pod anyway: it must not keep the cluster autoscaler from taking a node away. */
const evictable = { "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes": temporaryVolume } as const;
/** A user and group that nothing else of the node has. */
const relayUser = 64_464;
/**
 * Messages in flight end this long before the kubelet would kill: a relay lets them have 25 s of the usual 60. Safety does not
 * depend on it: the spool is durable.
 */
const settlingMs = 35_000;
const leastStoppingMs = 5_000;
const usualGraceMs = 60_000;
/**
 * V8's young generation follows the memory of the pod's limit, or of the node. Bounded, a minute of all floods of strangers peaks at 248
 * MiB instead of 373, and a message costs no more CPU.
 */
const garbageCollection = "--max-semi-space-size=8";
/** At rest a relay takes under 150 MiB, and under 400 MiB with a million messages queued. */
const defaultResources = { requests: { cpu: "100m", memory: "192Mi" }, limits: { memory: "512Mi" } } as const;

export function renderPodTemplate(
  relay: Stored<MailRelay>,
  defaultImage: string,
  defaults: PodDefaults = usualPods,
): PodTemplate {
  const { pod } = relay.spec;
  // Ours come last: pods are found and served by them.
  const labels = { ...pod.labels, ...labelsFor(relay.metadata.name), [servingLabel]: "true" };
  const annotations = { ...evictable, ...pod.annotations };
  const spec = renderPodSpec(relay, pod.image ?? defaultImage, defaults);
  const digest = textDigest(JSON.stringify([labels, annotations, spec])).slice(0, 16);
  return { metadata: { labels, annotations: { ...annotations, [templateAnnotation]: digest } }, spec };
}

/** Which template a pod was made from, or a StatefulSet makes pods from; undefined of those from before there was one. */
export function templateDigest({ metadata }: Pick<PodTemplate, "metadata">): string | undefined {
  return metadata.annotations?.[templateAnnotation];
}

function renderPodSpec(relay: Stored<MailRelay>, image: string, defaults: PodDefaults): PodSpec {
  const { pod } = relay.spec;
  const { name } = relay.metadata;
  const secrets = mountedSecrets(name);
  return {
    serviceAccountName: name,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.ceil(graceMs(relay) / 1000),
    securityContext: {
      runAsNonRoot: true,
      ...(defaults.areIdsAssigned ? {} : { runAsUser: relayUser, runAsGroup: relayUser, fsGroup: relayUser }),
      ...pod.securityContext,
      // A spool of a million files must not be walked at every start.
      fsGroupChangePolicy: pod.securityContext?.fsGroupChangePolicy ?? "OnRootMismatch",
      seccompProfile: pod.securityContext?.seccompProfile ?? { type: "RuntimeDefault" },
    },
    containers: [
      renderContainer(relay, { image, ...pullPolicy(relay, defaults) }, [
        ...secrets.map(({ mount }) => mount),
        { name: spoolVolume, mountPath: spoolDirectory },
        { name: temporaryVolume, mountPath: "/tmp" },
      ]),
    ],
    volumes: [...secrets.map(({ volume }) => volume), { name: temporaryVolume, emptyDir: { sizeLimit: "64Mi" } }],
    topologySpreadConstraints: spreadConstraints(relay),
    ...(pod.nodeSelector === undefined ? {} : { nodeSelector: pod.nodeSelector }),
    ...(pod.tolerations === undefined ? {} : { tolerations: pod.tolerations }),
    ...(pod.affinity === undefined ? {} : { affinity: pod.affinity }),
    ...pullSecrets(relay, defaults),
    ...(pod.priorityClassName === undefined ? {} : { priorityClassName: pod.priorityClassName }),
    ...(pod.runtimeClassName === undefined ? {} : { runtimeClassName: pod.runtimeClassName }),
    ...(pod.dnsPolicy === undefined ? {} : { dnsPolicy: pod.dnsPolicy }),
    ...(pod.dnsConfig === undefined ? {} : { dnsConfig: pod.dnsConfig }),
    ...(pod.hostAliases === undefined ? {} : { hostAliases: pod.hostAliases }),
  };
}

function graceMs({ spec }: Stored<MailRelay>): number {
  return parseDuration(spec.pod.terminationGracePeriod) ?? usualGraceMs;
}

/** The relay's own setting is made for the usual one. */
function stopDeadline(relay: Stored<MailRelay>): readonly EnvironmentVariable[] {
  const grace = graceMs(relay);
  if (grace === usualGraceMs) return [];
  const value = String(Math.max(grace - settlingMs, leastStoppingMs));
  return [{ name: "MAILBOAT_STOP_DEADLINE_MS", value }];
}

function pullPolicy({ spec }: Stored<MailRelay>, defaults: PodDefaults): Pick<Container, "imagePullPolicy"> {
  const imagePullPolicy = spec.pod.imagePullPolicy ?? defaults.imagePullPolicy;
  return imagePullPolicy === undefined ? {} : { imagePullPolicy };
}

/** A MailRelay that names some is on its own: its image is its own, too. */
function pullSecrets({ spec: { pod } }: Stored<MailRelay>, defaults: PodDefaults): Pick<PodSpec, "imagePullSecrets"> {
  const secrets = pod.imagePullSecrets ?? defaults.imagePullSecrets.map((name) => ({ name }));
  return pod.imagePullSecrets === undefined && secrets.length === 0 ? {} : { imagePullSecrets: secrets };
}

function renderContainer(
  relay: Stored<MailRelay>,
  image: Pick<Container, "image" | "imagePullPolicy">,
  volumeMounts: readonly VolumeMount[],
): Container {
  return {
    name: "relay",
    ...image,
    args: ["run"],
    env: [
      { name: "MAILBOAT_CONFIGURATION_DIR", value: configurationRoot },
      { name: "MAILBOAT_SPOOL_DIR", value: spoolDirectory },
      ...stopDeadline(relay),
      { name: "NODE_OPTIONS", value: garbageCollection },
    ],
    ports: [
      ...relay.spec.listeners.map((listener) => port(listener.name, containerPort(listener.port))),
      port("http", httpPort),
      port(administrationPortName, administrationPort),
    ],
    volumeMounts,
    resources: relay.spec.pod.resources ?? defaultResources,
    // Ten minutes: a relay waits for its configuration, and a large spool after a crash is read first.
    startupProbe: probe("/readyz", { periodSeconds: 1, failureThreshold: 600 }),
    readinessProbe: probe("/readyz", { periodSeconds: 5, failureThreshold: 2 }),
    livenessProbe: probe("/healthz", { periodSeconds: 10, failureThreshold: 6 }),
    securityContext: {
      ...relay.spec.pod.containerSecurityContext,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
}

function port(name: string, number: number): Container["ports"][number] {
  return { name, containerPort: number, protocol: "TCP" };
}

function probe(path: string, pace: { readonly periodSeconds: number; readonly failureThreshold: number }): HttpProbe {
  return { httpGet: { path, port: "http" }, ...pace, timeoutSeconds: 5 };
}

interface MountedSecret {
  readonly volume: SecretVolume;
  readonly mount: VolumeMount;
}

function mountedSecrets(relayName: string): readonly MountedSecret[] {
  const mounted = (name: string, secretName: string, directory: string): MountedSecret => ({
    // Optional: a domain that comes later needs no new pod. 0440: for the pod's own group alone.
    volume: { name, secret: { secretName, optional: true, defaultMode: 0o440 } },
    mount: { name, mountPath: `${configurationRoot}/${directory}`, readOnly: true },
  });
  return [
    ...allShards().map((shard) =>
      mounted(`domains-${shard}`, shardSecretName(relayName, shard), `${domainsDirectory}/${shard}`),
    ),
    mounted("tls", certificateSecretName(relayName), tlsDirectory),
    mounted("peer", peerSecretName(relayName), peerDirectory),
    // Last, because it names the revision of all the others.
    mounted("configuration", configurationSecretName(relayName), configurationDirectory),
  ];
}

/** Over nodes and zones where that is possible; a relay that cannot be spread still runs. */
function spreadConstraints(relay: Stored<MailRelay>): readonly TopologySpreadConstraint[] {
  const own = { matchLabels: { [relayLabel]: relay.metadata.name } };
  const { topologySpreadConstraints } = relay.spec.pod;
  if (topologySpreadConstraints !== undefined) {
    return topologySpreadConstraints.map((constraint) => ({
      ...constraint,
      labelSelector: constraint.labelSelector ?? own,
    }));
  }
  return ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: own,
  }));
}
