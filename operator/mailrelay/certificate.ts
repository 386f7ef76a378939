/**
 * Whether a certificate may serve, and when our own has to be made anew. Pure: reading gives a value, never an exception.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";

/** Of a certificate that the operator issues, in milliseconds. */
export const leafLifeMs = 90 * 86_400_000;

export interface CertificateFact {
  /** SHA-256 of the leaf's DER, lower-case hex, as relays report it. */
  readonly fingerprint: string;
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export type CertificateReading =
  | { readonly kind: "usable"; readonly fact: CertificateFact }
  | { readonly kind: "absent" }
  | { readonly kind: "invalid"; readonly why: string };

/** `chain` and `privateKey` are PEM; the leaf comes first. */
export function readCertificate(chain: string | undefined, privateKey: string | undefined): CertificateReading {
  if (chain === undefined) return { kind: "invalid", why: "data key tls.crt is missing" };
  if (privateKey === undefined) return { kind: "invalid", why: "data key tls.key is missing" };
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(chain);
  } catch {
    return { kind: "invalid", why: "data key tls.crt is not a certificate in PEM" };
  }
  try {
    if (!leaf.checkPrivateKey(createPrivateKey(privateKey))) {
      return { kind: "invalid", why: "data key tls.key is not the key of the certificate in tls.crt" };
    }
  } catch {
    return { kind: "invalid", why: "data key tls.key is not a private key in PEM without a passphrase" };
  }
  return {
    kind: "usable",
    fact: {
      fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
      names: alternativeNames(leaf),
      notBefore: Date.parse(leaf.validFrom),
      notAfter: Date.parse(leaf.validTo),
    },
  };
}

/** DNS names and IP addresses the leaf is for (RFC 6125 looks at nothing else). */
function alternativeNames(leaf: X509Certificate): readonly string[] {
  return (leaf.subjectAltName ?? "")
    .split(", ")
    .map((name) => name.replace(/^(DNS|IP Address):/, ""))
    .filter((name) => name !== "");
}

/** Our own certificates are renewed when a third of their life is left. */
export function renewAt(fact: CertificateFact): number {
  return fact.notAfter - (fact.notAfter - fact.notBefore) / 3;
}

export interface OwnCertificateQuestion {
  readonly reading: CertificateReading;
  readonly names: readonly string[];
  readonly now: number;
}

/** Why our own certificate has to be made anew; undefined when it serves. */
export function reissueReason(question: OwnCertificateQuestion): string | undefined {
  const { reading, names, now } = question;
  if (reading.kind === "absent") return "there is none yet";
  if (reading.kind === "invalid") return reading.why;
  const missing = names.filter((name) => !reading.fact.names.includes(name));
  if (missing.length > 0) return `it lacks the name ${missing.join(", ")}`;
  if (now >= renewAt(reading.fact)) return `it expires ${new Date(reading.fact.notAfter).toISOString()}`;
  return undefined;
}
