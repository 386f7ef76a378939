/** Certificates of authorities that stand one after the other in a text, and who signed whom. Pure. */
import { X509Certificate } from "node:crypto";
import { readOnce } from "./readonce.ts";

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** Whatever looks like a certificate in PEM. */
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
    return [{ certificate: `${authority.toString().trimEnd()}\n`, notAfter: Date.parse(authority.validTo) }];
  }),
);

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
