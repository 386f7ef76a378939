/**
 * Whom pods of a relay and the operator believe on the administration port: an authority of the operator's own, apart from
 * the one that clients trust, and one certificate a relay that its pods share. Decides when either has to be made anew. Pure.
 */
import { X509Certificate } from "node:crypto";
import { identityOf, relayIdentity } from "../../../api/administration.ts";
import type { Secret } from "../../kube/objects.ts";
import { secretText } from "../../kube/secret.ts";
import { readCertificate, renewAt } from "../certificate.ts";
import type { InternalAuthority } from "../world.ts";

export type AuthorityDecision =
  | { readonly kind: "keep"; readonly authority: InternalAuthority }
  /** The key pair serves, and what is stored beside it is not what it should be. */
  | { readonly kind: "write"; readonly authority: InternalAuthority }
  /** `earlier` are authorities that pods still have certificates of. */
  | { readonly kind: "make"; readonly earlier: readonly string[] };

const pemBlock = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
/** Certificates of an authority live much shorter than it does: one before the newest is all that pods can still have. */
const keptAuthorities = 1;

/** `secret` is the one in the operator's namespace as it is now. */
export function decideAuthority(secret: Secret | undefined, now: number): AuthorityDecision {
  const certificate = secretText(secret, "tls.crt");
  const privateKey = secretText(secret, "tls.key");
  const stored = secretText(secret, "ca.crt") ?? "";
  const reading = readCertificate(certificate, privateKey);
  const own = authoritiesIn(certificate ?? "", now)[0];
  const serves = reading.kind === "usable" && own !== undefined && now < renewAt(reading.fact);
  if (!serves || privateKey === undefined) {
    return { kind: "make", earlier: distinct([own, ...authoritiesIn(stored, now)]).slice(0, keptAuthorities) };
  }
  const bundle = bundleOf(own, authoritiesIn(stored, now));
  return { kind: bundle === stored ? "keep" : "write", authority: { certificate: own, privateKey, bundle } };
}

/** All that may be trusted, the newest first. */
export function bundleOf(newest: string, others: readonly string[]): string {
  const earlier = others.filter((certificate) => certificate !== newest);
  return distinct([newest, ...earlier.slice(0, keptAuthorities)]).join("");
}

function distinct(certificates: readonly (string | undefined)[]): readonly string[] {
  return [...new Set(certificates.filter((certificate) => certificate !== undefined))];
}

/** Certificates of authorities that are valid now, each spelled the same way however it was stored. */
export function authoritiesIn(text: string, now: number): readonly string[] {
  const blocks = text.match(pemBlock) ?? [];
  return blocks.flatMap((block) => {
    const certificate = parsed(block);
    const isValid = certificate !== undefined && certificate.ca && now < Date.parse(certificate.validTo);
    return isValid ? [`${certificate.toString().trimEnd()}\n`] : [];
  });
}

/** Whether one of the authorities of the bundle signed it: names alone can be made by anybody. */
export function isSignedByOneOf(leaf: string, bundle: string): boolean {
  const certificate = parsed(leaf);
  return certificate !== undefined && (bundle.match(pemBlock) ?? []).some((block) => isSignedBy(certificate, block));
}

function isSignedBy(leaf: X509Certificate, authority: string): boolean {
  const issuer = parsed(authority);
  return issuer !== undefined && leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

export interface PeerQuestion {
  readonly relay: { readonly namespace: string; readonly name: string };
  /** What the pods mount now. */
  readonly peer: Secret | undefined;
  readonly authority: InternalAuthority;
  readonly now: number;
}

/** Why the certificate that a relay's pods share has to be made anew; undefined when it serves. */
export function peerReissueReason({ relay, peer, authority, now }: PeerQuestion): string | undefined {
  if (peer === undefined) return "there is none yet";
  const chain = secretText(peer, "tls.crt");
  const reading = readCertificate(chain, secretText(peer, "tls.key"));
  const leaf = parsed(chain ?? "");
  if (reading.kind !== "usable" || leaf === undefined) return reading.kind === "invalid" ? reading.why : "it is empty";
  if (secretText(peer, "ca.crt") !== authority.bundle) return "its authorities are not those in force";
  if (!isSignedBy(leaf, authority.certificate)) return "it is not of the authority in force";
  const identity = relayIdentity(relay);
  if (identityOf(leaf.subjectAltName) !== identity) return `it is not for ${identity}`;
  if (now >= renewAt(reading.fact)) return `it expires ${new Date(reading.fact.notAfter).toISOString()}`;
  return undefined;
}
