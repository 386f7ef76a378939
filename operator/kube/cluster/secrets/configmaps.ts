/**
 * ConfigMaps that specs refer to. Each is followed by itself, by its metadata, and its content is fetched when a reconcile
 * reads it: a namespace may have many that are none of our business, and bundles of authorities are large. Rights are asked for
 * name by name and given by the same binding as those to Secrets (access.ts).
 */
import type { Change } from "../../cache/store.ts";
import { isFailure } from "../../client/failure.ts";
import type { RawObject } from "../../client/resource.ts";
import { ForbiddenError } from "../../kube.ts";
import type { ConfigMap } from "../../objects.ts";
import type { NamespaceAccess } from "./access.ts";
import { type ContentLimits, Contents } from "./contents.ts";
import { NamedObjects } from "./named.ts";
import { configMapResource } from "../resources.ts";
import { Reviews } from "./reviews.ts";
import type { ReflectorEdge } from "../scoped.ts";
import { configMapView, keptConfigMap } from "../views.ts";

export interface ConfigMapSettings {
  readonly edge: ReflectorEdge;
  readonly access: NamespaceAccess;
  readonly onChange: (change: Change<RawObject>) => void;
  /** Whether a resource of ours refers to it. */
  readonly isNeeded: (namespace: string, name: string) => boolean;
}

/** A bundle of all public authorities is 220 KiB: of those there is room for some twenty that differ, in any number of namespaces. */
const memory: ContentLimits = { usedBytes: 3 * 1024 * 1024, releasedBytes: 0 };

export class ConfigMapReads {
  readonly #settings: ConfigMapSettings;
  readonly #named: NamedObjects;
  readonly #contents = new Contents(memory);
  readonly #reviews: Reviews;

  constructor(settings: ConfigMapSettings) {
    this.#settings = settings;
    const { edge, access } = settings;
    this.#named = new NamedObjects({
      edge,
      resource: configMapResource,
      access,
      onChange: (change) => {
        this.#contents.forget(change.key);
        settings.onChange(change);
      },
    });
    this.#reviews = new Reviews(edge.times.unneededMs, (namespace) => this.#review(namespace));
  }

  /** How many are known by their metadata. */
  get size(): number {
    return this.#named.size;
  }

  /** Throws ForbiddenError. */
  async get(namespace: string, name: string): Promise<ConfigMap | undefined> {
    const known = await this.#named.metadata(namespace, name);
    if (known === undefined) return undefined;
    const kept = this.#contents.get(known);
    return kept === undefined ? this.#fetch(namespace, name) : keptConfigMap(kept);
  }

  /** A resource in the namespace came, was written by somebody, or went: what it needed before may not be needed any more. */
  touched(namespace: string): void {
    this.#reviews.soon(namespace);
  }

  async #fetch(namespace: string, name: string): Promise<ConfigMap | undefined> {
    try {
      const raw = await this.#settings.edge.client.get(configMapResource, { namespace, name });
      if (raw === undefined) return undefined;
      const map = configMapView(raw);
      // It may be newer than what the watch has told.
      this.#named.offer(raw);
      if (this.#named.get(namespace, name)?.metadata.resourceVersion === raw.metadata.resourceVersion) {
        this.#contents.keep({ ...raw, data: map.data });
      }
      return map;
    } catch (error) {
      throw isFailure(error, "Forbidden") ? new ForbiddenError(error.said) : error;
    }
  }

  #review(namespace: string): void {
    const { isNeeded } = this.#settings;
    for (const key of this.#named.close(namespace, (name) => isNeeded(namespace, name))) this.#contents.forget(key);
  }
}
