/**
 * A password against a SCRAM-SHA-256 verifier (RFC 5802 section 3, RFC 7677). The expensive step runs on the thread pool.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { ScramVerifier } from "../../../api/relayconfig.ts";

const keyOctets = 32;
const deriveKey = promisify(pbkdf2);

/** StoredKey of a password: SHA-256 of HMAC(SaltedPassword, "Client Key"). */
export async function storedKeyOf(password: string, salt: Buffer, iterations: number): Promise<Buffer> {
  const salted = await deriveKey(password, salt, iterations, keyOctets, "sha256");
  return createHash("sha256").update(createHmac("sha256", salted).update("Client Key").digest()).digest();
}

export async function matchesVerifier(password: string, verifier: ScramVerifier): Promise<boolean> {
  return (await matchingVerifiers(password, [verifier])).has(verifier);
}

/**
 * Those of verifiers with one salt and one number of iterations that the password has. Compares in constant time. A verifier
 * whose key has another length never matches.
 */
export async function matchingVerifiers(
  password: string,
  verifiers: readonly ScramVerifier[],
): Promise<ReadonlySet<ScramVerifier>> {
  const [first] = verifiers;
  if (first === undefined) return new Set();
  const given = await storedKeyOf(password, Buffer.from(first.salt, "base64"), first.iterations);
  return new Set(
    verifiers.filter(({ storedKey }) => {
      const wanted = Buffer.from(storedKey, "base64");
      return wanted.length === given.length && timingSafeEqual(wanted, given);
    }),
  );
}
