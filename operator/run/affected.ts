/**
 * Which MailRelays and SenderDomains have to be looked at after a change: those it was made for, those that refer to it,
 * and those that compete with it. Found by index, so that one changed domain never costs a walk over all. Pure.
 */
import { relayLabel } from "../../api/labels.ts";
import { scopeOfOwner } from "../../api/administration.ts";
import type { ClusterChange, ObjectChange } from "../kube/cluster/news.ts";
import { ownerIn } from "../kube/cluster/owner.ts";
import { asKind, faultsOf } from "../kube/cluster/views.ts";
import type { RawObject } from "../kube/client/resource.ts";
import { keyOf, nameOf } from "../kube/kube.ts";
import { isPart } from "../kube/objects.ts";
import { needsNamespaceLabels } from "../binding/consent.ts";
import { rivalriesOf } from "../binding/rivals.ts";
import { authoritySecretName, internalAuthoritySecretName } from "../owned/names.ts";
import { digestOf } from "../kube/cluster/difference.ts";
import { termsOf } from "../kube/selector.ts";
import { selectionTerm } from "../references/reference.ts";
import { relayOf } from "../senderdomain/references.ts";
import {
  byNamespace,
  byRelay,
  byRelayDomain,
  byRelayWaiting,
  byReference,
  bySelection,
  relayAndDomain,
} from "./indexes.ts";
import { domainOfDataKey } from "../binding/shards.ts";

type OurKind = "MailRelay" | "SenderDomain";

export interface Lookup {
  find(kind: OurKind, index: string, value: string): readonly RawObject[];
  all(kind: OurKind): readonly RawObject[];
}

export interface Question {
  readonly change: ClusterChange;
  readonly lookup: Lookup;
  /** Of the operator's own Secrets. */
  readonly operatorNamespace: string;
}

type Found = (kind: OurKind, index: string, value: string) => readonly string[];

/** Keys as keyOf() spells them. */
export function affectedBy(question: Question): ReadonlySet<string> {
  return new Set(keysFor(question));
}

function keysFor({ change, lookup, operatorNamespace }: Question): readonly string[] {
  const found: Found = (ours, index, value) => keysOf(ours, lookup.find(ours, index, value));
  switch (change.what) {
    case "object":
      return ofObject({ change, lookup, operatorNamespace }, found);
    case "namespace": {
      // Consent may have come or gone for all of its domains.
      const { namespace } = change;
      const domains = lookup.find("SenderDomain", byNamespace, namespace);
      return [...keysOf("SenderDomain", domains), ...domains.flatMap((domain) => around(domain, found))];
    }
    case "sight":
      return seenIn(change.namespace, lookup);
    case "right":
      return ofRight(change, { lookup, operatorNamespace, found });
    case "spoilt": {
      const { namespace = "" } = change.shard.metadata;
      return [
        ...madeFor(change.shard, namespace),
        ...holdersOf(change).flatMap((place) => found("SenderDomain", byRelayDomain, place)),
      ];
    }
  }
}

function ofObject(
  { change, lookup, operatorNamespace }: Question & { readonly change: ObjectChange },
  found: Found,
): readonly string[] {
  const { kind, namespace, name } = change;
  const both = (index: string, value: string): readonly string[] => [
    ...found("SenderDomain", index, value),
    ...found("MailRelay", index, value),
  ];
  const makers = (): readonly string[] => versions(change).flatMap((object) => madeFor(object, namespace));
  if (isPart(kind)) return makers();
  switch (kind) {
    case "MailRelay":
      return [
        ...(change.news === "said" ? [] : [keyOf(change)]),
        // One that comes or goes decides who has the names that both would use.
        ...(versions(change).length < 2 ? rivalsOf({ namespace, name }, lookup) : []),
        // While pods load something new, only those domains wait for it that were not loaded before.
        ...(concernsAll(change) ? found("SenderDomain", byRelay, `${namespace}/${name}`) : []),
        ...(mayHaveLoaded(change) ? found("SenderDomain", byRelayWaiting, `${namespace}/${name}`) : []),
        ...limitNews(change, found),
      ];
    case "SenderDomain": {
      const places = new Set(versions(change).map(placeOf));
      // Of one that stays where it is neither its relay nor its rivals have to know.
      const isMove = versions(change).length < 2 || places.size > 1;
      return [keyOf(change), ...(isMove ? versions(change).flatMap((domain) => around(domain, found)) : [])];
    }
    case "ConfigMap":
      return both(byReference, keyOf(change));
    case "Secret": {
      const isAuthority =
        namespace === operatorNamespace && [authoritySecretName, internalAuthoritySecretName].includes(name);
      return [
        ...makers(),
        ...both(byReference, keyOf(change)),
        ...versions(change)
          .flatMap(({ metadata }) => termsOf(metadata.labels ?? {}))
          .flatMap((term) => both(bySelection, selectionTerm(namespace, term))),
        ...(isAuthority ? keysOf("MailRelay", lookup.all("MailRelay")) : []),
      ];
    }
  }
}

