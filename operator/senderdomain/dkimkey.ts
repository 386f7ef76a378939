/** Making DKIM keys, on the thread pool. */
import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { ManagedAlgorithm } from "./privatekey.ts";

const makeKeyPair = promisify(generateKeyPair);

/** PKCS#8 PEM. */
export async function makePrivateKey(algorithm: ManagedAlgorithm): Promise<string> {
  const pair =
    algorithm === "Ed25519" ? await makeKeyPair("ed25519") : await makeKeyPair("rsa", { modulusLength: 2048 });
  return pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}
