/** Mounted certificates as texts to values that have been found usable together. Throws with what is wrong, for people. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { identityOf, relayIdentity } from "../../api/administration.ts";
import type { RelayDocument } from "../../api/relayconfig.ts";
import type { Files } from "./files.ts";
import type { Certificate, PeerCertificate } from "./snapshot.ts";

/** What clients see. Undefined when nothing is mounted. */
export function decodeCertificate(files: Files): Certificate | undefined {
  const chain = files["tls.crt"];
  const privateKey = files["tls.key"];
  if (chain === undefined && privateKey === undefined) return undefined;
  if (chain === undefined || privateKey === undefined) throw new Error("tls.crt and tls.key belong together");
  const leaf = new X509Certificate(chain);
  // Both files change together, but are read one after the other: a torn pair is read again.
  if (!leaf.checkPrivateKey(createPrivateKey(privateKey))) throw new Error("tls.key is not the key of tls.crt");
  mustServe(chain, privateKey);
  return {
    chain,
    privateKey,
    fingerprint: leaf.fingerprint256.replaceAll(":", "").toLowerCase(),
    notAfter: leaf.validToDate.getTime(),
    names: (leaf.subjectAltName ?? "").split(", ").filter((name) => name !== ""),
  };
}

/** Of a chain only the first certificate was read: TLS would fail for the others when it is too late to keep the last good one. */
function mustServe(cert: string, key: string): void {
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(`tls.crt cannot be served: ${error instanceof Error ? error.message : String(error)}`, {
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
