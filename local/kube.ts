/**
 * An API server for one machine: what people gave (the folder), what the operator made, and the pods that run.
 * Given objects and made Secrets outlive the process in the state directory, because keys and creation times must.
 */
import { randomUUID } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { z } from "zod";
import { relayLabel, shardLabel } from "../api/labels.ts";
import { mailRelayStatus } from "../api/mailrelay.ts";
import { senderDomainStatus } from "../api/senderdomain.ts";
import {
  keyOf,
  type Kube,
  type KubeEvent,
  type ListOptions,
  type MetadataChange,
  type Reference,
  type Sight,
  type Standing,
} from "../operator/kube/kube.ts";
import type {
  AppliedObject,
  Kind,
  KindMap,
  KubeObject,
  ObjectMeta,
  OptionalKind,
  PersistentVolumeClaim,
  Pod,
  WrittenKind,
} from "../operator/kube/objects.ts";
import { type Labels, matchesSelector, namespaceNameLabel } from "../operator/kube/selector.ts";
import { readShard, type ShardFact } from "../operator/kube/shard.ts";
import type { ChangeListener } from "./affected.ts";
import { makeDirectory, readIfThere, readOwn, writeFileAtomically } from "./files.ts";
import { type GivenObject, type InForce, withStatusOf } from "./manifests/manifests.ts";
import { keyOfMisfit, readStored, storedSecret, type StoredMisfit } from "./storage/stored.ts";
import { brings, contentOf, same, settledPart } from "./storage/given.ts";
import { marked } from "./storage/marks.ts";
import { claimFor, heldPods, newClaim, type VolumePlace, Volumes } from "./storage/volumes.ts";

export interface LocalKubeSettings {
  readonly stateDirectory: string;
  readonly now: () => number;
  readonly onStatus: (change: StatusChange) => void;
}

export interface StatusChange {
  readonly object: KindMap["MailRelay"] | KindMap["SenderDomain"];
  /** The object as it was before its status changed. */
  readonly before: KindMap["MailRelay"] | KindMap["SenderDomain"];
}

export class LocalKube implements Kube {
  readonly #settings: LocalKubeSettings;
  readonly #objects = new Map<string, KubeObject>();
  readonly #listeners: ChangeListener[] = [];
  readonly #volumes: Volumes;
  /** What was marked on pods: their own objects are made anew whenever their processes change. */
  readonly #marks = new Map<string, MetadataChange>();
  /** Where each given object came from. */
  #given: readonly InForce[] = [];
  /** What an earlier version stored and this one cannot read, until the folder gives it again. */
  #misfits: readonly StoredMisfit[] = [];

  constructor(settings: LocalKubeSettings) {
    this.#settings = settings;
    this.#volumes = new Volumes(settings.stateDirectory);
  }

