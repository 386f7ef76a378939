/**
 * Objects that are followed one by one, by their metadata: ConfigMaps always, as a node follows those of its pods, and Secrets
 * of namespaces where only single ones may be read: a Role with resourceNames, which Kubernetes honours for get, and for list
 * and watch of that one name. Each is followed for as long as somebody needs it. That one may be read is found out by asking,
 * when a reconcile asks: what is forbidden costs a request now and then (access.ts).
 */
import type { Change } from "../../cache/store.ts";
import { isFailure, type RequestError } from "../../client/failure.ts";
import type { RawObject, Resource } from "../../client/resource.ts";
import { ForbiddenError } from "../../kube.ts";
import type { NamespaceAccess } from "./access.ts";
import { type ReflectorEdge, ScopedCache } from "../scoped.ts";
import { metadataView } from "../views.ts";

export interface NamedSettings {
  readonly edge: ReflectorEdge;
  readonly resource: Resource;
  readonly access: NamespaceAccess;
  /** The right to one of them goes as a deletion would. */
  readonly onChange: (change: Change<RawObject>) => void;
}

interface Place {
  readonly namespace: string;
  readonly name: string;
}

export class NamedObjects {
  readonly #settings: NamedSettings;
  readonly #caches = new Map<string, ScopedCache<RawObject>>();

  constructor(settings: NamedSettings) {
    this.#settings = settings;
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
    if (error?.kind === "Forbidden") throw this.#refused({ namespace, name }, error);
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
    const { edge, resource, access, onChange } = this.#settings;
    const refused = access.refusalOf({ kind: resource.kind, namespace, name });
    if (refused !== undefined) throw new ForbiddenError(refused);
    await this.#probe({ namespace, name });
    const cache =
      this.#caches.get(key) ??
      new ScopedCache<RawObject>({
        edge,
        resource,
        metadataOnly: true,
        fieldSelector: `metadata.name=${name}`,
        view: metadataView,
        onChange,
        onRight: (_namespace, said) => {
          if (said !== undefined) this.#lose(namespace, name);
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

  async #probe(place: Place): Promise<void> {
    const { edge, resource, access } = this.#settings;
    try {
      await edge.client.get(resource, place, true);
      access.singleGiven({ kind: resource.kind, ...place });
    } catch (error) {
      if (!isFailure(error, "Forbidden")) throw error;
      throw this.#refused(place, error);
    }
  }

  #refused(place: Place, { said }: RequestError): ForbiddenError {
    const { resource, access } = this.#settings;
    access.singleRefused({ kind: resource.kind, ...place }, said);
    return new ForbiddenError(said);
  }
}
