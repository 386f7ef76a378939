/**
 * Secrets. Their content is what an attacker wants most and what fills a memory fastest, so only metadata is watched
 * (PartialObjectMetadata; other people's annotations left out), and only in namespaces where a resource of ours asked for
 * a Secret. Content is fetched when a reconcile reads that very Secret, and kept in a memory (contents.ts) that is valid
 * for one resourceVersion; of shards only digests are kept. RBAC knows no right to metadata alone: where `list` and `watch`
 * are not given for a namespace, single Secrets may still be (named.ts); otherwise reads there throw ForbiddenError. Its
 * resources are looked at when a right goes and when it comes. What no resource needs any more is not followed any longer.
 *
 * Watching by label alone would not do: the Secrets that people name in a manifest carry no label of ours, and a renewed
 * certificate must be noticed at once.
 */
import { relayLabel, senderDomainLabel, shardLabel } from "../../../../api/labels.ts";
import type { Sharing } from "../../cache/share.ts";
import type { Change } from "../../cache/store.ts";
import { isFailure } from "../../client/failure.ts";
import type { RawObject } from "../../client/resource.ts";
import { ForbiddenError, type Reference } from "../../kube.ts";
import type { Secret } from "../../objects.ts";
import { matchesSelector, type Selector, termOf, termsOf } from "../../selector.ts";
import { readShard, type ShardFact } from "../../shard.ts";
import type { Access, NamespaceAccess } from "./access.ts";
import { type ContentLimits, Contents, keyOf } from "./contents.ts";
import { LabelledSecrets } from "./labelled.ts";
import { NamedObjects } from "./named.ts";
import { secretResource } from "../resources.ts";
import { Reviews } from "./reviews.ts";
import { type ReflectorEdge, ScopedCache } from "../scoped.ts";
import { metadataView, secretMetadataViews, secretView } from "../views.ts";

export interface SecretSettings {
  readonly edge: ReflectorEdge;
  readonly access: NamespaceAccess;
  readonly sharing: Sharing;
  readonly onChange: (change: Change<RawObject>) => void;
  /** Documents of a shard, by data key, are gone, or are not what they were and it was not this operator who wrote them. */
  readonly onSpoilt: (shard: RawObject, dataKeys: readonly string[]) => void;
  /** Secrets of the namespace can be read now and could not before, or the other way round. */
  readonly onRight: (namespace: string) => void;
  /** Whether a resource of ours needs that Secret, or any of the namespace. */
  readonly isNeeded: (namespace: string, name?: string) => boolean;
}

interface KnownShard {
  readonly version: string;
  readonly fact: ShardFact;
}

/** The keys of ten thousand domains and what 500 relays have: where they did not fit, each would be fetched once more. */
export const secretMemory: ContentLimits = { usedBytes: 22 * 1024 * 1024, releasedBytes: 2 * 1024 * 1024 };

export class SecretReads {
  readonly #settings: SecretSettings;
  readonly #cache: ScopedCache<RawObject>;
  readonly #named: NamedObjects;
  readonly #labelled: LabelledSecrets;
  readonly #contents = new Contents(secretMemory);
  readonly #shards = new Map<string, KnownShard>();
  readonly #reviews: Reviews;
  readonly #fetching = new Map<string, Promise<RawObject | undefined>>();
  /** Writes of ours that have no answer yet. */
  readonly #writing = new Map<string, Promise<unknown>>();