  /** Reads what an earlier run left. A damaged file is an error: keys are not made anew in silence. */
  async open(): Promise<void> {
    await makeDirectory(this.#path("secrets"));
    for (const name of await readdir(this.#path("secrets"))) {
      if (!name.endsWith(".json")) continue;
      const secret = await readOwn(this.#path("secrets", name), (text) => storedSecret.parse(JSON.parse(text)));
      this.#objects.set(keyOf(referenceTo(secret)), secret);
    }
    const given = this.#path("given.json");
    const isThere = (await readIfThere(given)) !== undefined;
    const stored = isThere ? await readOwn(given, readStored) : readStored(undefined);
    ({ inForce: this.#given, misfits: this.#misfits } = stored);
    for (const { object } of this.#given) this.#objects.set(keyOf(referenceTo(object)), await this.#withStatus(object));
    for (const claim of await this.#volumes.open()) this.#objects.set(keyOf(referenceTo(claim)), this.#sized(claim));
  }

  /** What the folder last gave, for the decision what stays in force. */
  get given(): readonly InForce[] {
    return this.#given;
  }

  /** Makes the given objects be exactly these. Objects that were made for one that is gone go with it. */
  async setGiven(next: readonly InForce[]): Promise<void> {
    const before = new Map(this.#given.map((entry) => [keyOf(referenceTo(entry.object)), entry.object]));
    this.#given = next.map(({ file, object }) => ({ file, object: this.#numbered(object, before) }));
    const present = new Set(this.#given.map(({ object }) => keyOf(referenceTo(object))));
    this.#misfits = this.#misfits.filter((misfit) => !present.has(keyOfMisfit(misfit)));
    await writeFileAtomically(this.#path("given.json"), JSON.stringify([...this.#given, ...this.#misfits]), true);
    for (const { object } of this.#given) {
      const reference = referenceTo(object);
      if (same(before.get(keyOf(reference)), object) && this.#objects.has(keyOf(reference))) continue;
      this.#objects.set(keyOf(reference), withStatusOf(object, this.#objects.get(keyOf(reference))));
      this.#notify(object);
    }
    for (const [key, object] of before) {
      if (!present.has(key)) await this.#collect(object);
    }
    for (const claim of await this.list("PersistentVolumeClaim")) {
      this.#objects.set(keyOf(referenceTo(claim)), this.#sized(claim));
    }
  }

  /** True for the StatefulSet whose relay comes first in the folder: it gets the well-known ports. */
  isFirstStatefulSet(metadata: ObjectMeta): boolean {
    const first = this.#given.find((entry) => entry.object.kind === "MailRelay");
    return first?.object.metadata.uid === metadata.ownerReferences?.[0]?.uid;
  }

  /** Before a pod starts on the volume, as a StatefulSet makes it. */
  async ensureClaim(place: VolumePlace): Promise<void> {
    const claim = this.#sized(newClaim(place));
    if (this.#objects.has(keyOf(referenceTo(claim)))) return;
    await this.#volumes.keep(claim);
    this.#objects.set(keyOf(referenceTo(claim)), claim);
    this.#notify(claim);
  }

  putPod(bare: Pod): void {
    const key = keyOf(referenceTo(bare));
    const pod = marked(bare, this.#marks.get(key));
    if (same(this.#objects.get(key), pod)) return;
    this.#objects.set(key, pod);
    this.#notify(pod);
  }

  deletePod(pod: Pod): void {
    this.#marks.delete(keyOf(referenceTo(pod)));
    if (this.#objects.delete(keyOf(referenceTo(pod)))) this.#notify(pod);
  }

  async get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined> {
    const object = this.#objects.get(keyOf({ kind, namespace, name }));
    return object !== undefined && isKind(object, kind) ? object : undefined;
  }

  async list<K extends Kind>(kind: K, options: ListOptions = {}): Promise<readonly KindMap[K][]> {
    const found: KindMap[K][] = [];
    for (const object of this.#objects.values()) {
      if (!isKind(object, kind)) continue;
      if (options.namespace !== undefined && object.metadata.namespace !== options.namespace) continue;
      const labels = object.metadata.labels ?? {};
      if (!matchesSelector({ matchLabels: options.labels }, labels)) continue;
      if (!matchesSelector(options.selector ?? {}, labels)) continue;
      if (object.kind === "SenderDomain" && !brings(object, options)) continue;
      found.push(object);
    }
    return found;
  }

  /** A manifest that cannot be read is printed, and its last good version stays. */
  async misfit(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async shards(relay: { readonly namespace: string; readonly name: string }): Promise<ReadonlyMap<string, ShardFact>> {
    const labels = { [relayLabel]: relay.name };
    const shards = new Map<string, ShardFact>();
    for (const secret of await this.list("Secret", { namespace: relay.namespace, labels })) {
      const shard = secret.metadata.labels?.[shardLabel];
      if (shard !== undefined) shards.set(shard, readShard(secret));
    }
    return shards;
  }

  /** Without Namespace objects a namespace has the one label that every cluster gives it. */
  async namespaceLabels(namespace: string): Promise<Labels> {
    return { [namespaceNameLabel]: namespace };
  }

  /** What stands around pods in a cluster (Services, budgets, policies) means nothing to processes of one machine. */
  async apply(object: AppliedObject): Promise<void> {
    if (object.kind !== "Secret" && object.kind !== "StatefulSet") return;
    const reference = referenceTo(object);
    const before = this.#objects.get(keyOf(reference));
    const metadata = { ...object.metadata, uid: before?.metadata.uid ?? randomUUID() };
    const next = before === undefined ? await this.#resumed({ ...object, metadata }) : { ...object, metadata };
    if (same(before, next)) return;
    if (next.kind === "Secret") {
      await writeFileAtomically(this.#secretPath(reference), JSON.stringify(next, undefined, 2) + "\n", true);
    }
    this.#objects.set(keyOf(reference), next);
    this.#notify(next);
  }

  sight(): Sight {
    return { kind: "whole" };
  }

  async serves(_kind: OptionalKind): Promise<Standing> {
    return Promise.resolve("absent");
  }

  async tokenIssuer(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Of pods and claims only: nothing else is ever marked here. */
  async mark(reference: Reference, change: MetadataChange): Promise<void> {
    const claim = this.#objects.get(keyOf(reference));
    if (claim?.kind === "PersistentVolumeClaim") {
      const next = marked(claim, change);
      await this.#volumes.keep(next);
      this.#objects.set(keyOf(reference), next);
      return;
    }
    const pod = await this.get("Pod", reference.namespace, reference.name);
    if (reference.kind !== "Pod" || pod === undefined) return;
    const key = keyOf(reference);
    const before = this.#marks.get(key);
    const next: MetadataChange = {
      labels: { ...before?.labels, ...change.labels },
      annotations: { ...before?.annotations, ...change.annotations },
    };
    this.#marks.set(key, next);
    this.#objects.set(key, marked(pod, next));
  }

  /** Claims have the size of the manifest. */
  async growClaim(_namespace: string, _name: string, _size: string): Promise<void> {
    await Promise.resolve();
  }

  /** A manifest that leaves the folder is gone at once, with what was made for it. */
  async setFinalizer(_reference: Reference, _finalizer: string, _isPresent: boolean): Promise<void> {
    await Promise.resolve();
  }

  async mergeSecret(secret: KindMap["Secret"], changes: Readonly<Record<string, string | undefined>>): Promise<void> {
    const { namespace, name } = secret.metadata;
    const data: Record<string, string> = { ...(await this.get("Secret", namespace, name))?.data };
    for (const [key, value] of Object.entries(changes)) {
      if (value === undefined) delete data[key];
      else data[key] = Buffer.from(value, "utf8").toString("base64");
    }
    await this.apply({ ...secret, data });
  }

  /** Nobody else writes here. */
  async createSecret(secret: KindMap["Secret"]): Promise<boolean> {
    if (this.#objects.has(keyOf(referenceTo(secret)))) return false;
    await this.apply(secret);
    return true;
  }

  async replaceSecret(_read: KindMap["Secret"], secret: KindMap["Secret"]): Promise<boolean> {
    await this.apply(secret);
    return true;
  }

  async adoptSecret({ metadata }: Pick<KindMap["Secret"], "metadata">): Promise<void> {
    const secret = await this.get("Secret", metadata.namespace, metadata.name);
    if (secret !== undefined) await this.apply({ ...secret, metadata: { ...secret.metadata, ...metadata } });
  }

  async remove(reference: Reference): Promise<void> {
    const object = this.#objects.get(keyOf(reference));
    if (object === undefined) return;
    this.#objects.delete(keyOf(reference));
    if (reference.kind === "Secret") await rm(this.#secretPath(reference), { force: true });
    if (object.kind === "PersistentVolumeClaim") await this.#volumes.destroy(object);
    this.#notify(object);
  }

  async applyStatus<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    object: Pick<KindMap[K], "metadata">,
    status: NonNullable<KindMap[K]["status"]>,
  ): Promise<void> {
    const reference: Reference = { kind, namespace: object.metadata.namespace, name: object.metadata.name };
    const before = await this.get(kind, reference.namespace, reference.name);
    if (before === undefined || same(before.status, status)) return;
    const next = { ...before, status };
    this.#objects.set(keyOf(reference), next);
    await makeDirectory(this.#path("status", kind.toLowerCase()));
    await writeFileAtomically(this.#statusPath(reference), stringify({ ...next, spec: undefined }));
    this.#settings.onStatus({ object: next, before });
    // Sender domains wait for their relay's status; nobody waits for theirs.
    if (kind === "MailRelay" && !same(settledPart(before.status), settledPart(status))) this.#notify(next);
  }

  /**
   * The DNS of local mode: a TXT record that some SenderDomain asks to be published, as if its owner had. From the newest
   * status, so that a key that was made a moment ago is there.
   */
  txtRecord(name: string): string | undefined {
    for (const object of this.#objects.values()) {
      if (object.kind !== "SenderDomain") continue;
      const record = object.status?.dnsRecords?.find((wanted) => wanted.type === "TXT" && wanted.name === name);
      if (record !== undefined) return record.value;
    }
    return undefined;
  }

  /** Events repeat what status transitions say, and those are printed: there is no list of events here. */
  async emit(_event: KubeEvent): Promise<void> {
    await Promise.resolve();
  }

  /** What is here are manifests, which are kept whole. */
  release(): void {}

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  /** In a cluster a StatefulSet outlives the operator: here pods that an earlier run had not emptied come again to go on. */
  async #resumed<T extends AppliedObject>(object: T): Promise<T> {
    if (object.kind !== "StatefulSet" || object.spec.replicas === 0) return object;
    const held = heldPods(await this.list("PersistentVolumeClaim"), object.metadata);
    return { ...object, spec: { ...object.spec, replicas: Math.max(object.spec.replicas, held) } };
  }

  #sized(claim: PersistentVolumeClaim): PersistentVolumeClaim {
    const { namespace, labels } = claim.metadata;
    const relay = this.#objects.get(keyOf({ kind: "MailRelay", namespace, name: labels?.[relayLabel] ?? "" }));
    return relay?.kind === "MailRelay" ? claimFor(claim, relay) : claim;
  }

  #notify(object: KubeObject): void {
    const owner = object.metadata.ownerReferences?.[0];
    const { namespace } = object.metadata;
    const isOurs = owner?.kind === "MailRelay" || owner?.kind === "SenderDomain";
    const by: Reference | undefined = isOurs ? { kind: owner.kind, namespace, name: owner.name } : undefined;
    for (const listener of this.#listeners) listener(referenceTo(object), by);
  }

  /** uid, creation time and generation as an API server gives them. */
  #numbered(object: GivenObject, before: ReadonlyMap<string, GivenObject>): GivenObject {
    const key = keyOf(referenceTo(object));
    const last = before.get(key);
    const isChanged = last === undefined || !same(contentOf(last), contentOf(object));
    const was = last?.metadata ?? this.#misfits.find((misfit) => keyOfMisfit(misfit) === key)?.object.metadata;
    const metadata: ObjectMeta = {
      ...object.metadata,
      uid: was?.uid ?? randomUUID(),
      creationTimestamp: was?.creationTimestamp ?? new Date(this.#settings.now()).toISOString(),
      generation: (was?.generation ?? 0) + (isChanged ? 1 : 0),
    };
    return { ...object, metadata };
  }

  /** Removes an object, its status and whatever it owns, as the garbage collector would. */
  async #collect(object: KubeObject): Promise<void> {
    const reference = referenceTo(object);
    this.#objects.delete(keyOf(reference));
    await rm(this.#statusPath(reference), { force: true });
    for (const made of this.#objects.values()) {
      const isOwned = made.metadata.ownerReferences?.some((owner) => owner.uid === object.metadata.uid) ?? false;
      if (isOwned && made.kind !== "ConfigMap") await this.remove(referenceTo(made));
    }
    this.#notify(object);
  }

  /** The status an earlier run wrote: transition times and printed transitions go on from there. */
  async #withStatus(object: GivenObject): Promise<GivenObject> {
    if (object.kind === "Secret" || object.kind === "ConfigMap") return object;
    const text = await readIfThere(this.#statusPath(referenceTo(object)));
    if (text === undefined) return object;
    const stored = z.object({ status: z.unknown() }).safeParse(parse(text)).data;
    // One that another version wrote is judged anew, from nothing.
    if (object.kind === "MailRelay") return { ...object, status: mailRelayStatus.safeParse(stored?.status).data };
    return { ...object, status: senderDomainStatus.safeParse(stored?.status).data };
  }

  #path(...parts: string[]): string {
    return join(this.#settings.stateDirectory, ...parts);
  }

  #secretPath(reference: Reference): string {
    return this.#path("secrets", `${reference.namespace}.${reference.name}.json`);
  }

  #statusPath(reference: Reference<Kind>): string {
    return this.#path("status", reference.kind.toLowerCase(), `${reference.namespace}.${reference.name}.yaml`);
  }
}

export function referenceTo(object: KindMap[WrittenKind]): Reference;
export function referenceTo(object: KubeObject): Reference<Kind>;
export function referenceTo(object: KubeObject): Reference<Kind> {
  return { kind: object.kind, namespace: object.metadata.namespace, name: object.metadata.name };
}

function isKind<K extends Kind>(object: KubeObject, kind: K): object is KindMap[K] & KubeObject {
  return object.kind === kind;
}
