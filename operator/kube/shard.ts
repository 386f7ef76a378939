/**
 * What is remembered of a shard Secret: digests, so that no key material is kept. A cache can hold these for ten thousand
 * domains, and whoever needs a document itself reads that one Secret.
 */
import { createHash } from "node:crypto";
import { shardText } from "../../api/relayconfig.ts";
import type { Secret } from "./objects.ts";
import { decodeData } from "./secret.ts";

export interface ShardFact {
  /** SHA-256 of shardText(), hexadecimal, as relay documents name it. */
  readonly digest: string;
  /** SHA-256 of each document, hexadecimal, by data key. */
  readonly documents: ReadonlyMap<string, string>;
  /** Bytes of each document, by data key. */
  readonly sizes: ReadonlyMap<string, number>;
}

export function readShard(secret: Secret): ShardFact {
  const texts = decodeData(secret);
  const documents = new Map(Object.entries(texts).map(([key, text]) => [key, textDigest(text)]));
  const sizes = new Map(Object.entries(texts).map(([key, text]) => [key, Buffer.byteLength(text)]));
  return { digest: textDigest(shardText(texts)), documents, sizes };
}

/** SHA-256, hexadecimal. */
export function textDigest(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
