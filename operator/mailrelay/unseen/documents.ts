/**
 * Documents of domains whose SenderDomains the operator does not see: their namespace is not watched any more, or may not be
 * read. That one is not seen is no sign that it is gone, and without its document mail of the domain would be refused for good:
 * it stays as long as the relay admits its namespace. Pure.
 */
import { judgeConsent } from "../../binding/consent.ts";
import { domainDataKey, domainOfDataKey, shardSecretName } from "../../binding/shards.ts";
import type { RelayWorld } from "../world.ts";

export interface UnheldDocument {
  readonly shard: string;
  readonly dataKey: string;
  /** Of the SenderDomain that it was written for. */
  readonly namespace: string | undefined;
}

/** What the shards have of domains that no SenderDomain that is seen holds. */
export function unheldDocuments({
  shards,
  domains,
}: Pick<RelayWorld, "shards" | "domains">): readonly UnheldDocument[] {
  const held = new Set([...domains].map(domainDataKey));
  return [...shards].flatMap(([shard, { documents, namespaces }]) =>
    [...documents.keys()]
      .filter((dataKey) => !held.has(dataKey))
      .map((dataKey) => ({ shard, dataKey, namespace: namespaces.get(dataKey) })),
  );
}

/** Whether its SenderDomain may be there all the same. */
export function isKept({ relay, unseen }: RelayWorld, { dataKey, namespace }: UnheldDocument): boolean {
  if (namespace === undefined || !unseen.has(namespace)) return false;
  const domain = { metadata: { namespace }, spec: { domain: domainOfDataKey(dataKey) } };
  return judgeConsent({ relay, domain, namespaceLabels: unseen.get(namespace) }).kind !== "refused";
}

/** What the pods go on with of domains that cannot be seen. */
export function keptDocuments(world: RelayWorld): readonly UnheldDocument[] {
  return unheldDocuments(world).filter((document) => isKept(world, document));
}

/** How many names a message holds at most. */
const named = 5;

/** What is to be said of them; undefined when there are none. */
export function unseenText(world: RelayWorld): string | undefined {
  const kept = keptDocuments(world);
  if (kept.length === 0) return undefined;
  const { name, namespace } = world.relay.metadata;
  const namespaces = [...new Set(kept.flatMap((document) => document.namespace ?? []))].sort();
  const domains = kept.map(({ dataKey }) => domainOfDataKey(dataKey)).sort();
  const count = kept.length === 1 ? "1 domain" : `${kept.length} domains`;
  return (
    `pods keep what they have of ${count} (${listed(domains)}), whose SenderDomains are not seen any more: the operator does ` +
    `not watch, or may not read, ${listed(namespaces)}: add these to watchNamespaces; what is to go is a data key of a Secret ` +
    `${shardSecretName(name, "NN")} in namespace ${namespace}`
  );
}

function listed(names: readonly string[]): string {
  const more = names.length - named;
  return more > 0 ? `${names.slice(0, named).join(", ")} and ${more} more` : names.join(", ");
}
