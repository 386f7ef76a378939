/**
 * Secrets of namespaces where only single ones may be read: a Role with resourceNames, which Kubernetes honours for get, and for
 * list and watch of that one name. Each that may be read is followed by itself, for as long as somebody needs it. That one may
 * be read is found out by asking, when a reconcile asks: what is forbidden costs a request now and then (refusals.ts).
 */
import type { Change } from "../cache/store.ts";
import { isFailure, type RequestError } from "../client/failure.ts";
import type { RawObject } from "../client/resource.ts";
import { ForbiddenError } from "../kube.ts";
import { Refusals } from "./refusals.ts";
import { secretResource } from "./resources.ts";
import { type ReflectorEdge, ScopedCache } from "./scoped.ts";
import { secretMetadataView } from "./views.ts";

export interface NamedSettings {
  readonly edge: ReflectorEdge;
  /** The right to one of them goes as a deletion would. */
  readonly onChange: (change: Change<RawObject>) => void;
}

export class NamedSecrets {
  readonly #settings: NamedSettings;
  readonly #caches = new Map<string, ScopedCache<RawObject>>();
  readonly #refusals: Refusals;

  constructor(settings: NamedSettings) {
    this.#settings = settings;
    this.#refusals = new Refusals(settings.edge.now);
  }

  get size(): number {
    return this.#caches.size;
  }

  /** Its metadata; undefined when it does not exist. Throws ForbiddenError. */
  async metadata(namespace: string, name: string): Promise<RawObject | undefined> {
    const key = `${namespace}/${name}`;
    const cache = this.#caches.get(key) ?? (await this.#open(namespace, name));
    const reflector = cache.follow(namespace);
    await reflector.firstOutcome;
    const { error, isSynced } = reflector;
    if (error?.kind === "Forbidden") throw this.#refused(key, error);
    // Not read yet is not the same as not there.
    if (error !== undefined && !isSynced) throw error;
    return cache.get(namespace, name);
  }

  /** What is known of it by now. */
  get(namespace: string, name: string): RawObject | undefined {
    return this.#caches.get(`${namespace}/${name}`)?.get(namespace, name);
  }

  /** Content that was fetched, which may be newer than what the watch has told. */
  offer(raw: RawObject): void {
    this.#caches.get(`${raw.metadata.namespace}/${raw.metadata.name}`)?.offer(raw);
  }

  /** Somebody is at work in the namespace: what was refused there is asked for when it is needed next. */
  touched(namespace: string): void {
    this.#refusals.forgetAll(`${namespace}/`);
  }

  /** Stops to follow those of the namespace that nobody needs, and tells which. */
  close(namespace: string, isNeeded: (name: string, known: RawObject | undefined) => boolean): readonly string[] {
    const closed: string[] = [];
    for (const [key, cache] of this.#caches) {
      if (!key.startsWith(`${namespace}/`)) continue;
      const name = key.slice(namespace.length + 1);
      if (isNeeded(name, cache.get(namespace, name))) continue;
      cache.unfollow(namespace);
      this.#caches.delete(key);
      closed.push(key);
    }
    return closed;
  }

  async #open(namespace: string, name: string): Promise<ScopedCache<RawObject>> {
    const key = `${namespace}/${name}`;
    const refused = this.#refusals.get(key);
    if (refused !== undefined) throw new ForbiddenError(refused);
    await this.#probe(namespace, name);
    const { edge, onChange } = this.#settings;
    const cache =
      this.#caches.get(key) ??
      new ScopedCache<RawObject>({
        edge,
        resource: secretResource,
        metadataOnly: true,
        fieldSelector: `metadata.name=${name}`,
        view: secretMetadataView,
        onChange,
        onRight: (_namespace, isGiven) => {
          if (!isGiven) this.#lose(namespace, name);
        },
      });
    this.#caches.set(key, cache);
    return cache;
  }

  /** Who needs it is told, asks, and hears that it is forbidden. */
  #lose(namespace: string, name: string): void {
    const key = `${namespace}/${name}`;
    const before = this.get(namespace, name);
    this.close(namespace, (other) => other !== name);
    if (before !== undefined) this.#settings.onChange({ key, before, after: undefined });
  }

  async #probe(namespace: string, name: string): Promise<void> {
    const key = `${namespace}/${name}`;
    try {
      await this.#settings.edge.client.get(secretResource, { namespace, name }, true);
      this.#refusals.forget(key);
    } catch (error) {
      if (!isFailure(error, "Forbidden")) throw error;
      throw this.#refused(key, error);
    }
  }

  #refused(key: string, { said }: RequestError): ForbiddenError {
    this.#refusals.add(key, said);
    return new ForbiddenError(said);
  }
}
