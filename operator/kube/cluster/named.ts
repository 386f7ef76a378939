/**
 * Secrets of namespaces where only single ones may be read: a Role with resourceNames, which Kubernetes honours for get, and for
 * list and watch of that one name. Each that may be read is followed by itself. That one may be read is found out by asking,
 * when a reconcile asks: what is forbidden costs one request a look, and nothing in between.
 */
import type { Change } from "../cache/store.ts";
import { isFailure } from "../client/failure.ts";
import type { RawObject } from "../client/resource.ts";
import { ForbiddenError } from "../kube.ts";
import { secretResource } from "./resources.ts";
import { type ReflectorEdge, ScopedCache } from "./scoped.ts";
import { secretMetadataView } from "./views.ts";

export interface NamedSettings {
  readonly edge: ReflectorEdge;
  readonly onChange: (change: Change<RawObject>) => void;
  /** The right to one of them has gone. */
  readonly onRefused: (key: string) => void;
}

export class NamedSecrets {
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
    if (error?.kind === "Forbidden") throw new ForbiddenError(error.said);
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

  async #open(namespace: string, name: string): Promise<ScopedCache<RawObject>> {
    await this.#probe(namespace, name);
    const key = `${namespace}/${name}`;
    const { edge, onChange, onRefused } = this.#settings;
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
          if (!isGiven) onRefused(key);
        },
      });
    this.#caches.set(key, cache);
    return cache;
  }

  async #probe(namespace: string, name: string): Promise<void> {
    try {
      await this.#settings.edge.client.get(secretResource, { namespace, name }, true);
    } catch (error) {
      throw isFailure(error, "Forbidden") ? new ForbiddenError(error.said) : error;
    }
  }
}
