/** How resources are found by what they refer to, so that a change costs as much as it concerns. Pure. */
import type { SenderDomain } from "../../api/senderdomain.ts";
import type { RawObject } from "../kube/client/resource.ts";
import type { Indexes, ReadSettings } from "../kube/cluster/reads.ts";
import { asKind } from "../kube/cluster/views.ts";
import { keyOf, nameOf } from "../kube/kube.ts";
import type { Stored } from "../kube/objects.ts";
import { relayReferences, relaySelections } from "../mailrelay/references.ts";
import { type SpecReference, type SpecSelection, termIn } from "../references/reference.ts";
import { domainReferences, domainSelections, relayOf } from "../senderdomain/references.ts";

/** Values are keys of the Secrets and ConfigMaps that the spec refers to, as keyOf() spells them. */
export const byReference = "reference";
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
  [byRelay]: (object) => [nameOf(relayOf(asKind<"SenderDomain">(object)))],
  [byRelayWaiting]: (object) => {
    const domain = asKind<"SenderDomain">(object);
    const programmed = domain.status?.conditions?.find((condition) => condition.type === "Programmed");
    return programmed?.status === "True" ? [] : [nameOf(relayOf(domain))];
  },
  [byRelayDomain]: (object) => [relayAndDomain(asKind<"SenderDomain">(object))],
  [byReference]: (object) => keysOf(domainReferences(asKind<"SenderDomain">(object))),
  [bySelection]: (object) => termsIn(object, domainSelections(asKind<"SenderDomain">(object))),
});

const relayIndexes = whereSpecIsKnown({
  [byReference]: (object) => keysOf(relayReferences(asKind<"MailRelay">(object))),
  [bySelection]: (object) => termsIn(object, relaySelections(asKind<"MailRelay">(object))),
});

export const indexes: ReadSettings["indexes"] = { MailRelay: relayIndexes, SenderDomain: domainIndexes };

export function relayAndDomain(domain: Stored<SenderDomain>): string {
  return `${nameOf(relayOf(domain))} ${domain.spec.domain}`;
}

/** One whose spec cannot be read refers to nothing that is known. */
function whereSpecIsKnown(all: Indexes): Indexes {
  return Object.fromEntries(
    Object.entries(all).map(([name, index]) => [name, (object) => (object["spec"] === undefined ? [] : index(object))]),
  );
}

function keysOf(references: readonly SpecReference[]): readonly string[] {
  return [...new Set(references.map(keyOf))];
}

function termsIn({ metadata }: RawObject, selections: readonly SpecSelection[]): readonly string[] {
  return selections.map((selection) => termIn(metadata.namespace ?? "", selection));
}
