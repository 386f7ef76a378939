/** Certificates of authorities that stand one after the other in a text, and who signed whom. Pure. */
import { X509Certificate } from "node:crypto";
import { readOnce } from "./readonce.ts";

/**
 * A block begins with its line (RFC 7468 section 2), behind the mark that editors of Windows put before a text, or behind the end of
 * the block before, where files were put together of which one did not end its last line. Of one that breaks off the end is missing.
 */
const pemBlock =
  /(?<=^\uFEFF?|-----END CERTIFICATE-----)-----BEGIN CERTIFICATE-----[^-]*(?:-----END CERTIFICATE-----)?/gm;

/** Whatever begins as a certificate in PEM. */
export function blocksIn(text: string): readonly string[] {
  return text.match(pemBlock) ?? [];
}

/** Certificates of an authority live much shorter than it does: one before the newest is all that pods can still have. */
export const keptAuthorities = 1;

/** All that may be trusted, the newest first. */
export function bundleOf(newest: string, others: readonly string[]): string {
  const earlier = others.filter((certificate) => certificate !== newest);
  return distinct([newest, ...earlier.slice(0, keptAuthorities)]).join("");
}

export function distinct(certificates: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(certificates.filter((certificate) => certificate !== undefined))];
}

/** Certificates of authorities that are valid now, each spelled the same way however it was stored. */
export function authoritiesIn(text: string, now: number): readonly string[] {
  return allAuthorities(text).flatMap(({ certificate, notAfter }) => (now < notAfter ? [certificate] : []));
}

const allAuthorities = readOnce(256, (text: string) =>
  blocksIn(text).flatMap((block) => {
    const authority = parsed(block);
    if (authority?.ca !== true) return [];
    return [{ certificate: spelled(authority), notAfter: Date.parse(authority.validTo) }];
  }),
);

/** A certificate of its own lines, whatever stood around it. */
export function spelled(certificate: X509Certificate): string {
  return `${certificate.toString().trimEnd()}\n`;
}

/** Whether one of the authorities of the bundle signed it: names alone can be made by anybody. */
export const isSignedByOneOf = readOnce(2_048, (leaf: string, bundle: string): boolean => {
  const certificate = parsed(leaf);
  return certificate !== undefined && blocksIn(bundle).some((block) => isSignedBy(certificate, block));
});

export function isSignedBy(leaf: X509Certificate, authority: string): boolean {
  const issuer = parsed(authority);
  return issuer !== undefined && leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
}

export function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
