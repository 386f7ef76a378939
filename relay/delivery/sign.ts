/**
 * Signs a message with the keys of its domain, on the thread pool, all keys at once.
 * Promise: it resolves only when every signature is there; when one fails it rejects, and the message waits unsigned.
 */
import { createHash, sign } from "node:crypto";
import type { SigningKey } from "../config/snapshot.ts";
import { completeSignature, prepareSignature, selectHeader } from "../mail/dkim.ts";
import type { Message } from "../spool/message/message.ts";

/**
 * The DKIM-Signature fields, one a key in the order of `keys`, each with its CRLF; empty when there are no keys.
 * `now` is in ms since the epoch. Rejects with the error of the first key that fails.
 */
export async function signMessage(message: Message, keys: readonly SigningKey[], now: number): Promise<Buffer> {
  if (keys.length === 0) return Buffer.alloc(0);
  const header = selectHeader(message.header);
  const fields = await Promise.all(
    keys.map(async ({ selector, algorithm, key }) => {
      const unsigned = prepareSignature({
        header,
        bodyHash: message.bodyHash,
        domain: message.domain,
        selector,
        algorithm,
        signedAt: Math.floor(now / 1000),
      });
      return completeSignature(unsigned, await signBytes(unsigned.bytes, algorithm, key));
    }),
  );
  return Buffer.from(fields.join(""), "latin1");
}

function signBytes(bytes: Buffer, algorithm: SigningKey["algorithm"], key: SigningKey["key"]): Promise<Buffer> {
  // RFC 8463 section 3: Ed25519 signs the SHA-256 of the data, and hashes again inside (PureEdDSA).
  const [digest, data] =
    algorithm === "ed25519-sha256" ? [null, createHash("sha256").update(bytes).digest()] : ["sha256", bytes];
  return new Promise((resolve, reject) => {
    sign(digest, data, key, (error, signature) => {
      if (error === null) resolve(signature);
      else reject(error);
    });
  });
}