function ofRight(
  { kind, namespace }: ClusterChange & { readonly what: "right" },
  { lookup, operatorNamespace, found }: Omit<Question, "change"> & { readonly found: Found },
): readonly string[] {
  if (kind === "Namespace") return lookup.all("MailRelay").flatMap((relay) => selecting(relay, found));
  if (namespace === undefined) return keysOf("MailRelay", lookup.all("MailRelay"));
  const relays = lookup.find("MailRelay", byNamespace, namespace);
  // Of a kind of others.
  if (kind !== "Secret") return keysOf("MailRelay", relays);
  // Domains read and write shards beside their relay, wherever they are themselves.
  const served = relays.flatMap((relay) => found("SenderDomain", byRelay, `${namespace}/${relay.metadata.name}`));
  // Every relay's certificates come from what the operator has in its own.
  const issued = namespace === operatorNamespace ? keysOf("MailRelay", lookup.all("MailRelay")) : [];
  return [...found("SenderDomain", byNamespace, namespace), ...keysOf("MailRelay", relays), ...served, ...issued];
}

/** Relays anywhere may have documents of domains there, and domains anywhere their relay. It is rare, and a walk over all. */
function seenIn(namespace: string, lookup: Lookup): readonly string[] {
  const isConcerned = (object: RawObject): boolean => {
    if (object.metadata.namespace === namespace) return true;
    return object["spec"] !== undefined && relayOf(asKind<"SenderDomain">(object)).namespace === namespace;
  };
  return [
    ...keysOf("MailRelay", lookup.all("MailRelay")),
    ...keysOf("SenderDomain", lookup.all("SenderDomain").filter(isConcerned)),
  ];
}

function rivalsOf(relay: { readonly namespace: string; readonly name: string }, lookup: Lookup): readonly string[] {
  const names = new Set(rivalriesOf(relay.name).map(({ rival }) => rival));
  const others = lookup.find("MailRelay", byNamespace, relay.namespace);
  return keysOf(
    "MailRelay",
    others.filter(({ metadata }) => names.has(metadata.name)),
  );
}

/** A relay that selects namespaces by label, and its domains. */
function selecting(object: RawObject, found: Found): readonly string[] {
  if (object["spec"] === undefined || !needsNamespaceLabels(asKind<"MailRelay">(object).spec.tenants)) return [];
  const { namespace = "", name } = object.metadata;
  return [keyOf({ kind: "MailRelay", namespace, name }), ...found("SenderDomain", byRelay, `${namespace}/${name}`)];
}

/** Relay and domain of each document of a shard that has to be written again. */
function holdersOf({ shard, dataKeys }: ClusterChange & { readonly what: "spoilt" }): readonly string[] {
  const { namespace = "", labels } = shard.metadata;
  const relay = labels?.[relayLabel];
  return relay === undefined ? [] : dataKeys.map((key) => `${namespace}/${relay} ${domainOfDataKey(key)}`);
}

/**
 * Whether what its domains read of a relay has changed for all of them: its spec, in which version their documents are written, or
 * that it has no ready pod any more.
 */
function concernsAll({ before, after }: ObjectChange): boolean {
  if (before === undefined || after === undefined) return true;
  // Of pods that come those domains hear that wait for them, and once there is something to hear: see mayHaveLoaded().
  if (hasReadyPod(before) && !hasReadyPod(after)) return true;
  return digestOf(readByAll(before)) !== digestOf(readByAll(after));
}

