/**
 * Whether a certificate may serve, and when our own has to be made anew. Pure: reading gives a value, never an exception.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { fingerprintOf } from "../../api/relayreport.ts";
import { blocksIn, distinct, parsed, spelled } from "./bundle.ts";
import { readOnce } from "./readonce.ts";

/** Of the keys that our own certificates have. */
export type KeyAlgorithm = "ECDSA" | "RSA";

/** PEM of a certificate and its PKCS#8 key. */
export interface IssuedCertificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/** How the authorities that the operator made for clients call themselves; another kind of key follows in brackets. */
export const clientAuthorityName = "Mailboat CA";

/** Of a certificate that the operator issues, in milliseconds. */
export const leafLifeMs = 90 * 86_400_000;

export const algorithmOf = readOnce(2_048, (certificate: string): KeyAlgorithm => {
  return new X509Certificate(certificate).publicKey.asymmetricKeyType === "rsa" ? "RSA" : "ECDSA";
});

/** Curves as OpenSSL calls them, of which people have authorities. */
export const curves: Readonly<Record<string, string>> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

/** What kind of key it is where it is none that we sign with; undefined where it is one. */
export const unusableKey = readOnce(64, (certificate: string): string | undefined => {
  const { asymmetricKeyType: type = "unknown", asymmetricKeyDetails } = new X509Certificate(certificate).publicKey;
  if (type === "rsa") return undefined;
  const { namedCurve = "" } = asymmetricKeyDetails ?? {};
  if (type !== "ec") return type;
  return namedCurve in curves ? undefined : `EC on the curve ${namedCurve}`;
});

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
  return readPair(chain, privateKey);
}

const readPair = readOnce(2_048, (chain: string, privateKey: string): CertificateReading => {
  const leaf = parsed(chain);
  if (leaf === undefined) return { kind: "invalid", why: "data key tls.crt is not a certificate in PEM" };
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
      fingerprint: fingerprintOf([leaf]),
      names: alternativeNames(leaf),
      notBefore: Date.parse(leaf.validFrom),
      notAfter: Date.parse(leaf.validTo),
    },
  };
});

export type AuthorityReading =
  /** Its certificates alone, each of its own lines: programs stop reading a text at the first line that is not as they like it. */
  | { readonly kind: "usable"; readonly pem: string }
  /** Continues "Secret x": what its ca.crt is instead, and what to do. */
  | { readonly kind: "invalid"; readonly why: string };

/**
 * What is to be trusted in place of the system's roots, from a data key `ca.crt`. Programs take a text without an authority for
 * no text at all and may then trust the system's roots: whatever is not an authority that is valid now is refused here.
 */
export function readAuthorities(text: string | undefined, now: number, dataKey = "ca.crt"): AuthorityReading {
  const invalid = (why: string): AuthorityReading => ({ kind: "invalid", why });
  if (text === undefined) return invalid(`lacks the data key ${dataKey}: add it`);
  if (text.includes("PRIVATE KEY-----")) {
    return invalid(`holds a private key in ${dataKey}: leave there the certificate of the authority alone`);
  }
  if (text.includes("-----BEGIN X509 CRL-----")) {
    return invalid(`holds a revocation list in ${dataKey}, and nothing would read it: leave it out`);
  }
  const { count, broken, authorities, pem } = readBundle(text);
  if (count === 0)
    return invalid(`holds no certificate in ${dataKey}${text.trim() === "" ? ", which is empty" : ""}: it must be PEM`);
  if (broken >= 0) return invalid(`holds no certificate in ${dataKey} at place ${broken + 1}: it must be PEM`);
  if (authorities.length === 0) {
    return invalid(
      `holds a certificate in ${dataKey} that is no authority's: put there the one of the authority that signed it`,
    );
  }
  if (authorities.some(({ notBefore, notAfter }) => notBefore <= now && now < notAfter)) {
    return { kind: "usable", pem };
  }
  const [first] = authorities;
  const from = new Date(first?.notBefore ?? 0).toISOString();
  const to = new Date(first?.notAfter ?? 0).toISOString();
  return invalid(`holds an authority in ${dataKey} that is valid from ${from} to ${to}: renew it`);
}

/**
 * TLS names every authority to every client, and has 64 KiB for that (RFC 5246 section 7.4.4, RFC 8446 section 4.2): with more, no
 * client gets through a handshake, whatever it would have shown.
 */
const mostNamesOctets = 60_000;

/** Whose certificates of clients are believed: authorities that are all named in each handshake. */
export function readClientAuthorities(text: string | undefined, now: number, dataKey = "ca.crt"): AuthorityReading {
  const reading = readAuthorities(text, now, dataKey);
  if (reading.kind === "invalid") return reading;
  const { authorities } = readBundle(reading.pem);
  const octets = authorities.reduce((sum, { nameOctets }) => sum + nameOctets, 0);
  if (octets <= mostNamesOctets) return reading;
  const why =
    `holds ${authorities.length} authorities in ${dataKey}, whose names are longer than a TLS handshake has room for: ` +
    "leave there those that sign certificates of clients";
  return { kind: "invalid", why };
}

/** How many certificates there are, the place of the first that is none, and how long the authorities among them are valid. */
const readBundle = readOnce(64, (text: string) => {
  const all = blocksIn(text).map(parsed);
  const certificates = all.filter((one) => one !== undefined);
  const authorities = certificates.filter(signsOthers).map(({ validFrom, validTo, subject }) => ({
    notBefore: Date.parse(validFrom),
    notAfter: Date.parse(validTo),
    nameOctets: octetsOfName(subject),
  }));
  const pem = distinct(certificates.map(spelled)).join("");
  return { count: all.length, broken: all.indexOf(undefined), authorities, pem };
});

/** At most, of a name that Node writes a line an attribute: each has a frame of 11 octets or, where it is long, some more. */
function octetsOfName(subject: unknown): number {
  // Undefined where there is none, whatever its type says.
  if (typeof subject !== "string") return 2;
  return subject.split("\n").reduce((sum, line) => sum + Buffer.byteLength(line) + 16, 8);
}

/** One that signed itself is its own authority, whatever it says that it is for (RFC 5280 section 6.1 begins with it). */
function signsOthers(certificate: X509Certificate): boolean {
  return certificate.ca || (certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey));
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

/** Whether clients that ask for the host name are content with the certificate now. */
export function serves(
  reading: CertificateReading,
  question: { readonly hostname: string; readonly now: number },
): boolean {
  if (reading.kind !== "usable") return false;
  const { notBefore, notAfter, names } = reading.fact;
  const { hostname, now } = question;
  return now >= notBefore && now < notAfter && names.some((name) => coversHost(name, hostname));
}

/** RFC 6125 section 6.4.3: a wildcard stands for exactly the leftmost label. */
export function coversHost(name: string, hostname: string): boolean {
  const [pattern, host] = [name.toLowerCase(), hostname.toLowerCase()];
  return pattern === host || (pattern.startsWith("*.") && pattern.slice(1) === host.slice(host.indexOf(".")));
}
