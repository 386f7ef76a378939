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
  /** Namespace of the SenderDomain that each document was written for, by data key; none of what is no document of ours. */
  readonly namespaces: ReadonlyMap<string, string>;
}

/**
 * How every document of a domain begins. A shard has hundreds, and is read whenever one of them is written: the first line or
 * two tell whose it is.
 */
const beginning = /^\{\s*"version":\s*\d+,\s*"senderDomain":\s*\{\s*"namespace":\s*"([-a-z0-9]{1,63})"/;

export function readShard(secret: Secret): ShardFact {
  const texts = decodeData(secret);
  const documents = new Map(Object.entries(texts).map(([key, text]) => [key, textDigest(text)]));
  const sizes = new Map(Object.entries(texts).map(([key, text]) => [key, Buffer.byteLength(text)]));
  const namespaces = new Map<string, string>();
  for (const [key, text] of Object.entries(texts)) {
    const namespace = beginning.exec(text)?.[1];
    if (namespace !== undefined) namespaces.set(key, namespace);
  }
  return { digest: textDigest(shardText(texts)), documents, sizes, namespaces };
}

/** SHA-256, hexadecimal. */
export function textDigest(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
