/** Which resources have to be looked at again after a change. Pure. */
import { keyOf, type Reference } from "../operator/kube/kube.ts";
import type { MailRelay } from "../api/mailrelay.ts";
import type { SenderDomain } from "../api/senderdomain.ts";
import { isPart, type Kind, type Stored } from "../operator/kube/objects.ts";
import { refersTo } from "../operator/binding/consent.ts";
import { rivalriesOf } from "../operator/binding/rivals.ts";
import { relayOf } from "../operator/senderdomain/references.ts";

/**
 * Hears the key of whatever changed, never its content: a reconcile reads the world again. `owner` is the key of the resource of ours
 * that the changed object was made for; it alone looks at it.
 */
export type ChangeListener = (changed: Reference<Kind>, owner: Reference | undefined) => void;

export interface Given {
  readonly relays: readonly Stored<MailRelay>[];
  readonly domains: readonly Stored<SenderDomain>[];
}

/** Keys of MailRelays and SenderDomains, for a change of something nobody owns. Too many is only slow, too few is wrong. */
export function affectedBy(changed: Reference<Kind>, given: Given): readonly string[] {
  const relayKey = (relay: Stored<MailRelay>): string => keyOf({ kind: "MailRelay", ...placeOf(relay) });
  const domainKey = (domain: Stored<SenderDomain>): string => keyOf({ kind: "SenderDomain", ...placeOf(domain) });
  const { kind } = changed;
  if (isPart(kind)) return inNamespace(given.relays, changed).map(relayKey);
  switch (kind) {
    case "MailRelay": {
      const relay = given.relays.find(
        (candidate) => keyOf({ kind: "MailRelay", ...placeOf(candidate) }) === keyOf(changed),
      );
      const domains = given.domains.filter((domain) => relay === undefined || refersTo(domain, relay));
      // One that comes or goes decides who has the names that both would use.
      const names = new Set(rivalriesOf(changed.name).map(({ rival }) => rival));
      const rivals = inNamespace(given.relays, changed).filter(({ metadata }) => names.has(metadata.name));
      return [...domains.map(domainKey), keyOf(changed), ...rivals.map(relayKey)];
    }
    case "SenderDomain":
      // A rival may move up, and the relay it has left forgets it.
      return [...given.domains.map(domainKey), ...given.relays.map(relayKey)];
    case "Secret":
    case "ConfigMap": {
      const domains = given.domains.filter((domain) => domain.metadata.namespace === changed.namespace);
      const bound = given.domains.filter((domain) => relayOf(domain).namespace === changed.namespace);
      return [...new Set([...domains, ...bound].map(domainKey)), ...inNamespace(given.relays, changed).map(relayKey)];
    }
  }
}

function inNamespace(relays: readonly Stored<MailRelay>[], changed: Reference<Kind>): readonly Stored<MailRelay>[] {
  return relays.filter((relay) => relay.metadata.namespace === changed.namespace);
}

function placeOf(object: { readonly metadata: { readonly namespace: string; readonly name: string } }): {
  readonly namespace: string;
  readonly name: string;
} {
  return { namespace: object.metadata.namespace, name: object.metadata.name };
}
