/** The configuration Secret: the relay document, and the revision that names everything the pods should run. */
import { createHash } from "node:crypto";
import { labelsFor } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import { relayDocumentName, type RelayDocument, shardText } from "../../../api/relayconfig.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { decodeData, encodeData } from "../../kube/secret.ts";
import { ownerOf } from "../world.ts";
import { configurationSecretName } from "./names.ts";

export function renderConfiguration(relay: Stored<MailRelay>, document: RelayDocument): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: configurationSecretName(relay.metadata.name),
      namespace: relay.metadata.namespace,
      labels: labelsFor(relay.metadata.name),
      ownerReferences: [ownerOf(relay)],
    },
    type: "Opaque",
    data: encodeData({ [relayDocumentName]: `${JSON.stringify(document, undefined, 1)}\n` }),
  };
}

/** SHA-256 over the document as it is but for the revision; shard digests are a part of it. */
export function withRevision(document: Omit<RelayDocument, "revision">): RelayDocument {
  const text = JSON.stringify(sortKeys(document));
  const revision = createHash("sha256").update(text, "utf8").digest("hex");
  return { ...document, revision };
}

/** Digest by shard name, of the shards that have documents. */
export function shardDigests(shards: ReadonlyMap<string, Secret>): Record<string, string> {
  const digests: Record<string, string> = {};
  for (const shard of [...shards.keys()].sort()) {
    const documents = decodeData(shards.get(shard));
    if (Object.keys(documents).length === 0) continue;
    digests[shard] = createHash("sha256").update(shardText(documents), "utf8").digest("hex");
  }
  return digests;
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
