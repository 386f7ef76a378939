/** Where each kind is kept, and how much of it is cached. Pure. */
import { apiVersion, mailRelayPlural, senderDomainPlural } from "../../../api/group.ts";
import { relayLabel } from "../../../api/labels.ts";
import type { Resource } from "../client/resource.ts";
import type { Kind, ReferredKind } from "../objects.ts";

export interface KindFacts {
  readonly resource: Resource;
  /** Only objects with these labels are cached: those of relays. */
  readonly labelSelector?: string;
  /** The CustomResourceDefinition is somebody else's: the cache is filled once the server has it. */
  readonly isOptional?: true;
}

export type CachedKind = Exclude<Kind, ReferredKind>;

export const secretResource: Resource = resource("v1", "Secret", "secrets");
export const configMapResource: Resource = resource("v1", "ConfigMap", "configmaps");
export const namespaceResource: Resource = { ...resource("v1", "Namespace", "namespaces"), namespaced: false };

export const cachedKinds: Readonly<Record<CachedKind, KindFacts>> = {
  MailRelay: { resource: resource(apiVersion, "MailRelay", mailRelayPlural) },
  SenderDomain: { resource: resource(apiVersion, "SenderDomain", senderDomainPlural) },
  StatefulSet: ofRelays(resource("apps/v1", "StatefulSet", "statefulsets")),
  Pod: ofRelays(resource("v1", "Pod", "pods")),
  PersistentVolumeClaim: ofRelays(resource("v1", "PersistentVolumeClaim", "persistentvolumeclaims")),
  Service: ofRelays(resource("v1", "Service", "services")),
  ServiceAccount: ofRelays(resource("v1", "ServiceAccount", "serviceaccounts")),
  PodDisruptionBudget: ofRelays(resource("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")),
  NetworkPolicy: ofRelays(resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")),
  PodMonitor: { ...ofRelays(resource("monitoring.coreos.com/v1", "PodMonitor", "podmonitors")), isOptional: true },
  Certificate: { ...ofRelays(resource("cert-manager.io/v1", "Certificate", "certificates")), isOptional: true },
};

export function resourceOf(kind: Kind): Resource {
  if (kind === "Secret") return secretResource;
  return kind === "ConfigMap" ? configMapResource : cachedKinds[kind].resource;
}

function resource(version: string, kind: string, plural: string): Resource {
  return { apiVersion: version, kind, plural, namespaced: true };
}

function ofRelays(facts: Resource): KindFacts {
  return { resource: facts, labelSelector: relayLabel };
}
