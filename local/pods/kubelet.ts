/**
 * The kubelet and the StatefulSet controller of local mode: for every StatefulSet its replicas as child processes, and
 * for every replica a Pod object and the claim of its volume. A replica that is scaled away stops; its volume stays until the
 * operator removes the claim.
 */
import { ownerOf } from "../../operator/owned/owner.ts";
import { join } from "node:path";
import { emptySpoolAnnotation } from "../../api/labels.ts";
import type { ContainerPort, Pod, Secret, StatefulSet } from "../../operator/kube/objects.ts";
import { claimNameAt } from "../../operator/owned/names.ts";
import type { LocalKube } from "../kube.ts";
import { LocalPod, type PodIntent, type PodObserver, type PodPorts } from "./pod.ts";
import type { PortBook } from "./ports.ts";

export interface KubeletSettings {
  readonly stateDirectory: string;
  /** The relay's main file. */
  readonly program: string;
  readonly host: string;
  readonly logLevel: string;
  readonly ports: PortBook;
  readonly observer: KubeletObserver;
  readonly now: () => number;
}

export interface KubeletObserver extends PodObserver {
  onPortTaken(use: string, taken: number, port: number): void;
  /** A replica is gone; its spool is proven empty, or else stays. */
  onLeft(pod: string, left: { readonly directory: string; readonly isEmpty: boolean }): void;
}

interface Replica {
  readonly pod: LocalPod;
  readonly directory: string;
  readonly set: StatefulSet;
  readonly index: number;
}

export class Kubelet {
  readonly #kube: LocalKube;
  readonly #settings: KubeletSettings;
  readonly #replicas = new Map<string, Replica>();
  /** Syncs run one after the other: files and processes of a pod have one writer. */
  #turn: Promise<void> = Promise.resolve();
  #stopped = false;
  #ending: Promise<void> | undefined;

  constructor(kube: LocalKube, settings: KubeletSettings) {
    this.#kube = kube;
    this.#settings = settings;
  }

  sync(): Promise<void> {
    const turn = this.#turn.then(() => this.#syncAll());
    // A failed sync is its caller's to report and must not stop the next one.
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Every pod at once; said twice it is the same stop. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#ending ??= this.#stopAll();
    return this.#ending;
  }

  async #stopAll(): Promise<void> {
    await Promise.all([...this.#replicas.values()].map((replica) => replica.pod.stop()));
  }

  /** The pod's readiness as an object, after a line of its log said that it changed. */
  publish(pod: string): void {
    const replica = this.#replicas.get(pod);
    if (replica === undefined) return;
    this.#kube.putPod(podObject(replica, this.#settings.host));
  }

  async #syncAll(): Promise<void> {
    if (this.#stopped) return;
    const sets = await this.#kube.list("StatefulSet");
    const wanted = new Set<string>();
    for (const set of sets) {
      for (let index = 0; index < set.spec.replicas; index += 1) {
        const name = podName(set, index);
        wanted.add(name);
        await this.#syncReplica(set, index);
      }
    }
    for (const [name, replica] of this.#replicas) {
      if (wanted.has(name)) continue;
      await replica.pod.stop();
      this.#replicas.delete(name);
      // Once the pod is gone its claim may go.
      const isEmpty = await this.#isProvenEmpty(replica);
      this.#kube.deletePod(podObject(replica, this.#settings.host));
      this.#settings.observer.onLeft(name, { directory: replica.directory, isEmpty });
    }
  }

  async #isProvenEmpty({ set: { metadata }, index }: Replica): Promise<boolean> {
    const claim = claimNameAt(metadata.name, index);
    const found = await this.#kube.get("PersistentVolumeClaim", metadata.namespace, claim);
    return found?.metadata.annotations?.[emptySpoolAnnotation] !== undefined;
  }

  async #syncReplica(set: StatefulSet, index: number): Promise<void> {
    const name = podName(set, index);
    const { stateDirectory, program, host, logLevel, observer, now } = this.#settings;
    const directory = join(stateDirectory, "pods", name);
    const intent: PodIntent = { template: set.spec.template, secrets: await this.#secretsOf(set) };
    const known = this.#replicas.get(name);
    const isFirst = index === 0 && this.#kube.isFirstStatefulSet(set.metadata);
    const choosePorts = (ports: readonly ContainerPort[]): Promise<PodPorts> => this.#choosePorts(name, ports, isFirst);
    const compileCache = join(stateDirectory, "compiled");
    const place = { pod: name, directory, program, host, logLevel, compileCache, observer, choosePorts, now };
    const pod = known?.pod ?? new LocalPod(place, intent);
    const { namespace, name: relay } = set.metadata;
    await this.#kube.ensureClaim({ namespace, relay, ordinal: index });
    if (this.#stopped) return;
    this.#replicas.set(name, { pod, directory, set, index });
    await pod.sync(intent);
    this.publish(name);
  }

  async #secretsOf(set: StatefulSet): Promise<ReadonlyMap<string, Secret>> {
    const secrets = new Map<string, Secret>();
    for (const volume of set.spec.template.spec.volumes) {
      if (!("secret" in volume)) continue;
      const secret = await this.#kube.get("Secret", set.metadata.namespace, volume.secret.secretName);
      if (secret !== undefined) secrets.set(secret.metadata.name, secret);
    }
    return secrets;
  }

  /** The first relay's first replica gets its container ports; whatever else runs here gets free ones. */
  async #choosePorts(pod: string, ports: readonly ContainerPort[], isFirst: boolean): Promise<PodPorts> {
    const chosen: Record<string, number> = {};
    for (const port of ports) {
      const use = `${pod}/${port.name}`;
      const wish = isFirst ? { use, preferred: port.containerPort } : { use };
      const choice = await this.#settings.ports.choose(wish);
      chosen[port.name] = choice.port;
      if (choice.taken !== undefined) this.#settings.observer.onPortTaken(use, choice.taken, choice.port);
    }
    return chosen;
  }
}

export function podName(set: StatefulSet, index: number): string {
  return `${set.metadata.namespace}.${set.metadata.name}-${index}`;
}

function podObject(replica: Replica, host: string): Pod {
  const { set, index, pod } = replica;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${set.metadata.name}-${index}`,
      namespace: set.metadata.namespace,
      labels: set.spec.template.metadata.labels,
      ownerReferences: [ownerOf(set)],
    },
    status: {
      podIP: host,
      ready: pod.ready,
      ports: Object.entries(pod.ports).map(([name, containerPort]) => ({ name, containerPort })),
      phase: "Running",
    },
  };
}
