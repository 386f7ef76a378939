/**
 * The authority that clients are given to trust: when it has to be made anew, and for how long the one before and the one after
 * stand beside it. People carry `ca.crt` to where they need it, so the next authority is in it for the life of a certificate
 * before it signs one, and the one before it until it has run out. Pure.
 */
import type { Secret } from "../../kube/objects.ts";
import { secretText } from "../../kube/secret.ts";
import { leafLifeMs, readCertificate } from "../certificate.ts";
import { authoritiesIn, bundleOf } from "../peer/trust.ts";
import type { IssuedCertificate } from "../world.ts";

export interface ClientAuthority {
  readonly signing: IssuedCertificate;
  /** Signs once the present one is near its end. */
  readonly next: IssuedCertificate | undefined;
  /** All that clients should trust, PEM. */
  readonly bundle: string;
}

export type ClientAuthorityDecision =
  | { readonly kind: "keep"; readonly authority: ClientAuthority }
  /** What is stored is not what it should be. */
  | { readonly kind: "write"; readonly authority: ClientAuthority }
  /** `signing` undefined: there is none that could go on. */
  | { readonly kind: "make"; readonly signing: IssuedCertificate | undefined; readonly earlier: readonly string[] };

/** `secret` is the one in the operator's namespace as it is now. */
export function decideClientAuthority(secret: Secret | undefined, now: number): ClientAuthorityDecision {
  const present = pairIn(secret, "tls");
  const following = pairIn(secret, "next");
  const stored = secretText(secret, "ca.crt") ?? "";
  // No certificate outlives what signed it.
  const isNearItsEnd = leftMs(present, now) <= leafLifeMs;
  const signing = isNearItsEnd ? following : present;
  const next = isNearItsEnd ? undefined : following;
  const earlier = authoritiesIn(`${present?.certificate ?? ""}${stored}`, now);
  if (signing === undefined || leftMs(signing, now) <= leafLifeMs) return { kind: "make", signing: undefined, earlier };
  if (next === undefined && leftMs(signing, now) <= 2 * leafLifeMs) return { kind: "make", signing, earlier };
  const authority = clientAuthority({ signing, next, earlier });
  // One that a person gave says no more than itself, and is not ours to write.
  const isBare = stored === "" && authority.bundle === authoritiesIn(signing.certificate, now).join("");
  const isKept = signing === present && (isBare || authority.bundle === stored);
  return { kind: isKept ? "keep" : "write", authority };
}

export interface ClientAuthorityParts extends Omit<ClientAuthority, "bundle"> {
  /** Certificates that some of those in use were signed with. */
  readonly earlier: readonly string[];
}

export function clientAuthority({ signing, next, earlier }: ClientAuthorityParts): ClientAuthority {
  const following = next?.certificate ?? "";
  const others = earlier.filter((certificate) => certificate !== following);
  return { signing, next, bundle: bundleOf(signing.certificate, others) + following };
}

function pairIn(secret: Secret | undefined, name: "tls" | "next"): IssuedCertificate | undefined {
  const certificate = secretText(secret, `${name}.crt`);
  const privateKey = secretText(secret, `${name}.key`);
  if (certificate === undefined || privateKey === undefined) return undefined;
  return readCertificate(certificate, privateKey).kind === "usable" ? { certificate, privateKey } : undefined;
}

/** Milliseconds of its life that are left; none for one that is not there. */
function leftMs(pair: IssuedCertificate | undefined, now: number): number {
  const reading = readCertificate(pair?.certificate, pair?.privateKey);
  return reading.kind === "usable" ? reading.fact.notAfter - now : 0;
}
