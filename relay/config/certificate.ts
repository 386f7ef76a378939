/** Mounted certificates as texts to values that have been found usable together. Throws with what is wrong, for people. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { identityOf, relayIdentity } from "../../api/administration.ts";
import type { RelayDocument } from "../../api/relayconfig.ts";
import { fingerprintOf } from "../../api/relayreport.ts";
import type { Files } from "./files.ts";
import type { Certificate, KeyPair, PeerCertificate } from "./snapshot.ts";

/** What clients see. Undefined when nothing is mounted. */
export function decodeCertificate(files: Files): Certificate | undefined {
  const first = decodePair(files, "tls");
  if (first === undefined) return undefined;
  const second = decodePair(files, "rsa");
  const leaves = [first, ...(second === undefined ? [] : [second])].map(({ leaf }) => leaf);
  return {
    ...first.pair,
    rsa: second?.pair,
    fingerprint: fingerprintOf(leaves),
    notAfter: Math.min(...leaves.map((leaf) => leaf.validToDate.getTime())),
    names: (first.leaf.subjectAltName ?? "").split(", ").filter((name) => name !== ""),
  };
}

interface DecodedPair {
  readonly pair: KeyPair;
  readonly leaf: X509Certificate;
}

function decodePair(files: Files, name: "tls" | "rsa"): DecodedPair | undefined {
  const chain = files[`${name}.crt`];
  const privateKey = files[`${name}.key`];
  if (chain === undefined && privateKey === undefined) return undefined;
  if (chain === undefined || privateKey === undefined) throw new Error(`${name}.crt and ${name}.key belong together`);
  const leaf = new X509Certificate(chain);
  // Both files change together, but are read one after the other: a torn pair is read again.
  if (!leaf.checkPrivateKey(createPrivateKey(privateKey))) throw new Error(`${name}.key is not the key of ${name}.crt`);
  // TLS has one place for each kind of key: a second ECDSA one would take that of the first.
  if (name === "rsa" && leaf.publicKey.asymmetricKeyType !== "rsa") throw new Error("rsa.crt has no RSA key");
  mustServe({ chain, privateKey }, name);
  return { pair: { chain, privateKey }, leaf };
}

/** Of a chain only the first certificate was read: TLS would fail for the others when it is too late to keep the last good one. */
function mustServe({ chain, privateKey }: KeyPair, name: string): void {
  try {
    createSecureContext({ cert: chain, key: privateKey });
  } catch (error) {
    throw new Error(`${name}.crt cannot be served: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

/** What peers and the operator see: a certificate of another relay, or one that no peer would believe, is refused. */
export function decodePeer(files: Files, relay: RelayDocument["relay"]): PeerCertificate | undefined {
  const authorities = files["ca.crt"];
  const certificate = decodeCertificate(files);
  if (certificate === undefined && authorities === undefined) return undefined;
  if (certificate === undefined || authorities === undefined) {
    throw new Error("tls.crt, tls.key and ca.crt belong together");
  }
  const leaf = new X509Certificate(certificate.chain);
  const wanted = relayIdentity(relay);
  if (identityOf(leaf.subjectAltName) !== wanted) {
    throw new Error(`tls.crt is for ${leaf.subjectAltName ?? "nobody"}: it must be for URI:${wanted}`);
  }
  const issuers = certificatesIn(authorities);
  if (!issuers.some((issuer) => leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey))) {
    throw new Error("tls.crt was not issued by any certificate of ca.crt");
  }
  return { ...certificate, authorities };
}

function certificatesIn(bundle: string): readonly X509Certificate[] {
  const texts = bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return texts.map((text) => new X509Certificate(text));
}
