/**
 * Stands in for kubelets, volumes and relays where an API server is all there is: every StatefulSet has its pods, ready at once,
 * each with an address of its own behind one HTTP server, whose `/status` says that the pod has loaded what it was told by its
 * annotation. Pods beyond the StatefulSet's number go. A whole node with real relays is the business of test/cluster.
 */
import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { RawObject, Resource } from "../../../operator/kube/client/resource.ts";
import type { Client } from "../../../operator/kube/client/client.ts";
import { relayLabel, revisionAnnotation } from "../../../api/labels.ts";
import { documentVersions } from "../../../api/relayconfig.ts";
import type { RelayReport } from "../../../api/relayreport.ts";
import { release } from "../../../runtime/release.ts";
import { resourceOf } from "../../../operator/kube/cluster/resources.ts";
import { secretView } from "../../../operator/kube/cluster/views.ts";
import type { PodTemplate, StatefulSet, VolumeClaimTemplate } from "../../../operator/kube/kinds.ts";
import { shownFingerprint } from "../../../operator/trust/clientleaf.ts";
import { type Mirror, startMirror } from "./clients.ts";

export interface PodStandIn {
  /** Pods that are ready. */
  readonly size: number;
  stop(): Promise<void>;
}

export interface PodStandInOptions {
  /** What a pod's `/status` says beside what it would say of itself. */
  readonly report?: (pod: { readonly namespace: string; readonly name: string }) => Partial<RelayReport>;
  /** Pods come with a claim that is bound, as large as the StatefulSet asks for. */
  readonly hasVolumes?: boolean;
}

interface StandingPod {
  readonly namespace: string;
  readonly name: string;
  readonly relay: string;
  readonly ordinal: number;
  fingerprint: string | undefined;
}

const startedAt = new Date().toISOString();

export async function startPods(client: Client, options: PodStandInOptions = {}): Promise<PodStandIn> {
  const pods = new Map<string, StandingPod>();
  const addresses = new Map<string, string>();
  const follow = (resource: Resource): Mirror =>
    startMirror({ client, resource, query: { labelSelector: relayLabel } });
  const podMirror = follow(resourceOf("Pod"));
  const server = createServer((request, response) => {
    const pod = pods.get(request.socket.localAddress?.replace("::ffff:", "") ?? "");
    // It is gone: nobody is at its address.
    if (pod === undefined) return void request.socket.destroy();
    const told = podMirror.store.get(`${pod.namespace}/${pod.name}`)?.metadata.annotations?.[revisionAnnotation];
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...reportOf(pod, told), ...options.report?.(pod) }));
  });
  const port = await listening(server);
  let number = 0;
  const makePods = async (set: RawObject): Promise<void> => {
    const { namespace = "", name, uid = "" } = set.metadata;
    const spec = set["spec"] as StatefulSet["spec"];
    for (const [podIP, pod] of pods) {
      if (pod.namespace !== namespace || pod.relay !== name || pod.ordinal < spec.replicas) continue;
      pods.delete(podIP);
      addresses.delete(`${namespace}/${pod.name}`);
      await client.delete(resourceOf("Pod"), { namespace, name: pod.name }, {});
    }
    for (let ordinal = 0; ordinal < spec.replicas; ordinal += 1) {
      const pod: StandingPod = { namespace, name: `${name}-${ordinal}`, relay: name, ordinal, fingerprint: undefined };
      const key = `${namespace}/${pod.name}`;
      if (addresses.has(key)) continue;
      number += 1;
      const podIP = `127.9.${Math.floor(number / 250)}.${(number % 250) + 1}`;
      addresses.set(key, podIP);
      pods.set(podIP, { ...pod, fingerprint: await fingerprintOf(client, { namespace, name }) });
      const [template] = spec.volumeClaimTemplates;
      if (options.hasVolumes === true && template !== undefined) await makeClaim(client, pod, template);
      await makePod(client, { set: { name, uid }, pod, podIP, port, template: spec.template });
    }
  };
  const setMirror = follow(resourceOf("StatefulSet"));
  const known = new Set<string>();
  const timer = setInterval(() => {
    for (const set of setMirror.store.values()) {
      const key = `${set.metadata.namespace}/${set.metadata.name}/${set.metadata.resourceVersion}`;
      if (known.has(key)) continue;
      known.add(key);
      makePods(set).catch((error: unknown) => process.stderr.write(`pods of ${key}: ${String(error)}\n`));
    }
  }, 50);
  return {
    get size() {
      return addresses.size;
    },
    stop: async () => {
      clearInterval(timer);
      await Promise.all([setMirror.stop(), podMirror.stop()]);
      server.closeAllConnections();
      server.close();
    },
  };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

interface PodPlan {
  readonly set: { readonly name: string; readonly uid: string };
  readonly pod: StandingPod;
  readonly podIP: string;
  readonly port: number;
  readonly template: PodTemplate;
}

async function makePod(client: Client, { set, pod, podIP, port, template }: PodPlan): Promise<void> {
  const owner = { apiVersion: "apps/v1", kind: "StatefulSet", name: set.name, uid: set.uid, controller: true };
  const place = { namespace: pod.namespace, name: pod.name };
  const made: RawObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...template.metadata, ...place, ownerReferences: [owner] },
    spec: {
      nodeName: "node",
      // Nobody is there to stop it.
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "relay", image: "relay", ports: [{ name: "http", containerPort: port }] }],
    },
  };
  await client.create(resourceOf("Pod"), made, "node");
  const condition = { type: "Ready", status: "True", lastTransitionTime: startedAt };
  const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions: [condition] };
  await client.mergePatch(
    resourceOf("Pod"),
    { ...place, subresource: "status" },
    { body: { status }, fieldManager: "node" },
  );
}

/** As the StatefulSet's controller and a provisioner would; one that is there already is used again. */
async function makeClaim(client: Client, pod: StandingPod, template: VolumeClaimTemplate): Promise<void> {
  const { metadata, spec } = template;
  const place = { namespace: pod.namespace, name: `${metadata.name}-${pod.name}` };
  const resource = resourceOf("PersistentVolumeClaim");
  if ((await client.get(resource, place)) !== undefined) return;
  const claim: RawObject = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { ...place, labels: metadata.labels ?? {} },
    spec: { ...spec, volumeName: `volume-${place.namespace}-${place.name}` },
  };
  await client.create(resource, claim, "node");
  const status = { phase: "Bound", capacity: spec.resources.requests, accessModes: spec.accessModes };
  await client.mergePatch(resource, { ...place, subresource: "status" }, { body: { status }, fieldManager: "node" });
}

async function fingerprintOf(client: Client, relay: { namespace: string; name: string }): Promise<string | undefined> {
  const raw = await client.get(resourceOf("Secret"), { namespace: relay.namespace, name: `${relay.name}-certificate` });
  if (raw === undefined) return undefined;
  return shownFingerprint(secretView(raw));
}

/** The annotation is the revision, then a part of the certificate's fingerprint. */
function reportOf(pod: StandingPod, told: string | undefined): RelayReport {
  const revision = told?.split(".")[0];
  const { fingerprint } = pod;
  return {
    version: 1,
    documents: documentVersions,
    release,
    ...(revision === undefined ? {} : { revision }),
    ...(fingerprint === undefined ? {} : { certificate: { fingerprint, notAfter: startedAt, names: [] } }),
    spool: {
      queuedRecipients: 0,
      queuedMessages: 0,
      usedBytes: 0,
      capacityBytes: 1,
      full: false,
      spoolId: pod.name,
    },
    draining: false,
    acceptedMessages: 0,
    startedAt,
  };
}
