/** Making DKIM keys, on the thread pool. */
import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { dkimSelectorLabel } from "../../api/labels.ts";
import type { Secret } from "../kube/objects.ts";
import { encodeData } from "../kube/secret.ts";
import { type ManagedAlgorithm, managedSelector, privateKeyDataKey, readPrivateKey } from "./privatekey.ts";

const makeKeyPair = promisify(generateKeyPair);

/** PKCS#8 PEM. */
export async function makePrivateKey(algorithm: ManagedAlgorithm): Promise<string> {
  const pair =
    algorithm === "Ed25519" ? await makeKeyPair("ed25519") : await makeKeyPair("rsa", { modulusLength: 2048 });
  return pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** The Secret with a key that was just made, and the selector that names this very key. */
export async function makeKeySecret(wanted: {
  readonly secret: Secret;
  readonly algorithm: ManagedAlgorithm;
}): Promise<Secret> {
  const { secret, algorithm } = wanted;
  const privateKey = await makePrivateKey(algorithm);
  const reading = readPrivateKey(privateKey);
  if (reading.kind !== "usable") throw new Error(`a key that was just made cannot be used: ${reading.kind}`);
  const { metadata } = secret;
  const labels = { ...metadata.labels, [dkimSelectorLabel]: managedSelector(algorithm, reading.publicKey) };
  return { ...secret, metadata: { ...metadata, labels }, data: encodeData({ [privateKeyDataKey]: privateKey }) };
}
