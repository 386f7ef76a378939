/** Authorities and certificates of clients for tests, with every name, time and use that a test wants. */
import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMs = 86_400_000;

export interface TestAuthority {
  /** PEM. */
  readonly certificate: string;
  /** PEM of those between it and the authority that signed itself, this one first; empty where that is this one. */
  readonly chain: string;
  readonly subject: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

interface Validity {
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

export interface AuthorityWish extends Validity {
  /** Itself when absent. */
  readonly issuer?: TestAuthority;
  /** Of an authority that is renewed under the same name. */
  readonly keys?: webcrypto.CryptoKeyPair;
  /** One that signs although nobody said that it may, when false. */
  readonly maySign?: boolean;
  /** How many authorities there may be below it; any number when absent. */
  readonly pathLength?: number;
  /** keyCertSign when absent. */
  readonly keyUsages?: x509.KeyUsageFlags;
  /** Object identifiers; any use when absent. */
  readonly usages?: readonly string[];
  readonly extensions?: readonly x509.Extension[];
}

export interface ClientWish extends Validity {
  readonly commonName?: string;
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  /** Object identifiers; clientAuth when absent, none at all when empty. */
  readonly usages?: readonly string[];
  /** digitalSignature when absent. */
  readonly keyUsages?: x509.KeyUsageFlags;
  readonly key?: KeyWish;
  /** Has no identifier of its authority's key, when false. */
  readonly saysWhoseKey?: boolean;
  readonly extensions?: readonly x509.Extension[];
}

export type KeyWish = "P-256" | "Ed25519" | 1024 | 2048;

/** PEM. */
export interface ClientPair {
  /** Leaf first, with what leads to the authority that signed itself. */
  readonly chain: string;
  readonly privateKey: string;
}

export const serverAuth = "1.3.6.1.5.5.7.3.1";
export const clientAuth = "1.3.6.1.5.5.7.3.2";

export async function makeAuthority(name: string, wish: AuthorityWish = {}): Promise<TestAuthority> {
  x509.cryptoProvider.set(webcrypto);
  const keys = wish.keys ?? (await makeKeys());
  const subject = `CN=${name}`;
  const { issuer = { subject, keys, chain: "" } } = wish;
  const made = await x509.X509CertificateGenerator.create({
    ...timesOf(wish),
    serialNumber: randomBytes(8).toString("hex"),
    subject,
    issuer: issuer.subject,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(wish.maySign ?? true, wish.pathLength, true),
      new x509.KeyUsagesExtension(wish.keyUsages ?? x509.KeyUsageFlags.keyCertSign, true),
      ...usagesOf(wish.usages ?? []),
      ...(wish.extensions ?? []),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
    ],
  });
  const certificate = `${made.toString("pem")}\n`;
  return { certificate, subject, keys, chain: wish.issuer === undefined ? "" : `${certificate}${issuer.chain}` };
}

export async function makeClient(authority: TestAuthority, wish: ClientWish): Promise<ClientPair> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await makeKeys(wish.key);
  const { commonName, dnsNames = [], uris = [], usages = [clientAuth] } = wish;
  const names = [
    ...dnsNames.map((value) => ({ type: "dns", value }) as const),
    ...uris.map((value) => ({ type: "url", value }) as const),
  ];
  const leaf = await x509.X509CertificateGenerator.create({
    ...timesOf(wish),
    serialNumber: randomBytes(8).toString("hex"),
    subject: commonName === undefined ? "O=Clients" : [{ CN: [commonName] }],
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(wish.keyUsages ?? x509.KeyUsageFlags.digitalSignature, true),
      ...usagesOf(usages),
      ...(wish.extensions ?? []),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ...(wish.saysWhoseKey === false
        ? []
        : [await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey)]),
    ],
  });
  return { chain: `${leaf.toString("pem")}\n${authority.chain}`, privateKey: await pemOf(keys.privateKey) };
}

/** What signed itself, as what a client shows. */
export async function pairOf({ certificate, keys }: TestAuthority): Promise<ClientPair> {
  return { chain: certificate, privateKey: await pemOf(keys.privateKey) };
}

async function pemOf(privateKey: webcrypto.CryptoKey): Promise<string> {
  const octets = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", privateKey)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${octets}\n-----END PRIVATE KEY-----\n`;
}

function usagesOf(usages: readonly string[]): readonly x509.Extension[] {
  return usages.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension([...usages])];
}

async function makeKeys(wish: KeyWish = "P-256"): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(keyAlgorithm(wish), true, ["sign", "verify"]);
  if (!("privateKey" in keys)) throw new Error("no pair of keys");
  return keys;
}

function keyAlgorithm(
  wish: KeyWish,
): typeof algorithm | webcrypto.RsaHashedKeyGenParams | { readonly name: "Ed25519" } {
  if (wish === "P-256") return algorithm;
  if (wish === "Ed25519") return { name: wish };
  const publicExponent = new Uint8Array([1, 0, 1]);
  return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256", publicExponent, modulusLength: wish };
}

function timesOf({ notBefore, notAfter }: Validity): Required<Validity> {
  return { notBefore: notBefore ?? new Date(Date.now() - dayMs), notAfter: notAfter ?? new Date(Date.now() + dayMs) };
}
