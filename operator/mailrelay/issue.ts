/**
 * The operator's own certificate authority, the only importer of the X.509 library. ECDSA P-256 throughout: made in
 * a millisecond and understood by every client that knows TLS 1.2.
 */
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import { isIP } from "node:net";
import * as x509 from "@peculiar/x509";
import { leafLifeMs } from "./certificate.ts";
import type { IssuedCertificate } from "./world.ts";

const keyAlgorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
const signingAlgorithm = { name: "ECDSA", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
/** Clocks differ: a certificate is valid a little before it was made. */
const backdateMs = 300_000;
export const caLifeMs = 3650 * dayMs;

export interface AuthorityKind {
  readonly name: string;
  /** Milliseconds. */
  readonly lifeMs: number;
}

/** What clients are given to trust: it lives long, because people carry it to where they need it. */
const clientAuthority: AuthorityKind = { name: "Mailboat CA", lifeMs: caLifeMs };
/** Nobody but the operator carries it anywhere. Two thirds of its life are longer than any certificate of it. */
export const internalAuthority: AuthorityKind = { name: "Mailboat internal CA", lifeMs: 365 * dayMs };

export async function makeCertificateAuthority(
  now: number,
  kind: AuthorityKind = clientAuthority,
): Promise<IssuedCertificate> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [kind.name] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + kind.lifeMs),
    keys,
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), privateKey: await privateKeyPem(keys.privateKey) };
}

export interface LeafRequest {
  readonly authority: IssuedCertificate;
  /** DNS names and IP addresses; the first becomes the subject. */
  readonly names: readonly string[];
  /** Identities of programs that are known by them and not by a host name. */
  readonly uris?: readonly string[];
  /** Whether whoever has it may also show it when it dials. */
  readonly isClient?: boolean;
  /** Milliseconds; 90 days when absent. */
  readonly lifeMs?: number;
  readonly now: number;
}

export async function issueLeaf(request: LeafRequest): Promise<IssuedCertificate> {
  x509.cryptoProvider.set(webcrypto);
  const issuer = new x509.X509Certificate(request.authority.certificate);
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [(request.names[0] ?? "mailboat").slice(0, 64)] }],
    issuer: issuer.subject,
    notBefore: new Date(request.now - backdateMs),
    notAfter: new Date(Math.min(request.now + (request.lifeMs ?? leafLifeMs), issuer.notAfter.getTime())),
    publicKey: keys.publicKey,
    signingKey: await readSigningKey(request.authority.privateKey),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
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

function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ["sign", "verify"]);
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

function readSigningKey(privateKey: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decodeFirst(privateKey);
  return webcrypto.subtle.importKey("pkcs8", der, keyAlgorithm, false, ["sign"]);
}
