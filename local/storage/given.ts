/** Objects that people gave, as an API server would see them. Pure. */
import { nameOf, type ListOptions } from "../../operator/kube/kube.ts";
import type { KindMap } from "../../operator/kube/objects.ts";
import { relayOf } from "../../operator/senderdomain/references.ts";
import type { GivenObject } from "../manifests/manifests.ts";

export function brings(domain: KindMap["SenderDomain"], options: ListOptions): boolean {
  if (options.relay !== undefined && nameOf(relayOf(domain)) !== options.relay) return false;
  return options.domain === undefined || domain.spec.domain === options.domain;
}

/** What a generation counts: everything a person wrote but the labels and annotations. */
export function contentOf(object: GivenObject): unknown {
  if (object.kind === "Secret") return [object.type, object.data];
  return object.kind === "ConfigMap" ? object.data : object.spec;
}

export function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

type Status = KindMap["MailRelay"]["status"] | KindMap["SenderDomain"]["status"];

/** The part of a status that others wait for; queue figures come and go. */
export function settledPart(status: Status): unknown {
  if (status === undefined) return undefined;
  return [status.conditions, "pods" in status ? [status.pods, status.revision] : undefined];
}
