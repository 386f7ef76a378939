/** The caches of everything the reconcilers read, and who hears when something of it changes. */
import { relayLabel } from "../../../api/labels.ts";
import type { Log } from "../../../runtime/log.ts";
import { Sharing } from "../cache/share.ts";
import type { Change, Index } from "../cache/store.ts";
import type { Client } from "../client/client.ts";
import { isFailure } from "../client/failure.ts";
import type { RawMetadata, RawObject } from "../client/resource.ts";
import { ForbiddenError, keyOf, type ListOptions, type Reference, type Sight, type Standing } from "../kube.ts";
import type { Kind, OptionalKind, ReferredKind, WrittenKind } from "../objects.ts";
import { type Labels, matchesSelector, namespaceNameLabel } from "../selector.ts";
import { NamespaceAccess } from "./secrets/access.ts";
import { ConfigMapReads } from "./secrets/configmaps.ts";
import { type ConditionCount, conditionCounts, conditionsOf, type PodCount, podCountsOf } from "./census.ts";
import { decoder } from "./decode.ts";
import { type ClusterChange, newsOf } from "./news.ts";
import { type CachedKind, cachedKinds, namespaceResource, resourceOf } from "./resources.ts";
import { type ReflectorEdge, ScopedCache } from "./scoped.ts";
import { SecretReads } from "./secrets/secrets.ts";
import { namespaceView, viewOf } from "./views.ts";

export type ChangeListener = (change: ClusterChange) => void;

export type Indexes = Readonly<Record<string, Index<RawObject>>>;

export interface ReadSettings {
  readonly edge: ReflectorEdge;
  /** None: all. */
  readonly namespaces: readonly string[];
  /** Where the operator has its own Secrets, which no resource names. */
  readonly operatorNamespace: string;
  readonly log: Log;
  /** Ways to find objects of a kind, beside those by namespace and by relay label. */
  readonly indexes: Readonly<Partial<Record<CachedKind, Indexes>>>;
  /** How much of a watched namespace is seen has changed. */
  readonly onSight: (namespace: string, sight: Sight) => void;
}

/** An answer whether the server has a kind is good for this long. */
const discoveryLifeMs = 30_000;
/** And this long is not asked again after none. */
const unansweredLifeMs = 5_000;

const usualIndexes: Indexes = {
  namespace: ({ metadata }) => [metadata.namespace ?? ""],
  relayLabel: ({ metadata }) => {
    const relay = metadata.labels?.[relayLabel];
    return relay === undefined ? [] : [`${metadata.namespace}/${relay}`];
  },
};

export class ClusterReads {
  readonly secrets: SecretReads;
  readonly configMaps: ConfigMapReads;
  readonly #access: NamespaceAccess;
  readonly #settings: ReadSettings;
  readonly #client: Client;
  readonly #caches = new Map<CachedKind, ScopedCache<RawObject>>();
  readonly #namespaces: ScopedCache<RawObject>;
  readonly #served = new Map<OptionalKind, { readonly is: boolean | undefined; readonly goodUntil: number }>();
  /** What was last told of watched namespaces that are not seen whole. */
  readonly #sights = new Map<string, string>();
  readonly #listeners: ChangeListener[] = [];

