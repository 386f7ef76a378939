/**
 * A password, or the proof of one, against a SCRAM-SHA-256 verifier (RFC 5802 section 3, RFC 7677). The expensive step runs on the
 * thread pool; for a proof the client has done it.
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

/**
 * ClientProof is ClientKey XOR HMAC(StoredKey, AuthMessage), and StoredKey is SHA-256(ClientKey). Compares in constant time; a
 * verifier or a proof of another length never matches.
 */
export function provesPassword({ storedKey }: ScramVerifier, said: string, proof: Buffer): boolean {
  const wanted = Buffer.from(storedKey, "base64");
  if (wanted.length !== keyOctets || proof.length !== keyOctets) return false;
  const signature = createHmac("sha256", wanted).update(said).digest();
  const clientKey = Buffer.from(proof.map((octet, index) => octet ^ (signature[index] ?? 0)));
  return timingSafeEqual(createHash("sha256").update(clientKey).digest(), wanted);
}

/** ServerSignature is HMAC(ServerKey, AuthMessage). */
export function serverSignatureOf({ serverKey }: ScramVerifier, said: string): Buffer {
  return createHmac("sha256", Buffer.from(serverKey, "base64")).update(said).digest();
}
