/**
 * The reconcilers' view of a real API server. Reads come from caches; writes are sent only where something differs. What
 * RBAC refuses is a ForbiddenError, what the server will not take for what it says a RejectedError; everything else is
 * thrown as it is, and the queue tries again.
 */
import type { Client } from "../client/client.ts";
import type { RawObject } from "../client/resource.ts";
import type { EventRecorder, Regarded } from "../events.ts";
import { isFailure } from "../client/failure.ts";
import {
  ForbiddenError,
  type Kube,
  type KubeEvent,
  type ListOptions,
  type MetadataChange,
  type Reference,
  type Sight,
  type Standing,
  type TokenIssuerAnswers,
} from "../kube.ts";
import type { AppliedObject, Kind, KindMap, Misfit, OptionalKind, Secret, WrittenKind } from "../objects.ts";
import type { Labels } from "../selector.ts";
import type { ShardFact } from "../shard.ts";
import type { ClusterReads } from "./reads.ts";
import { resourceOf } from "./resources.ts";
import { asKind, asMisfit, faultsOf } from "./views.ts";
import { ClusterWrites } from "./writes.ts";

export interface ClusterSettings {
  readonly reads: ClusterReads;
  /** Its fence decides whether a write leaves. */
  readonly writer: Client;
  readonly events: EventRecorder;
}

export class ClusterKube implements Kube {
  readonly #reads: ClusterReads;
  readonly #writes: ClusterWrites;
  readonly #events: EventRecorder;
  readonly #client: Client;

  constructor({ reads, writer, events }: ClusterSettings) {
    this.#reads = reads;
    this.#writes = new ClusterWrites(reads, writer);
    this.#events = events;
    this.#client = writer;
  }

  async get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined>;
  async get(kind: Kind, namespace: string, name: string): Promise<KindMap[Kind] | undefined> {
    if (kind === "Secret") return this.#reads.secrets.get(namespace, name);
    if (kind === "ConfigMap") return this.#reads.configMaps.get(namespace, name);
    const object = this.#reads.get(kind, namespace, name);
    return object === undefined || faultsOf(object) !== undefined ? undefined : asKind(object);
  }

  async list<K extends WrittenKind>(kind: K, options?: ListOptions): Promise<readonly KindMap[K][]>;
  async list(kind: WrittenKind, options: ListOptions = {}): Promise<readonly KindMap[WrittenKind][]> {
    if (kind !== "Secret") {
      const isUsable = (object: RawObject): boolean => faultsOf(object) === undefined || object["spec"] !== undefined;
      return this.#reads
        .list(kind, options)
        .filter(isUsable)
        .map((object) => asKind(object));
    }
    const { namespace, labels, selector } = options;
    if (namespace === undefined) throw new Error("Secrets are listed in one namespace at a time");
    return this.#reads.secrets.list(namespace, { ...selector, matchLabels: { ...selector?.matchLabels, ...labels } });
  }

  async misfit<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    namespace: string,
    name: string,
  ): Promise<Misfit<K> | undefined> {
    const object = this.#reads.get(kind, namespace, name);
    return Promise.resolve(object === undefined ? undefined : asMisfit<K>(object));
  }

  async shards(relay: { readonly namespace: string; readonly name: string }): Promise<ReadonlyMap<string, ShardFact>> {
    return this.#reads.secrets.shards(relay);
  }

  async namespaceLabels(namespace: string): Promise<Labels | undefined> {
    return Promise.resolve(this.#reads.namespaceLabels(namespace));
  }

  sight(namespace: string): Sight {
    return this.#reads.sight(namespace);
  }

  async serves(kind: OptionalKind, namespace: string): Promise<Standing> {
    return this.#reads.serves(kind, namespace);
  }

  async apply(object: AppliedObject): Promise<void> {
    await this.#writes.apply(object);
  }

  async mark(reference: Reference, change: MetadataChange): Promise<void> {
    await this.#writes.mark(reference, change);
  }

  async growClaim(namespace: string, name: string, size: string): Promise<void> {
    await this.#writes.growClaim({ namespace, name }, size);
  }

  async setFinalizer(reference: Reference, finalizer: string, isPresent: boolean): Promise<void> {
    await this.#writes.setFinalizer(reference, finalizer, isPresent);
  }

  async mergeSecret(secret: Secret, changes: Readonly<Record<string, string | undefined>>): Promise<void> {
    await this.#writes.mergeSecret(secret, changes);
  }

  async createSecret(secret: Secret): Promise<boolean> {
    return this.#writes.createSecret(secret);
  }

  async replaceSecret(read: Secret, secret: Secret): Promise<boolean> {
    return this.#writes.replaceSecret(read, secret);
  }

  async adoptSecret(secret: Pick<Secret, "metadata">): Promise<void> {
    await this.#writes.adoptSecret(secret);
  }

  async remove(reference: Reference): Promise<void> {
    await this.#writes.remove(reference);
  }

  async applyStatus<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    object: Pick<KindMap[K], "metadata">,
    status: NonNullable<KindMap[K]["status"]>,
  ): Promise<void> {
    const { namespace, name, uid } = object.metadata;
    await this.#writes.applyStatus({ kind, namespace, name }, uid, status);
  }

  async emit(event: KubeEvent): Promise<void> {
    this.#events.emit(event);
    return Promise.resolve();
  }

  async tokenIssuer(): Promise<TokenIssuerAnswers> {
    try {
      const discovery = await this.#client.document("/.well-known/openid-configuration");
      return { discovery, keys: await this.#client.document("/openid/v1/jwks") };
    } catch (error) {
      throw isFailure(error, "Forbidden") ? new ForbiddenError(error.said) : error;
    }
  }

  release(namespace: string, names: readonly string[]): void {
    this.#reads.secrets.release(namespace, names);
  }
}

/** What an Event says of its object. */
export function regardedBy(reads: ClusterReads): (event: KubeEvent) => Regarded {
  return ({ regarding: { kind, namespace, name } }) => ({
    apiVersion: resourceOf(kind).apiVersion,
    uid: kind === "Secret" ? undefined : reads.get(kind, namespace, name)?.metadata.uid,
  });
}
