/**
 * Where the document of a domain lies: its shard, the Secret of that shard and the data key in it. A relay brings the Secrets,
 * reconciles of SenderDomains fill them. Pure.
 */
import { createHash } from "node:crypto";
import { shardLabel } from "../../api/labels.ts";
import type { MailRelay } from "../../api/mailrelay.ts";
import { shardCount, shardName } from "../../api/relayconfig.ts";
import type { Secret, Stored } from "../kube/objects.ts";
import { ownedMetadata } from "../owned/metadata.ts";

export function renderShard(relay: Stored<MailRelay>, shard: string): Secret {
  const metadata = ownedMetadata(relay, shardSecretName(relay.metadata.name, shard));
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...metadata, labels: { ...metadata.labels, [shardLabel]: shard } },
    type: "Opaque",
    data: {},
  };
}

export function shardSecretName(relayName: string, shard: string): string {
  return `${relayName}-domains-${shard}`;
}

/** The shard a domain lives in, for ever: it depends on its name alone. */
export function shardOf(domain: string): string {
  const digest = createHash("sha256").update(domain, "utf8").digest();
  return shardName(digest.readUInt32BE(0) % shardCount);
}

export function allShards(): readonly string[] {
  return Array.from({ length: shardCount }, (_, index) => shardName(index));
}

/** The data key a domain's document has in its shard. */
export function domainDataKey(domain: string): string {
  return `${domain}.json`;
}

export function domainOfDataKey(dataKey: string): string {
  return dataKey.replace(/\.json$/, "");
}
