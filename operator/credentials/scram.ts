/**
 * Passwords become SCRAM-SHA-256 verifiers (RFC 5802 section 3, RFC 7677): what a relay gets can check a password and
 * cannot be used to log in elsewhere. The salt is derived, so that the same Secret always gives the same document.
 */
import { createHash, createHmac, pbkdf2 } from "node:crypto";
import { promisify } from "node:util";
import { preparePassword } from "../../api/login.ts";
import type { ScramVerifier } from "../../api/relayconfig.ts";

const deriveKey = promisify(pbkdf2);

export interface ScramInput {
  readonly password: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

/** Derives on the thread pool. */
export async function scramVerifier(input: ScramInput): Promise<ScramVerifier> {
  const password = Buffer.from(preparePassword(input.password), "utf8");
  const salted = await deriveKey(password, input.salt, input.iterations, 32, "sha256");
  const clientKey = createHmac("sha256", salted).update("Client Key").digest();
  return {
    iterations: input.iterations,
    salt: input.salt.toString("base64"),
    storedKey: createHash("sha256").update(clientKey).digest("base64"),
    serverKey: createHmac("sha256", salted).update("Server Key").digest("base64"),
  };
}
