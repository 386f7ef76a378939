/** Objects that people gave, as an API server would see them. Pure. */
import { nameOf, type ListOptions } from "../../operator/kube/kube.ts";
import type { KindMap } from "../../operator/kube/objects.ts";
import type { GivenObject } from "../manifests.ts";

export function brings({ metadata, spec }: KindMap["SenderDomain"], options: ListOptions): boolean {
  const { namespace = metadata.namespace, name } = spec.relayRef;
  if (options.relay !== undefined && nameOf({ namespace, name }) !== options.relay) return false;
  return options.domain === undefined || spec.domain === options.domain;
}

/** What a generation counts: everything a person wrote but the labels and annotations. */
export function contentOf(object: GivenObject): unknown {
  return object.kind === "Secret" ? [object.type, object.data] : object.spec;
}

export function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}
