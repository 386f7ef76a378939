/**
 * The authorities that clients are given to trust, one with an ECDSA key and one with an RSA key: when either has to be made anew,
 * and for how long the one before and the one after stand beside it. People carry `ca.crt` to where they need it, so the next
 * authority is in it for the life of a certificate before it signs one, and the one before it until it has run out. Pure.
 */
import { X509Certificate } from "node:crypto";
import { digestAnnotation, managedByLabel } from "../../api/labels.ts";
import type { Secret } from "../kube/objects.ts";
import { encodeData, secretText } from "../kube/secret.ts";
import { authoritySecretName } from "../owned/names.ts";
import {
  algorithmOf,
  clientAuthorityName,
  type KeyAlgorithm,
  leafLifeMs,
  readCertificate,
  type IssuedCertificate,
  unusableKey,
} from "./certificate.ts";
import { authoritiesIn, bundleOf } from "./bundle.ts";

/** Names of its pairs in the Secret of the authorities. */
export type PairName = "tls" | "next" | "rsa" | "rsa-next";

export interface Succession {
  readonly signing: IssuedCertificate;
  /** Signs once the present one is near its end. */
  readonly next: IssuedCertificate | undefined;
}

/** Of each kind of key; RSA is absent where a person gave the authority and no RSA one beside it. */
export interface Halves<T> {
  readonly ECDSA: T;
  readonly RSA: T | undefined;
}

export interface ClientAuthority extends Halves<Succession> {
  /** All that clients should trust, PEM. */
  readonly bundle: string;
}

/** `earlier` are certificates that some of those in use were signed with. */
export interface WholeHalf extends Succession {
  readonly kind: "whole";
  readonly earlier: readonly string[];
}

export type Half =
  | WholeHalf
  /** `signing` undefined: there is none that could go on. Otherwise the next is to be made. */
  | {
      readonly kind: "lacking";
      readonly signing: IssuedCertificate | undefined;
      readonly earlier: readonly string[];
    };

export type ClientAuthorityDecision =
  | { readonly kind: "keep"; readonly authority: ClientAuthority }
  /** What is stored is not what it should be. */
  | { readonly kind: "write"; readonly authority: ClientAuthority }
  | { readonly kind: "make"; readonly halves: Halves<Half> };

/** `secret` is the one in the operator's namespace as it is now. */
export function decideClientAuthority(secret: Secret | undefined, now: number): ClientAuthorityDecision {
  // A person gave it and has to renew it, and it is not ours to write.
  const given = secret === undefined || isOurs(secret) ? undefined : authorityAsItIs(secret, now);
  if (given !== undefined) return { kind: "keep", authority: given };
  const ECDSA = decideHalf(secret, "ECDSA", now);
  const RSA = isForRsa(secret) ? decideHalf(secret, "RSA", now) : undefined;
  if (ECDSA.kind === "lacking" || RSA?.kind === "lacking") return { kind: "make", halves: { ECDSA, RSA } };
  const authority = clientAuthority({ ECDSA, RSA });
  const stored = secretText(secret, "ca.crt") ?? "";
  const isInForce = (half: Succession | undefined, name: PairName): boolean =>
    half?.signing.certificate === pairIn(secret, name)?.certificate;
  const isKept = isInForce(ECDSA, "tls") && isInForce(RSA, "rsa") && authority.bundle === stored;
  return { kind: isKept ? "keep" : "write", authority };
}

/** What signs where nothing of it may be written: until its end, and with what stands beside it. Undefined where nothing does. */
export function authorityAsItIs(secret: Secret, now: number): ClientAuthority | undefined {
  const first = lastingHalf(secret, "ECDSA", now);
  if (first === undefined) return undefined;
  const second = lastingHalf(secret, "RSA", now);
  const [ECDSA, RSA] = isOurs(secret) ? [first, second] : signingHalves(first, second);
  // What a person put there alone has the kind of key that it has, and so has what it was signed with.
  const beside = `${ECDSA.signing.certificate}${secretText(secret, "ca.crt") ?? ""}`;
  const earlier = RSA === undefined ? authoritiesIn(beside, now) : ECDSA.earlier;
  return clientAuthority({ ECDSA: { ...ECDSA, earlier }, RSA });
}

/** A half whose key signs nothing here is left out; where neither has one that does there is the first, to be told of. */
function signingHalves(first: WholeHalf, second: WholeHalf | undefined): readonly [WholeHalf, WholeHalf | undefined] {
  if (second === undefined || unusableKey(second.signing.certificate) !== undefined) return [first, undefined];
  return unusableKey(first.signing.certificate) === undefined ? [first, second] : [second, undefined];
}

