/**
 * Reading the DKIM keys that people give us. A key that cannot sign is a value that says why, so that it becomes a
 * condition and not an exception. Pure.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { KeyDocument } from "../../api/relayconfig.ts";
import { primesOf, rsaKeyOf } from "../../api/rsakey.ts";
import type { PublicKeyFact } from "../dns/records.ts";

/** Where a Secret of ours has the key. */
export const privateKeyDataKey = "privateKey";

export type ManagedAlgorithm = "RSA2048" | "Ed25519";

/** Smallest RSA modulus that receivers may still accept (RFC 8301 section 3.2). */
export const minRsaBits = 1024;

export type KeyReading =
  | { readonly kind: "usable"; readonly algorithm: PublicKeyFact["algorithm"]; readonly publicKey: string }
  | { readonly kind: "invalid"; readonly why: string }
  | { readonly kind: "small"; readonly bits: number };

/** The same key is read several times in each look, and parsing it costs half a millisecond: the last readings are kept. */
const readings = new Map<string, KeyReading>();
const keptReadings = 512;

/** Reads a private key, in PEM or as documents carry it. Never throws. */
export function readPrivateKey(given: KeyDocument): KeyReading {
  // No key material is kept, only what is public of it.
  const digest = createHash("sha256").update(JSON.stringify(given)).digest("base64");
  const known = readings.get(digest);
  if (known !== undefined) return known;
  const reading = parseKey(given);
  readings.set(digest, reading);
  for (const oldest of readings.keys()) {
    if (readings.size <= keptReadings) break;
    readings.delete(oldest);
  }
  return reading;
}

/** An RSA key that can be read, as documents carry it: as small as it gets. */
export function rsaKeyDocument(given: KeyDocument): KeyDocument {
  if (typeof given !== "string") return given;
  return primesOf(keyObject(given).export({ format: "jwk" })) ?? given;
}

function keyObject(given: KeyDocument): KeyObject {
  if (typeof given === "string") return createPrivateKey(given);
  return createPrivateKey({ key: { ...rsaKeyOf(given) }, format: "jwk" });
}

function parseKey(given: KeyDocument): KeyReading {
  let key: KeyObject;
  try {
    key = keyObject(given);
  } catch {
    // The parser's text may quote the input: it is not repeated.
    return { kind: "invalid", why: "it is not a private key in PEM without a passphrase" };
  }
  if (key.asymmetricKeyType === "ed25519") {
    const der = createPublicKey(key).export({ type: "spki", format: "der" });
    // RFC 8463 section 4: the 32 octets alone, which end the SubjectPublicKeyInfo.
    return { kind: "usable", algorithm: "ed25519", publicKey: der.subarray(-32).toString("base64") };
  }
  if (key.asymmetricKeyType !== "rsa") {
    return { kind: "invalid", why: `it is of type ${key.asymmetricKeyType ?? "unknown"}; DKIM knows RSA and Ed25519` };
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < minRsaBits) return { kind: "small", bits };
  const der = createPublicKey(key).export({ type: "spki", format: "der" });
  return { kind: "usable", algorithm: "rsa", publicKey: der.toString("base64") };
}

/**
 * The selector of a managed key, which names this very key: no other one is ever published in its place, so that two can stand
 * side by side and a record that is there never belies a signature. `publicKey` as in PublicKeyFact.
 */
export function managedSelector(algorithm: ManagedAlgorithm, publicKey: string): string {
  const digest = createHash("sha256").update(publicKey).digest("hex");
  return `mb${letters[algorithm]}${digest.slice(0, 10)}`;
}

/** Selectors of keys that an earlier version made count them: they may name any. */
const counted = /^mb[re][0-9]{1,3}$/;

/** Whether the key is the one that the selector was made for. */
export function isNamed(
  selector: string,
  { algorithm, publicKey }: Pick<PublicKeyFact, "algorithm" | "publicKey">,
): boolean {
  const kind = algorithm === "rsa" ? "RSA2048" : "Ed25519";
  if (algorithmOf(selector) !== kind) return false;
  return counted.test(selector) || selector === managedSelector(kind, publicKey);
}

/** Name of the Secret of a SenderDomain's key of an algorithm: one place for each, so that no two are made. */
export function managedSecretName(domainName: string, algorithm: ManagedAlgorithm): string {
  return `${domainName}-dkim-mb${letters[algorithm]}1`;
}

const letters: Readonly<Record<ManagedAlgorithm, string>> = { RSA2048: "r", Ed25519: "e" };

/** Undefined for a selector that is not that of a managed key. */
export function algorithmOf(selector: string): ManagedAlgorithm | undefined {
  const letter = /^mb([re])[0-9a-f]+$/.exec(selector)?.[1];
  if (letter === undefined) return undefined;
  return letter === letters.RSA2048 ? "RSA2048" : "Ed25519";
}
