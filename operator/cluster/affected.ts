/**
 * Which MailRelays and SenderDomains have to be looked at after a change: those it was made for, those that refer to it,
 * and those that compete with it. Found by index, so that one changed domain never costs a walk over all. Pure.
 */
import { relayLabel } from "../../api/labels.ts";
import type { ObjectChange } from "../kube/cluster/reads.ts";
import { ownerOf } from "../kube/cluster/owner.ts";
import { asKind } from "../kube/cluster/views.ts";
import type { RawObject } from "../kube/client/resource.ts";
import { keyOf } from "../kube/kube.ts";
import { authoritySecretName } from "../mailrelay/objects/names.ts";
import { byNamespace, byRelay, byRelayDomain, bySecret, bySelection, relayAndDomain, relayOf } from "./indexes.ts";

type OurKind = "MailRelay" | "SenderDomain";

export interface Lookup {
  find(kind: OurKind, index: string, value: string): readonly RawObject[];
  all(kind: OurKind): readonly RawObject[];
}

export interface Question {
  readonly change: ObjectChange;
  readonly lookup: Lookup;
  /** Of the operator's own Secrets. */
  readonly operatorNamespace: string;
}

/** Keys as keyOf() spells them. */
export function affectedBy({ change, lookup, operatorNamespace }: Question): ReadonlySet<string> {
  const { kind, namespace, name } = change;
  const found = (ours: OurKind, index: string, value: string): readonly string[] =>
    keysOf(ours, lookup.find(ours, index, value));
  const both = (index: string, value: string): readonly string[] => [
    ...found("SenderDomain", index, value),
    ...found("MailRelay", index, value),
  ];
  switch (kind) {
    case "MailRelay":
      return new Set([...found("SenderDomain", byRelay, `${namespace}/${name}`), keyOf({ kind, namespace, name })]);
    case "SenderDomain":
      return new Set([
        keyOf({ kind, namespace, name }),
        ...versions(change).flatMap((domain) => around(domain, found)),
      ]);
    case "Namespace":
      return new Set([...found("SenderDomain", byNamespace, name), ...relaysOf(lookup, name)]);
    case "Secret": {
      if (name === "") return new Set(both(byNamespace, namespace));
      const isAuthority = namespace === operatorNamespace && name === authoritySecretName;
      return new Set([
        ...madeFor(change),
        ...both(bySecret, `${namespace}/${name}`),
        ...both(bySelection, namespace),
        ...(isAuthority ? keysOf("MailRelay", lookup.all("MailRelay")) : []),
      ]);
    }
    case "StatefulSet":
    case "Pod":
    case "PersistentVolumeClaim":
    case "Service":
    case "ServiceAccount":
    case "PodDisruptionBudget":
    case "NetworkPolicy":
    case "PodMonitor":
    case "Certificate":
      return new Set(madeFor(change));
  }
}

function versions({ before, after }: ObjectChange): readonly RawObject[] {
  return [before, after].filter((object) => object !== undefined);
}

/** Rivals for the same domain, and the relay, of a SenderDomain as it was or is. */
function around(
  object: RawObject,
  found: (kind: OurKind, index: string, value: string) => readonly string[],
): readonly string[] {
  const domain = asKind<"SenderDomain">(object);
  return [...found("SenderDomain", byRelayDomain, relayAndDomain(domain)), `MailRelay/${relayOf(domain)}`];
}

/** Relays that the domains of a namespace refer to: their consent may have changed. */
function relaysOf(lookup: Lookup, namespace: string): readonly string[] {
  return lookup
    .find("SenderDomain", byNamespace, namespace)
    .map((object) => `MailRelay/${relayOf(asKind<"SenderDomain">(object))}`);
}

/** A pod's owner is its StatefulSet: the label names the relay. */
function madeFor(change: ObjectChange): readonly string[] {
  return versions(change).flatMap((object) => {
    const owner = ownerOf(object, change.namespace);
    const relay = object.metadata.labels?.[relayLabel];
    return [
      ...(owner === undefined ? [] : [keyOf(owner)]),
      ...(relay === undefined ? [] : [keyOf({ kind: "MailRelay", namespace: change.namespace, name: relay })]),
    ];
  });
}

function keysOf(kind: OurKind, objects: readonly RawObject[]): readonly string[] {
  return objects.map(({ metadata }) => keyOf({ kind, namespace: metadata.namespace ?? "", name: metadata.name }));
}
