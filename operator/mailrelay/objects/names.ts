/** Names of the objects that belong to a MailRelay; each is spelled here and nowhere else. */
import { createHash } from "node:crypto";
import { shardCount, shardName } from "../../../api/relayconfig.ts";

export const authoritySecretName = "mailboat-ca";

export function configurationSecretName(relayName: string): string {
  return `${relayName}-configuration`;
}

export function certificateSecretName(relayName: string): string {
  return `${relayName}-certificate`;
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
