/**
 * The operator's own certificate authorities, the only importer of the X.509 library. ECDSA P-256 is made in a millisecond; RSA is
 * there for old devices that verify nothing else, and is signed by an authority of its own because they must verify that as well.
 */
import "reflect-metadata";
import { createPrivateKey, randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import {
  algorithmOf,
  clientAuthorityName,
  curves,
  type KeyAlgorithm,
  leafLifeMs,
  type IssuedCertificate,
} from "./certificate.ts";
import type { LeafRequest } from "./request.ts";

/** How keys are made and used. 2048 bits of RSA are what every device can verify. */
const keyAlgorithms = {
  ECDSA: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  RSA: {
    name: "RSASSA-PKCS1-v1_5",
    modulusLength: 2048,
    publicExponent: new Uint8Array([1, 0, 1]),
    hash: "SHA-256",
  },
} as const;
const dayMs = 86_400_000;
/** Clocks differ: a certificate is valid a little before it was made. */
const backdateMs = 300_000;
export const caLifeMs = 3650 * dayMs;

export interface AuthorityKind {
  readonly name: string;
  readonly algorithm: KeyAlgorithm;
  /** Milliseconds. */
  readonly lifeMs: number;
}

/** What clients are given to trust: it lives long, because people carry it to where they need it. */
export const clientAuthorities: Readonly<Record<KeyAlgorithm, AuthorityKind>> = {
  ECDSA: { name: clientAuthorityName, algorithm: "ECDSA", lifeMs: caLifeMs },
  // Devices look for who signed by the name alone: the two must not have the same.
  RSA: { name: `${clientAuthorityName} (RSA)`, algorithm: "RSA", lifeMs: caLifeMs },
};
/** Nobody but the operator carries it anywhere. Two thirds of its life are longer than any certificate of it. */
export const internalAuthority: AuthorityKind = {
  name: "Mailboat internal CA",
  algorithm: "ECDSA",
  lifeMs: 365 * dayMs,
};

export async function makeCertificateAuthority(
  now: number,
  kind: AuthorityKind = clientAuthorities.ECDSA,
): Promise<IssuedCertificate> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await makeKeys(kind.algorithm);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [kind.name] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + kind.lifeMs),
    keys,
    signingAlgorithm: keyAlgorithms[kind.algorithm],
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), privateKey: await privateKeyPem(keys.privateKey) };
}

/** Its key is of the kind of the authority's. */
export async function issueLeaf(request: LeafRequest): Promise<IssuedCertificate> {
  x509.cryptoProvider.set(webcrypto);
  const issuer = new x509.X509Certificate(request.authority.certificate);
  const algorithm = algorithmOf(request.authority.certificate);
  const keys = await makeKeys(algorithm);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [(request.names[0] ?? "mailboat").slice(0, 64)] }],
    issuer: issuer.subject,
    notBefore: new Date(request.now - backdateMs),
    notAfter: new Date(Math.min(request.now + (request.lifeMs ?? leafLifeMs), issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: readSigningKey(request.authority.privateKey, algorithm),
    signingAlgorithm: keyAlgorithms[algorithm],
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(keyUsages[algorithm], true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        ...(request.isClient === true ? [x509.ExtendedKeyUsage.clientAuth] : []),
      ]),
      new x509.SubjectAlternativeNameExtension([
        ...request.names.map((name) => ({ type: isIP(name) === 0 ? "dns" : "ip", value: name }) as const),
        ...(request.uris ?? []).map((value) => ({ type: "url", value }) as const),
      ]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return { certificate: pem(certificate), privateKey: await privateKeyPem(keys.privateKey) };
}

/** RFC 5280 section 4.2.1.3: devices too old for ECDHE send their secret under the key of the certificate. */
const keyUsages: Readonly<Record<KeyAlgorithm, x509.KeyUsageFlags>> = {
  ECDSA: x509.KeyUsageFlags.digitalSignature,
  RSA: x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
};

function makeKeys(algorithm: KeyAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithms[algorithm], true, ["sign", "verify"]);
}

/** RFC 5280 section 4.1.2.2: positive and at most 20 octets. */
function serialNumber(): string {
  return `01${randomBytes(15).toString("hex")}`;
}

function pem(certificate: x509.X509Certificate): string {
  return certificate.toString("pem").trimEnd() + "\n";
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return x509.PemConverter.encode(der, "PRIVATE KEY").trimEnd() + "\n";
}

/** A person's may be on another curve than ours, and spelled as PKCS#1 or SEC1: cert-manager writes those where nothing else is asked. */
function readSigningKey(privateKey: string, algorithm: KeyAlgorithm): webcrypto.CryptoKey {
  const key = createPrivateKey(privateKey);
  const { namedCurve } = key.asymmetricKeyDetails ?? {};
  const curve = namedCurve === undefined ? {} : { namedCurve: curves[namedCurve] ?? namedCurve };
  return key.toCryptoKey({ ...keyAlgorithms[algorithm], ...curve }, false, ["sign"]);
}
