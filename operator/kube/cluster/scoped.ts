/**
 * A cache of one resource over what the operator may see: one reflector over all namespaces, or one for each namespace.
 * Namespaces can be added while it runs.
 */
import type { Chance } from "../../../runtime/clock.ts";
import { Reflector, type ReflectorEvent, type ReflectorTimes } from "../cache/reflector.ts";
import { type Change, type Index, Store, storeKey } from "../cache/store.ts";
import type { Client } from "../client/client.ts";
import type { RawObject, Resource } from "../client/resource.ts";

/** What every reflector of a process shares. */
export interface ReflectorEdge {
  readonly client: Client;
  readonly times: ReflectorTimes;
  readonly chance: Chance;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly stopping: AbortSignal;
  readonly observe: (resource: string, event: ReflectorEvent) => void;
  readonly onError: (error: unknown) => void;
}

export interface ScopedSettings<T extends RawObject> {
  readonly edge: ReflectorEdge;
  readonly resource: Resource;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly metadataOnly?: boolean;
  readonly view: (raw: RawObject, known: T | undefined) => T | undefined;
  readonly indexes?: Readonly<Record<string, Index<T>>>;
  readonly counted?: Index<T> | undefined;
  readonly onChange: (change: Change<T>) => void;
  readonly longestRefusalMs?: () => number;
  /**
   * The right to read a scope has gone, with what the server said, or has come back (`refused` is undefined). Without a
   * namespace the scope is all of them.
   */
  readonly onRight?: (namespace: string | undefined, refused: string | undefined) => void;
}

/** `unread`: the first list has not come, or is not asked for. */
export type ScopeStanding = "read" | "forbidden" | "unread";

interface Scope<T extends RawObject> {
  readonly store: Store<T>;
  readonly reflector: Reflector<T>;
  /** Whether the server lets us read, as far as it has said. */
  readonly isGiven: () => boolean;
  readonly ended: AbortController;
}

const everywhere = "";

export class ScopedCache<T extends RawObject> {
  readonly #settings: ScopedSettings<T>;
  readonly #scopes = new Map<string, Scope<T>>();

  constructor(settings: ScopedSettings<T>) {
    this.#settings = settings;
  }

  /** Starts to follow a namespace, or all of them; nothing happens when that is so already. */
  follow(namespace: string | undefined): Reflector<T> {
    const key = namespace ?? everywhere;
    const present = this.#scopes.get(key);
    if (present !== undefined) return present.reflector;
    const scope = this.#open(namespace);
    this.#scopes.set(key, scope);
    scope.reflector.run().catch(this.#settings.edge.onError);
    return scope.reflector;
  }

  /** The end of follow(): what is known of the namespace is forgotten, without a word. */
  unfollow(namespace: string): void {
    this.#scopes.get(namespace)?.ended.abort();
    this.#scopes.delete(namespace);
  }

  /** Asks again now for what was refused, where it was. */
  hurry(namespace: string): void {
    const reflector = this.#scopes.get(namespace)?.reflector;
    if (reflector?.error?.kind === "Forbidden") reflector.hurry();
  }

  /** Whether the index finds anything under the value. */
  holds(index: string, value: string): boolean {
    for (const { store } of this.#scopes.values()) if (store.holds(index, value)) return true;
    return false;
  }

  /** Resolves when all that is followed has been read once. */
  async synced(): Promise<void> {
    await Promise.all([...this.#scopes.values()].map(({ reflector }) => reflector.synced));
  }

  /** Resolves when all that is followed has been read once, or the server has said that there is no right to it. */
  async decided(): Promise<void> {
    await Promise.all([...this.#scopes.values()].map(({ reflector }) => reflector.decided));
  }

  /** How it stands with what is followed of a namespace. */
  stands(namespace: string | undefined): ScopeStanding {
    const scope = this.#scopeOf(namespace ?? everywhere);
    if (scope === undefined) return "unread";
    if (!scope.isGiven()) return "forbidden";
    return scope.reflector.isSynced ? "read" : "unread";
  }

  /** The same, once the server has answered. */
  async standing(namespace: string): Promise<ScopeStanding> {
    await this.#scopeOf(namespace)?.reflector.firstOutcome;
    return this.stands(namespace);
  }

  get(namespace: string | undefined, name: string): T | undefined {
    const key = namespace === undefined ? name : `${namespace}/${name}`;
    return this.#scopeOf(namespace ?? everywhere)?.store.get(key);
  }

  find(index: string, value: string): readonly T[] {
    const found: T[] = [];
    for (const { store } of this.#scopes.values()) found.push(...store.find(index, value));
    return found;
  }

  values(): readonly T[] {
    const all: T[] = [];
    for (const { store } of this.#scopes.values()) all.push(...store.values());
    return all;
  }

  get size(): number {
    let size = 0;
    for (const { store } of this.#scopes.values()) size += store.size;
    return size;
  }

  /** How many objects have each of the values that are counted. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { store } of this.#scopes.values()) {
      for (const [value, count] of store.counts) counts.set(value, (counts.get(value) ?? 0) + count);
    }
    return counts;
  }

  /** The answer to a write of ours. */
  offer(raw: RawObject): void {
    const { store, reflector } = this.#scopeOf(raw.metadata.namespace ?? everywhere) ?? {};
    // Where a scope may not be read, nobody would ever tell that it went.
    if (reflector?.error?.kind === "Forbidden") return;
    const kept = this.#settings.view(raw, store?.get(storeKey(raw.metadata)));
    if (kept !== undefined) store?.offer(kept);
  }

  #scopeOf(namespace: string): Scope<T> | undefined {
    return this.#scopes.get(everywhere) ?? this.#scopes.get(namespace);
  }

  #open(namespace: string | undefined): Scope<T> {
    const { edge, resource, labelSelector, fieldSelector, metadataOnly, view, indexes, counted } = this.#settings;
    const { onChange, onRight, longestRefusalMs } = this.#settings;
    const ended = new AbortController();
    const isOver = (): boolean => ended.signal.aborted;
    const store = new Store<T>({
      ...(indexes === undefined ? {} : { indexes }),
      counted,
      // A page that was on its way then comes all the same.
      onChange: (change) => {
        if (!isOver()) onChange(change);
      },
    });
    let isGiven = true;
    const reflector = new Reflector<T>({
      client: edge.client,
      resource,
      query: { namespace, labelSelector, fieldSelector, metadataOnly },
      store,
      view,
      times: edge.times,
      chance: edge.chance,
      now: edge.now,
      stopping: AbortSignal.any([edge.stopping, ended.signal]),
      longestRefusalMs,
      observe: (event) => {
        if (isOver()) return;
        const given = rightIn(event);
        const isNews = given !== undefined && given !== isGiven;
        isGiven = given ?? isGiven;
        edge.observe(resource.plural, event);
        if (isNews) onRight?.(namespace, event.kind === "failed" ? event.error.said : undefined);
      },
    });
    return { store, reflector, ended, isGiven: () => isGiven };
  }
}

/** Whether the server lets us read; undefined: that says nothing about it. A right that comes back is often no reason to list. */
function rightIn(event: ReflectorEvent): boolean | undefined {
  if (event.kind === "watching") return true;
  return event.kind === "failed" && event.error.kind === "Forbidden" ? false : undefined;
}