  constructor(settings: ReadSettings) {
    this.#settings = settings;
    const { edge } = settings;
    const decode = decoder(settings.log);
    this.#client = edge.client;
    // One for all kinds: owners and labels are alike in all of them, and what it remembers by itself costs a MiB.
    const sharing = new Sharing();
    for (const kind of kindsOf(cachedKinds)) {
      const { resource, labelSelector } = cachedKinds[kind];
      const cache = new ScopedCache<RawObject>({
        edge,
        resource,
        labelSelector,
        indexes: { ...usualIndexes, ...settings.indexes[kind] },
        counted: conditionsOf,
        view: viewOf(kind, decode, sharing),
        onChange: (change) => this.#changed(kind, change),
        onRight: (namespace) => this.#rightChanged(kind, namespace),
      });
      this.#caches.set(kind, cache);
    }
    this.#namespaces = new ScopedCache<RawObject>({
      edge,
      resource: namespaceResource,
      metadataOnly: true,
      view: namespaceView,
      onChange: ({ key }) => this.#tell({ what: "namespace", namespace: key }),
      onRight: () => this.#tell({ what: "right", kind: "Namespace", namespace: undefined }),
    });
    const onRight = (namespace: string): void => this.#tell({ what: "right", kind: "Secret", namespace });
    this.#access = new NamespaceAccess({ now: edge.now, onReopened: onRight });
    this.secrets = new SecretReads({
      edge,
      access: this.#access,
      sharing,
      onChange: (change) => this.#changed("Secret", change),
      onSpoilt: (shard, dataKeys) => this.#tell({ what: "spoilt", shard, dataKeys }),
      onRight,
      isNeeded: (namespace, name) =>
        namespace === settings.operatorNamespace ||
        (name === undefined ? this.#isInhabited(namespace) : this.#isNeeded({ kind: "Secret", namespace, name })),
    });
    this.configMaps = new ConfigMapReads({
      edge,
      access: this.#access,
      onChange: (change) => this.#changed("ConfigMap", change),
      isNeeded: (namespace, name) => this.#isNeeded({ kind: "ConfigMap", namespace, name }),
    });
  }

  /** Starts the caches; resolves when they hold what the server has. Kinds whose definition is missing come later. */
  async open(): Promise<void> {
    const own = this.#own().map(([, cache]) => cache);
    for (const cache of own) this.#follow(cache);
    // Without the right to see namespaces their labels are unknown, and conditions say so. Any other failure is waited out.
    const namespaces = this.#namespaces.follow(undefined);
    // One of several namespaces that may not be read keeps nobody from serving the others. Where the right is to all of them,
    // nothing could be served without it, and a rollout must not replace an operator that has it.
    const isScoped = this.#settings.namespaces.length > 0;
    await Promise.all([...own.map((cache) => (isScoped ? cache.decided() : cache.synced())), namespaces.decided]);
  }

  /** How many objects are cached, by kind. */
  sizes(): Readonly<Record<string, number>> {
    const sizes = [...this.#caches].map(([kind, cache]) => [kind, cache.size] as const);
    return Object.fromEntries([
      ...sizes,
      ["Secret", this.secrets.size] as const,
      ["ConfigMap", this.configMaps.size] as const,
    ]);
  }

  /** How many resources of ours have each condition. */
  conditions(): readonly ConditionCount[] {
    return (["MailRelay", "SenderDomain"] as const).flatMap((kind) =>
      conditionCounts(kind, this.#cache(kind).counts()),
    );
  }

  podCounts(): readonly PodCount[] {
    return [...this.#cache("MailRelay").values()].flatMap(podCountsOf);
  }

  get(kind: CachedKind, namespace: string, name: string): RawObject | undefined {
    return this.#cache(kind).get(namespace, name);
  }

  find(kind: CachedKind, index: string, value: string): readonly RawObject[] {
    return this.#cache(kind).find(index, value);
  }

  list(kind: CachedKind, options: ListOptions): readonly RawObject[] {
    const { namespace, labels, selector = {} } = options;
    return this.#candidates(kind, options).filter(
      ({ metadata }) =>
        (namespace === undefined || metadata.namespace === namespace) &&
        matchesSelector({ matchLabels: labels }, metadata.labels ?? {}) &&
        matchesSelector(selector, metadata.labels ?? {}),
    );
  }

  /** Undefined while namespaces may not be seen: what was known of them may have changed since. */
  namespaceLabels(namespace: string): Labels | undefined {
    if (this.#namespaces.follow(undefined).error?.kind === "Forbidden") return undefined;
    const known = this.#namespaces.get(undefined, namespace);
    return known?.metadata.labels ?? { [namespaceNameLabel]: namespace };
  }

  /** How much of the namespace the caches hold. */
  sight(namespace: string): Sight {
    const { namespaces } = this.#settings;
    if (this.#namespaces.stands(undefined) === "read" && this.#namespaces.get(undefined, namespace) === undefined) {
      return { kind: "gone" };
    }
    if (namespaces.length > 0 && !namespaces.includes(namespace)) return { kind: "outside" };
    const hidden = new Set<Kind>();
    for (const [kind, cache] of this.#own()) if (cache.stands(namespace) !== "read") hidden.add(kind);
    return hidden.size === 0 ? { kind: "whole" } : { kind: "part", hidden };
  }

  /** Watched namespaces that are not seen whole. */
  unseen(): readonly string[] {
    return this.#settings.namespaces.filter((namespace) => this.sight(namespace).kind !== "whole");
  }

  async serves(kind: OptionalKind, namespace: string): Promise<Standing> {
    const is = await this.#isKnown(kind);
    if (is !== true) return is === false ? "absent" : "unanswered";
    const cache = this.#cache(kind);
    this.#follow(cache);
    // A list that fails is tried again by itself: whoever waited for it would hold up a relay, its deletion included.
    const standing = await cache.standing(namespace);
    return standing === "read" ? "served" : standing === "unread" ? "unanswered" : "forbidden";
  }

  /** What is known of an object; of a Secret its metadata alone. */
  async known({ kind, namespace, name }: Reference): Promise<RawObject | undefined> {
    return kind === "Secret" ? this.secrets.metadata(namespace, name) : this.get(kind, namespace, name);
  }

  /**
   * The whole object, as a write compares it. What the caches do not know may be there all the same, without our labels:
   * then it is read from the server.
   */
  async whole({ kind, namespace, name }: Reference): Promise<RawObject | undefined> {
    if (kind === "Secret") {
      const secret = await this.secrets.get(namespace, name);
      return secret === undefined ? undefined : { ...secret, metadata: rawMetadata(secret.metadata) };
    }
    return this.get(kind, namespace, name) ?? this.#read({ kind, namespace, name });
  }

  /** The answer to a write; of a Secret, to one of these data keys. */
  offer(kind: WrittenKind, raw: RawObject, dataKeys: readonly string[] = []): void {
    if (kind === "Secret") this.secrets.written(raw, dataKeys);
    else this.#cache(kind).offer(raw);
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  async #read({ kind, namespace, name }: Reference): Promise<RawObject | undefined> {
    try {
      return await this.#client.get(resourceOf(kind), { namespace, name });
    } catch (error) {
      throw isFailure(error, "Forbidden") ? new ForbiddenError(error.said) : error;
    }
  }

  /** Whether the server has the kind; undefined while it has not answered. */
  async #isKnown(kind: OptionalKind): Promise<boolean | undefined> {
    const { now } = this.#settings.edge;
    const known = this.#served.get(kind);
    if (known !== undefined && now() < known.goodUntil) return known.is;
    try {
      const is = await this.#client.serves(resourceOf(kind));
      this.#served.set(kind, { is, goodUntil: now() + discoveryLifeMs });
      return is;
    } catch {
      // The client has counted it. What was known before is as good as ever.
      this.#served.set(kind, { is: known?.is, goodUntil: now() + unansweredLifeMs });
      return known?.is;
    }
  }

  /** Caches of what the operator cannot do without. */
  #own(): readonly (readonly [CachedKind, ScopedCache<RawObject>])[] {
    return [...this.#caches].filter(([kind]) => cachedKinds[kind].isOptional !== true);
  }

  #follow(cache: ScopedCache<RawObject>): void {
    const { namespaces } = this.#settings;
    if (namespaces.length === 0) cache.follow(undefined);
    for (const namespace of namespaces) cache.follow(namespace);
  }

  /** Whether a resource of ours refers to it by name. */
  #isNeeded(reference: Reference<ReferredKind>): boolean {
    return this.#isFound("reference", keyOf(reference));
  }

  /** Whether a resource of ours is there. */
  #isInhabited(namespace: string): boolean {
    return this.#isFound("namespace", namespace);
  }

  #isFound(index: string, value: string): boolean {
    return this.#cache("MailRelay").holds(index, value) || this.#cache("SenderDomain").holds(index, value);
  }

  #cache(kind: CachedKind): ScopedCache<RawObject> {
    const cache = this.#caches.get(kind);
    if (cache === undefined) throw new Error(`${kind} is not cached`);
    return cache;
  }

  #candidates(kind: CachedKind, { namespace, labels, relay, domain }: ListOptions): readonly RawObject[] {
    const cache = this.#cache(kind);
    const label = labels?.[relayLabel];
    if (relay !== undefined) {
      return domain === undefined ? cache.find("relay", relay) : cache.find("relayDomain", `${relay} ${domain}`);
    }
    if (namespace !== undefined && label !== undefined) return cache.find("relayLabel", `${namespace}/${label}`);
    return namespace === undefined ? cache.values() : cache.find("namespace", namespace);
  }

  #changed(kind: Kind, change: Change<RawObject>): void {
    const news = newsOf(kind, change);
    if (news === undefined) return;
    const { namespace = "", name = "" } = (change.after ?? change.before)?.metadata ?? {};
    if (news === "written" && (kind === "MailRelay" || kind === "SenderDomain")) this.#touched(namespace);
    this.#tell({ what: "object", kind, namespace, name, ...change, news });
  }

  /** Somebody is at work there: rights may have been given, and references may have gone. */
  #touched(namespace: string): void {
    this.#access.touched(namespace);
    this.secrets.touched(namespace);
    this.configMaps.touched(namespace);
  }

  /** A write of a Secret was refused for want of a right: reads say so as well from now on. */
  denied(namespace: string, said: string): void {
    this.#access.writeRefused(namespace, said);
  }

  #rightChanged(kind: CachedKind, namespace: string | undefined): void {
    if (cachedKinds[kind].isOptional !== true) this.#sightChanged(namespace);
    else this.#tell({ what: "right", kind, namespace });
  }

  /** Told once for each namespace, not for each of its kinds; that domains are hidden concerns others than that pods are. */
  #sightChanged(namespace: string | undefined): void {
    if (namespace === undefined) return;
    const sight = this.sight(namespace);
    const said = sight.kind === "part" ? `part ${sight.hidden.has("SenderDomain")}` : sight.kind;
    if (said === (this.#sights.get(namespace) ?? "whole")) return;
    this.#sights.set(namespace, said);
    this.#settings.onSight(namespace, sight);
    this.#tell({ what: "sight", namespace });
  }

  #tell(change: ClusterChange): void {
    for (const listener of this.#listeners) listener(change);
  }
}

function kindsOf<K extends string>(table: Readonly<Record<K, unknown>>): readonly K[] {
  return Object.keys(table) as K[];
}

/** The types of the reconcilers do not know of resourceVersion; the object has it. */
function rawMetadata(metadata: object): RawMetadata {
  return metadata as RawMetadata;
}