function lastingHalf(secret: Secret, algorithm: KeyAlgorithm, now: number): WholeHalf | undefined {
  const half = decideHalf(secret, algorithm, now);
  if (half.kind === "whole") return half;
  const signing = half.signing ?? pairIn(secret, pairNames[algorithm][0]);
  if (signing === undefined || leftMs(signing, now) <= 0) return undefined;
  return { kind: "whole", signing, next: undefined, earlier: half.earlier };
}

/** An RSA authority is put beside one that is ours to write; a person who gave one may have put one there. */
function isForRsa(secret: Secret | undefined): boolean {
  return secret === undefined || pairIn(secret, "rsa") !== undefined || isOurs(secret);
}

/** Whether we made it, and so may write it: by our marks, or, where somebody brought it back without them, by what it says. */
function isOurs(secret: Secret): boolean {
  if (isMarked(secret)) return true;
  const { certificate } = pairIn(secret, "tls") ?? {};
  if (certificate === undefined || secretText(secret, "ca.crt") === undefined) return false;
  return new X509Certificate(certificate).subject === `CN=${clientAuthorityName}`;
}

/** Whether it has one of the marks without which a cluster takes it for somebody else's. */
export function isMarked({ metadata: { labels, annotations } }: Secret): boolean {
  return labels?.[managedByLabel] === "mailboat-operator" || annotations?.[digestAnnotation] !== undefined;
}

const pairNames = { ECDSA: ["tls", "next"], RSA: ["rsa", "rsa-next"] } as const;

function decideHalf(secret: Secret | undefined, algorithm: KeyAlgorithm, now: number): Half {
  const [present, following] = pairNames[algorithm].map((name) => pairIn(secret, name));
  const stored = secretText(secret, "ca.crt") ?? "";
  // No certificate outlives what signed it.
  const isNearItsEnd = leftMs(present, now) <= leafLifeMs;
  const signing = isNearItsEnd ? following : present;
  const next = isNearItsEnd ? undefined : following;
  const isOfThisKind = (certificate: string): boolean => algorithmOf(certificate) === algorithm;
  const earlier = authoritiesIn(`${present?.certificate ?? ""}${stored}`, now).filter(isOfThisKind);
  if (signing === undefined || leftMs(signing, now) <= leafLifeMs) {
    return { kind: "lacking", signing: undefined, earlier };
  }
  if (next === undefined && leftMs(signing, now) <= 2 * leafLifeMs) return { kind: "lacking", signing, earlier };
  return { kind: "whole", signing, next, earlier };
}

export function clientAuthority({ ECDSA, RSA }: Halves<WholeHalf>): ClientAuthority {
  const successionOf = ({ signing, next }: WholeHalf): Succession => ({ signing, next });
  return {
    ECDSA: successionOf(ECDSA),
    RSA: RSA === undefined ? undefined : successionOf(RSA),
    // ECDSA first: programs that take one certificate of a file take the first.
    bundle: halfBundle(ECDSA) + (RSA === undefined ? "" : halfBundle(RSA)),
  };
}

function halfBundle({ signing, next, earlier }: WholeHalf): string {
  const following = next?.certificate ?? "";
  const others = earlier.filter((certificate) => certificate !== following);
  // A person's may end without a line feed, and another follows it.
  return bundleOf(`${signing.certificate.trimEnd()}\n`, others) + following;
}

function pairIn(secret: Secret | undefined, name: PairName): IssuedCertificate | undefined {
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

/** What there is to do where it is not kept. */
export type ClientAuthorityChange = Exclude<ClientAuthorityDecision, { readonly kind: "keep" }>;

export function renderClientAuthority(namespace: string, { ECDSA, RSA, bundle }: ClientAuthority): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: authoritySecretName, namespace },
    type: "kubernetes.io/tls",
    data: encodeData({
      ...pairAs("tls", ECDSA.signing),
      ...pairAs("next", ECDSA.next),
      ...pairAs("rsa", RSA?.signing),
      ...pairAs("rsa-next", RSA?.next),
      "ca.crt": bundle,
    }),
  };
}

function pairAs(name: PairName, pair: IssuedCertificate | undefined): Readonly<Record<string, string>> {
  return pair === undefined ? {} : { [`${name}.crt`]: pair.certificate, [`${name}.key`]: pair.privateKey };
}
