/**
 * The authority whose certificates pods of a relay and the operator show each other on the administration port, apart from the
 * one that clients trust: when it has to be made anew. Pure.
 */
import type { Secret } from "../kube/objects.ts";
import { encodeData, secretText } from "../kube/secret.ts";
import { internalAuthoritySecretName } from "../owned/names.ts";
import { authoritiesIn, bundleOf, distinct, keptAuthorities } from "./bundle.ts";
import { type IssuedCertificate, readCertificate, renewAt, unusableKey } from "./certificate.ts";

/** Signs what the operator and the pods show each other on the administration port. */
export interface InternalAuthority extends IssuedCertificate {
  /** PEM of every authority that is believed: this one, and the one before it while it is valid. */
  readonly bundle: string;
}

export type InternalAuthorityDecision =
  | { readonly kind: "keep"; readonly authority: InternalAuthority }
  /** The key pair serves, and what is stored beside it is not what it should be. */
  | { readonly kind: "write"; readonly authority: InternalAuthority }
  /** `earlier` are authorities that pods still have certificates of. */
  | { readonly kind: "make"; readonly earlier: readonly string[] };

/** `secret` is the one in the operator's namespace as it is now. */
export function decideInternalAuthority(secret: Secret | undefined, now: number): InternalAuthorityDecision {
  const certificate = secretText(secret, "tls.crt");
  const privateKey = secretText(secret, "tls.key");
  const stored = secretText(secret, "ca.crt") ?? "";
  const reading = readCertificate(certificate, privateKey);
  const own = authoritiesIn(certificate ?? "", now)[0];
  const isUsable = reading.kind === "usable" && own !== undefined && unusableKey(own) === undefined;
  const serves = isUsable && now < renewAt(reading.fact);
  if (!serves || privateKey === undefined) {
    return { kind: "make", earlier: distinct([own, ...authoritiesIn(stored, now)]).slice(0, keptAuthorities) };
  }
  const bundle = bundleOf(own, authoritiesIn(stored, now));
  return { kind: bundle === stored ? "keep" : "write", authority: { certificate: own, privateKey, bundle } };
}

/** What there is to do where it is not kept. */
export type InternalAuthorityChange = Exclude<InternalAuthorityDecision, { readonly kind: "keep" }>;

export function renderInternalAuthority(namespace: string, authority: InternalAuthority): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: internalAuthoritySecretName, namespace },
    type: "kubernetes.io/tls",
    data: encodeData({
      "tls.crt": authority.certificate,
      "tls.key": authority.privateKey,
      "ca.crt": authority.bundle,
    }),
  };
}