function readByAll(object: RawObject): unknown {
  const { metadata, status } = asKind<"MailRelay">(object);
  return [metadata.uid, metadata.generation, metadata.deletionTimestamp, faultsOf(object), status?.documentVersion];
}

function hasReadyPod(object: RawObject): boolean {
  return asKind<"MailRelay">(object).status?.pods?.some((pod) => pod.ready) === true;
}

/** Whether somebody's wait for the pods may be over: not while they are on their way from one revision to the next. */
function mayHaveLoaded({ before, after }: ObjectChange): boolean {
  const [was, is] = [before, after].map((object) => (object === undefined ? undefined : loadedRevision(object)));
  if (after === undefined || is === undefined) return false;
  // The relay may also have gone back to what the pods had all the time.
  if (is === asKind<"MailRelay">(after).status?.revision) return true;
  return is !== was && !isGoingOn(after);
}

/**
 * Whether the pods will be given what was rendered last, as of a relay that is well: until they have it, none of its domains
 * finds what it waits for. While many domains are new that is so nearly all of the time.
 */
function isGoingOn(object: RawObject): boolean {
  const { spec, status } = asKind<"MailRelay">(object);
  const isTrue = (type: string): boolean =>
    status?.conditions?.some((condition) => condition.type === type && condition.status === "True") === true;
  return status?.revision !== undefined && !spec.paused && isTrue("Accepted") && isTrue("ResolvedRefs");
}

/** Domains that have, or have no longer, sent what they may in an hour, and those of such namespaces and senders. */
function limitNews({ namespace, name, before, after }: ObjectChange, found: Found): readonly string[] {
  const [was, is] = [before, after].map((object) =>
    object === undefined ? [] : (asKind<"MailRelay">(object).status?.limited ?? []),
  );
  const all = [...(was ?? []), ...(is ?? [])];
  const news = all.filter((owner) => was?.includes(owner) !== is?.includes(owner));
  return news.flatMap((owner) => {
    const scope = scopeOfOwner(owner);
    return "namespace" in scope
      ? found("SenderDomain", byNamespace, scope.namespace)
      : found("SenderDomain", byRelayDomain, `${namespace}/${name} ${scope.domain}`);
  });
}

/** The revision that all ready pods have; undefined when there is none. */
function loadedRevision(object: RawObject): string | undefined {
  const ready = asKind<"MailRelay">(object).status?.pods?.filter((pod) => pod.ready) ?? [];
  return ready.every((pod) => pod.revision === ready[0]?.revision) ? ready[0]?.revision : undefined;
}

function versions({ before, after }: ObjectChange): readonly RawObject[] {
  return [before, after].filter((object) => object !== undefined);
}

/** Rivals for the same domain, and the relay, of a SenderDomain as it was or is. */
function around(object: RawObject, found: Found): readonly string[] {
  const place = placeOf(object);
  if (place === undefined) return [];
  return [
    ...found("SenderDomain", byRelayDomain, place),
    `MailRelay/${nameOf(relayOf(asKind<"SenderDomain">(object)))}`,
  ];
}

/** Relay and domain that a SenderDomain holds; undefined where its spec cannot be read. */
function placeOf(object: RawObject): string | undefined {
  return object["spec"] === undefined ? undefined : relayAndDomain(asKind<"SenderDomain">(object));
}

/** A pod's owner is its StatefulSet: the label names the relay. */
function madeFor(object: RawObject, namespace: string): readonly string[] {
  const owner = ownerIn(object, namespace);
  const relay = object.metadata.labels?.[relayLabel];
  return [
    ...(owner === undefined ? [] : [keyOf(owner)]),
    ...(relay === undefined ? [] : [keyOf({ kind: "MailRelay", namespace, name: relay })]),
  ];
}

function keysOf(kind: OurKind, objects: readonly RawObject[]): readonly string[] {
  return objects.map(({ metadata }) => keyOf({ kind, namespace: metadata.namespace ?? "", name: metadata.name }));
}
