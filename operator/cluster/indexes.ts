/** How resources are found by what they refer to, so that a change costs as much as it concerns. Pure. */
import type { MailRelay } from "../../api/mailrelay.ts";
import type { SenderDomain } from "../../api/senderdomain.ts";
import type { Indexes, ReadSettings } from "../kube/cluster/reads.ts";
import { asKind } from "../kube/cluster/views.ts";
import { nameOf } from "../kube/kube.ts";
import type { Stored } from "../kube/objects.ts";
import { termOf } from "../kube/selector.ts";
import { namedSecrets } from "../mailrelay/objects/references.ts";
import { managedSecretName } from "../senderdomain/keys.ts";
import { smarthostSecretNames } from "../mailrelay/smarthost.ts";

/** Values are `namespace/name` of the Secret. */
export const bySecret = "secret";
/** Those that select Secrets by label; values are a namespace and an entry of its labels. */
export const bySelection = "selection";
export const byNamespace = "namespace";
/**
 * SenderDomains by `namespace/name` of their MailRelay, all and those its pods have yet to load; and by that and their
 * domain.
 */
export const byRelay = "relay";
export const byRelayWaiting = "relayWaiting";
export const byRelayDomain = "relayDomain";

const domainIndexes = whereSpecIsKnown({
  [byRelay]: (object) => [relayOf(asKind<"SenderDomain">(object))],
  [byRelayWaiting]: (object) => {
    const domain = asKind<"SenderDomain">(object);
    const programmed = domain.status?.conditions?.find((condition) => condition.type === "Programmed");
    return programmed?.status === "True" ? [] : [relayOf(domain)];
  },
  [byRelayDomain]: (object) => [relayAndDomain(asKind<"SenderDomain">(object))],
  [bySecret]: (object) => domainSecrets(asKind<"SenderDomain">(object)),
  [bySelection]: (object) => {
    const { metadata, spec } = asKind<"SenderDomain">(object);
    return spec.senders.flatMap(({ credentials }) =>
      credentials === undefined ? [] : [selection(metadata.namespace, termOf(credentials.secretSelector))],
    );
  },
});

const relayIndexes = whereSpecIsKnown({
  [bySecret]: (object) => relaySecrets(asKind<"MailRelay">(object)),
  [bySelection]: (object) => {
    const { metadata, spec } = asKind<"MailRelay">(object);
    const { credentials } = spec.identities;
    return credentials === undefined ? [] : [selection(metadata.namespace, termOf(credentials.secretSelector))];
  },
});

export const indexes: ReadSettings["indexes"] = { MailRelay: relayIndexes, SenderDomain: domainIndexes };

export function selection(namespace: string, term: string): string {
  return `${namespace} ${term}`;
}

export function relayOf({ metadata, spec }: Stored<SenderDomain>): string {
  return nameOf({ namespace: spec.relayRef.namespace ?? metadata.namespace, name: spec.relayRef.name });
}

export function relayAndDomain(domain: Stored<SenderDomain>): string {
  return `${relayOf(domain)} ${domain.spec.domain}`;
}

/** One whose spec cannot be read refers to nothing that is known. */
function whereSpecIsKnown(all: Indexes): Indexes {
  return Object.fromEntries(
    Object.entries(all).map(([name, index]) => [name, (object) => (object["spec"] === undefined ? [] : index(object))]),
  );
}

function domainSecrets({ metadata: { namespace, name }, spec }: Stored<SenderDomain>): readonly string[] {
  const keys = (spec.dkim?.keys ?? []).map((key) => key.secretRef.name);
  // One of somebody else's may stand where a key is to be made: when it goes, its place is free.
  const made = (spec.dkim?.managed?.algorithms ?? []).map((algorithm) => managedSecretName(name, algorithm));
  return qualified(namespace, [...keys, ...made, ...smarthostSecretNames(spec.smarthosts)]);
}

function relaySecrets(relay: Stored<MailRelay>): readonly string[] {
  return qualified(relay.metadata.namespace, namedSecrets(relay));
}

function qualified(namespace: string, names: readonly string[]): readonly string[] {
  return [...new Set(names)].map((name) => nameOf({ namespace, name }));
}
