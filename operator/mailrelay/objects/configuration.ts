/** The configuration Secret: the relay document, and the revision that names everything the pods should run. */
import type { MailRelay } from "../../../api/mailrelay.ts";
import { relayDocumentName, type RelayDocument } from "../../../api/relayconfig.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { encodeData } from "../../kube/secret.ts";
import { type ShardFact, textDigest } from "../../kube/shard.ts";
import { configurationSecretName } from "../../owned/names.ts";
import { ownedMetadata } from "../../owned/metadata.ts";

export function renderConfiguration(relay: Stored<MailRelay>, document: RelayDocument): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: ownedMetadata(relay, configurationSecretName(relay.metadata.name)),
    type: "Opaque",
    data: encodeData({ [relayDocumentName]: `${JSON.stringify(document, undefined, 1)}\n` }),
  };
}

/** SHA-256 over the document as it is but for the revision; shard digests are a part of it. */
export function withRevision(document: Omit<RelayDocument, "revision">): RelayDocument {
  return { ...document, revision: textDigest(JSON.stringify(sortKeys(document))) };
}

/** Digest by shard name, of the shards that have documents. */
export function shardDigests(shards: ReadonlyMap<string, ShardFact>): Record<string, string> {
  const filled = [...shards].filter(([, fact]) => fact.documents.size > 0);
  return Object.fromEntries(
    filled.sort(([left], [right]) => (left < right ? -1 : 1)).map(([shard, { digest }]) => [shard, digest]),
  );
}

/** The order in which a document happens to be built must not change its revision. */
function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([key, member]) => [key, sortKeys(member)]),
  );
}
