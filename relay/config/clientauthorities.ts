/**
 * Who signs clients' certificates, from the bundle that the operator gives. Throws with what is wrong, for people: the authorities
 * before stay in force then. TLS takes a bundle without an authority for none, and would believe all that the system does.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { ClientAuthorities } from "./snapshot.ts";

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** `before` is kept where it is the same, so that what was found out about it stays known. */
export function decodeClientAuthorities(
  bundle: string | undefined,
  before: ClientAuthorities | undefined,
): ClientAuthorities | undefined {
  if (bundle === undefined) return undefined;
  // Whatever stands in the bundle is trusted as it is: a client's own certificate in it would vouch for itself.
  const certificates = (bundle.match(pemBlock) ?? [])
    .map((block) => new X509Certificate(block))
    .filter((certificate) => signsOthers(certificate));
  if (certificates.length === 0) throw new Error("holds no certificate of an authority");
  const pem = certificates.map((certificate) => certificate.toString()).join("");
  if (pem === before?.pem) return before;
  createSecureContext({ ca: pem });
  return { pem, certificates };
}

/** One that signed itself is its own authority, whatever it says that it is for (RFC 5280 section 6.1 begins with it). */
function signsOthers(certificate: X509Certificate): boolean {
  return certificate.ca || (certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey));
}