  constructor(settings: SecretSettings) {
    this.#settings = settings;
    const { edge, access } = settings;
    const onChange = (change: Change<RawObject>): void => {
      const { key, before, after } = change;
      const lost = after === undefined ? this.#shards.get(key)?.fact.documents : undefined;
      this.#contents.forget(key);
      if (after === undefined) this.#shards.delete(key);
      settings.onChange(change);
      if (before !== undefined && lost !== undefined) settings.onSpoilt(before, [...lost.keys()]);
    };
    this.#named = new NamedObjects({ edge, resource: secretResource, access, onChange });
    this.#labelled = new LabelledSecrets({ client: edge.client, onRead: (raw) => this.#listed(raw) });
    this.#cache = new ScopedCache<RawObject>({
      edge,
      resource: secretResource,
      metadataOnly: true,
      view: secretMetadataViews(settings.sharing),
      indexes: {
        term: ({ metadata }) => termsOf(metadata.labels ?? {}).map((term) => `${metadata.namespace} ${term}`),
      },
      onChange,
      longestRefusalMs: () => access.listPauseMs(),
      onRight: (namespace = "", refused) => {
        if (refused === undefined) {
          access.listGiven(namespace);
          // Single ones are followed with all the others by now.
          this.#reviews.soon(namespace);
        } else {
          access.listRefused(namespace, refused);
          this.#contents.forgetNamespace(namespace);
        }
        settings.onRight(namespace);
      },
    });
    this.#reviews = new Reviews(edge.times.unneededMs, (namespace) => this.#review(namespace));
  }

  /** Begins to follow a namespace before anything is read there. */
  prepare(namespace: string): void {
    this.#cache.follow(namespace);
  }

  /** How many are known by their metadata. */
  get size(): number {
    return this.#cache.size + this.#named.size;
  }

  async metadata(namespace: string, name: string): Promise<RawObject | undefined> {
    const access = await this.#access(namespace);
    switch (access.kind) {
      case "open":
        return this.#cache.get(namespace, name);
      case "single":
        return this.#named.metadata(namespace, name);
      case "closed":
        throw new ForbiddenError(access.said);
    }
  }

  async get(namespace: string, name: string): Promise<Secret | undefined> {
    const known = await this.metadata(namespace, name);
    return known === undefined ? undefined : this.#content(known);
  }

  /** Their content is not needed again before something changes. */
  release(namespace: string, names: readonly string[]): void {
    for (const name of names) this.#contents.release(`${namespace}/${name}`);
  }

  /** In order of their names. */
  async list(namespace: string, selector: Selector): Promise<readonly Secret[]> {
    await this.#follow(namespace);
    const found: Secret[] = [];
    for (const known of this.#cache.find("term", `${namespace} ${termOf(selector)}`)) {
      if (!matchesSelector(selector, known.metadata.labels ?? {})) continue;
      const secret = await this.#content(known);
      if (secret !== undefined) found.push(secret);
    }
    return found;
  }

  async shards(relay: { readonly namespace: string; readonly name: string }): Promise<ReadonlyMap<string, ShardFact>> {
    await this.#follow(relay.namespace);
    const shards = new Map<string, ShardFact>();
    const own = termOf({ matchLabels: { [relayLabel]: relay.name } });
    for (const known of this.#cache.find("term", `${relay.namespace} ${own}`)) {
      const shard = known.metadata.labels?.[shardLabel];
      const fact = shard === undefined ? undefined : await this.#shard(known);
      if (shard !== undefined && fact !== undefined) shards.set(shard, fact);
    }
    return shards;
  }

  /** SHA-256 of each of a Secret's texts, by data key; of one that is not there, none. */
  async documents(namespace: string, name: string): Promise<ReadonlyMap<string, string>> {
    const known = await this.metadata(namespace, name);
    if (known === undefined) return new Map();
    if (known.metadata.labels?.[shardLabel] !== undefined) return (await this.#shard(known))?.documents ?? new Map();
    const secret = await this.#content(known);
    return secret === undefined ? new Map() : readShard(secret).documents;
  }

  /**
   * A resource in the namespace came, was written by somebody, or went: what was refused is asked for again, and what it
   * needed before may not be needed any more.
   */
  touched(namespace: string): void {
    this.#cache.hurry(namespace);
    this.#reviews.soon(namespace);
  }

  #review(namespace: string): void {
    const { isNeeded } = this.#settings;
    if (isNeeded(namespace)) {
      // What was made for a resource is named in no spec.
      const isMade = (known: RawObject | undefined): boolean => {
        const { labels } = known?.metadata ?? {};
        return labels?.[relayLabel] !== undefined || labels?.[senderDomainLabel] !== undefined;
      };
      const isNamed = this.#settings.access.of(namespace).kind !== "open";
      const closed = this.#named.close(
        namespace,
        (name, known) => isNamed && (isNeeded(namespace, name) || isMade(known)),
      );
      for (const key of closed) this.#contents.forget(key);
      return;
    }
    this.#cache.unfollow(namespace);
    this.#named.close(namespace, () => false);
    this.#labelled.forget(namespace);
    this.#contents.forgetNamespace(namespace);
    this.#settings.access.forget(namespace);
    for (const key of this.#shards.keys()) if (key.startsWith(`${namespace}/`)) this.#shards.delete(key);
  }

  /** Runs a write of ours, to the end of written(): who wants the Secret meanwhile waits for its answer instead of asking. */
  async writing<T>({ namespace, name }: Pick<Reference, "namespace" | "name">, write: () => Promise<T>): Promise<T> {
    const key = `${namespace}/${name}`;
    const underWay = write();
    this.#writing.set(key, underWay);
    try {
      return await underWay;
    } finally {
      if (this.#writing.get(key) === underWay) this.#writing.delete(key);
    }
  }

  /** The answer to a write of these data keys, whole. */
  written(raw: RawObject, dataKeys: readonly string[] = []): void {
    const before = this.#shards.get(keyOf(raw))?.fact;
    this.#contents.forget(keyOf(raw));
    this.#shards.delete(keyOf(raw));
    this.#seen(raw);
    this.#keep(raw, before, new Set(dataKeys));
  }

  #listed(raw: RawObject): void {
    this.#seen(raw);
    if (this.#isCurrent(raw)) this.#keep(raw);
  }

  /** It may have gone, or been written again, while it was read: nobody would ever forget what was kept then. */
  #isCurrent({ metadata: { namespace = "", name, resourceVersion } }: RawObject): boolean {
    const known = [this.#cache.get(namespace, name), this.#named.get(namespace, name)];
    return known.some((one) => one?.metadata.resourceVersion === resourceVersion);
  }

  /** A shard is as large as hundreds of domains, and read whole only where keys are in trouble: its digests are enough. */
  #keep(raw: RawObject, before = this.#shards.get(keyOf(raw))?.fact, ours: ReadonlySet<string> = new Set()): void {
    const { labels, resourceVersion: version = "" } = raw.metadata;
    if (labels?.[shardLabel] === undefined) {
      this.#contents.keep(raw);
      return;
    }
    const fact = readShard(secretView(raw));
    this.#shards.set(keyOf(raw), { version, fact });
    // Watches tell metadata alone: only here it is seen that somebody else changed a document that pods have loaded.
    const known = before === undefined ? [] : [...before.documents];
    // One that we took away may belong to a domain that came back meanwhile and found it in its place.
    const isSpoilt = (name: string, digest: string): boolean =>
      ours.has(name) ? !fact.documents.has(name) : fact.documents.get(name) !== digest;
    const spoilt = known.filter(([name, digest]) => isSpoilt(name, digest));
    const names = spoilt.map(([name]) => name);
    if (names.length > 0) this.#settings.onSpoilt(metadataView(raw), names);
  }

  /**
   * With the first Secret of a relay that is not known, all of its namespace are read. Resolves to what is known of it
   * then. Where that fails, the read of the one Secret says why.
   */
  async #readTogether(seen: RawObject): Promise<RawObject> {
    const known = await this.#afterWriting(seen);
    const { namespace = "", name, labels } = known.metadata;
    // Where single ones may be read, lists may not.
    if (labels?.[relayLabel] === undefined || this.#cache.get(namespace, name) === undefined) return known;
    await this.#labelled.read(namespace).catch(() => undefined);
    return this.#cache.get(namespace, name) ?? known;
  }

  /** The watch may tell of a write of ours before its answer is here, which says all that a read would. */
  async #afterWriting(seen: RawObject): Promise<RawObject> {
    const underWay = this.#writing.get(keyOf(seen));
    if (underWay === undefined) return seen;
    await underWay.catch(() => undefined);
    const { namespace = "", name } = seen.metadata;
    return this.#cache.get(namespace, name) ?? this.#named.get(namespace, name) ?? seen;
  }

  /** A server that is away for a while does not hide what was read before; a right that was taken away does. */
  async #access(namespace: string): Promise<Access> {
    const { access } = this.#settings;
    const known = access.of(namespace);
    if (known.kind === "closed") return known;
    const reflector = this.#cache.follow(namespace);
    await reflector.firstOutcome;
    const { error, isSynced } = reflector;
    const now = access.of(namespace);
    if (now.kind === "open" && error !== undefined && !isSynced) throw error;
    return now;
  }

  /** All of a namespace, or none. */
  async #follow(namespace: string): Promise<void> {
    const access = await this.#access(namespace);
    if (access.kind !== "open") throw new ForbiddenError(access.said);
  }

  async #content(seen: RawObject): Promise<Secret | undefined> {
    const kept = this.#kept(seen);
    if (kept !== undefined) return kept;
    const known = await this.#readTogether(seen);
    const listed = this.#kept(known);
    if (listed !== undefined) return listed;
    const raw = await this.#fetch(known);
    if (raw === undefined) return undefined;
    if (raw.metadata.labels?.[shardLabel] === undefined && this.#isCurrent(raw)) this.#contents.keep(raw);
    return secretView(raw);
  }

  #kept(known: RawObject): Secret | undefined {
    const held = this.#contents.get(known);
    return held === undefined ? undefined : secretView({ ...held, apiVersion: "v1", kind: "Secret" });
  }

  async #shard(seen: RawObject): Promise<ShardFact | undefined> {
    const kept = this.#factOf(seen);
    if (kept !== undefined) return kept;
    const known = await this.#readTogether(seen);
    const listed = this.#factOf(known);
    if (listed !== undefined) return listed;
    const raw = await this.#fetch(known);
    if (raw === undefined) return undefined;
    if (!this.#isCurrent(raw)) return readShard(secretView(raw));
    this.#keep(raw);
    return this.#shards.get(keyOf(raw))?.fact;
  }

  #factOf(known: RawObject): ShardFact | undefined {
    const kept = this.#shards.get(keyOf(known));
    return kept === undefined || kept.version !== known.metadata.resourceVersion ? undefined : kept.fact;
  }

  /** Reconciles of one relay's domains ask for the same Secrets at the same time. */
  async #fetch(known: RawObject): Promise<RawObject | undefined> {
    const key = `${keyOf(known)} ${known.metadata.resourceVersion}`;
    const underWay = this.#fetching.get(key);
    if (underWay !== undefined) return underWay;
    const asked = this.#request(known).finally(() => this.#fetching.delete(key));
    this.#fetching.set(key, asked);
    return asked;
  }

  async #request({ metadata: { namespace, name } }: RawObject): Promise<RawObject | undefined> {
    try {
      const raw = await this.#settings.edge.client.get(secretResource, { namespace, name });
      // It may be newer than what the watch has told.
      if (raw !== undefined) this.#seen(raw);
      return raw;
    } catch (error) {
      throw isFailure(error, "Forbidden") ? new ForbiddenError(error.said) : error;
    }
  }

  #seen(raw: RawObject): void {
    this.#cache.offer(raw);
    this.#named.offer(raw);
  }
}
