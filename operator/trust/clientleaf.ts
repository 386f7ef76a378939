/**
 * The certificate that clients are shown and pods mount: a copy of what the relay's manifest names, or our own, beside which is one
 * with an RSA key; when our own has to be made anew. Pure.
 */
import { X509Certificate } from "node:crypto";
import type { MailRelay } from "../../api/mailrelay.ts";
import type { Secret, Stored } from "../kube/objects.ts";
import { encodeData, secretText } from "../kube/secret.ts";
import { fingerprintOf } from "../../api/relayreport.ts";
import { isSignedByOneOf } from "./bundle.ts";
import {
  algorithmOf,
  type CertificateReading,
  type IssuedCertificate,
  type KeyAlgorithm,
  readCertificate,
  reissueReason,
} from "./certificate.ts";
import type { ClientAuthority, Halves } from "./clientauthority.ts";
import type { LeafIssue, LeafPair } from "./request.ts";
import { certificateSecretName } from "../owned/names.ts";
import { ownedMetadata } from "../owned/metadata.ts";

export interface CertificateContent {
  /** PEM, leaf first. */
  readonly chain: string;
  readonly privateKey: string;
}

export function renderCertificate(relay: Stored<MailRelay>, { chain, privateKey }: CertificateContent): Secret {
  return certificateSecret(relay, { "tls.crt": chain, "tls.key": privateKey });
}

function certificateSecret(relay: Stored<MailRelay>, values: Readonly<Record<string, string>>): Secret {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: ownedMetadata(relay, certificateSecretName(relay.metadata.name)),
    type: "kubernetes.io/tls",
    data: encodeData(values),
  };
}

/** Of one of the two pairs in it. */
export function readingOf(certificate: Secret | undefined, pair: LeafPair = "tls"): CertificateReading {
  return readCertificate(secretText(certificate, `${pair}.crt`), secretText(certificate, `${pair}.key`));
}

/** What pods report once they show all that is in it; undefined of one that cannot be shown. */
export function shownFingerprint(certificate: Secret | undefined): string | undefined {
  const chain = secretText(certificate, "tls.crt");
  if (chain === undefined || readingOf(certificate).kind !== "usable") return undefined;
  const rsa = secretText(certificate, "rsa.crt");
  const isBoth = rsa !== undefined && readingOf(certificate, "rsa").kind === "usable";
  return fingerprintOf([chain, ...(isBoth ? [rsa] : [])].map((pem) => new X509Certificate(pem)));
}

/**
 * Which key each pair of a relay's own certificate has, as its manifest asks. Where the authority that a person gave has no RSA one
 * beside it, there is the ECDSA pair alone.
 */
export function leavesOf(
  algorithms: readonly KeyAlgorithm[] = ["ECDSA", "RSA"],
  { RSA }: Pick<Halves<unknown>, "RSA">,
): Readonly<Record<LeafPair, KeyAlgorithm | undefined>> {
  const isWithRsa = RSA !== undefined && algorithms.includes("RSA");
  if (isWithRsa && !algorithms.includes("ECDSA")) return { tls: "RSA", rsa: undefined };
  return { tls: "ECDSA", rsa: isWithRsa ? "RSA" : undefined };
}

/** Kinds of keys that the manifest names and that no certificate of the relay has, because the authority that a person gave has none. */
export function lackingKeys(
  algorithms: readonly KeyAlgorithm[] = [],
  authority: ClientAuthority,
): readonly KeyAlgorithm[] {
  const wanted = leavesOf(algorithms, authority);
  const halves = [wanted.tls, wanted.rsa].filter((half) => half !== undefined);
  const made = halves
    .flatMap((half) => authority[half]?.signing ?? [])
    .map(({ certificate }) => algorithmOf(certificate));
  return algorithms.filter((algorithm) => !made.includes(algorithm));
}

export interface ClientLeafQuestion {
  /** What the pods mount now. */
  readonly certificate: Secret | undefined;
  readonly authority: ClientAuthority;
  /** That it must carry. */
  readonly names: readonly string[];
  /** Kinds of keys that the manifest asks for. */
  readonly algorithms: readonly KeyAlgorithm[] | undefined;
  readonly now: number;
}

/** What is to be made for the clients of a relay where what pods show does not serve; undefined where it does. What serves stays. */
export function decideClientLeaf(relay: Stored<MailRelay>, question: ClientLeafQuestion): LeafIssue | undefined {
  const { certificate, authority, names, algorithms, now } = question;
  const values: Record<string, string> = { "ca.crt": authority.bundle };
  const leaves: LeafIssue["leaves"][number][] = [];
  let isTooMuch = false;
  const wanted = leavesOf(algorithms, authority);
  for (const pair of ["tls", "rsa"] as const) {
    const algorithm = wanted[pair];
    const signing = algorithm === undefined ? undefined : authority[algorithm]?.signing;
    if (algorithm === undefined || signing === undefined) {
      isTooMuch ||= secretText(certificate, `${pair}.crt`) !== undefined;
      continue;
    }
    const serving = servingPair(pair, question);
    // A person's authority has the key that it has: what is issued is of its kind, wherever it stands.
    if (serving !== undefined && algorithmOf(serving.certificate) === algorithmOf(signing.certificate)) {
      Object.assign(values, { [`${pair}.crt`]: serving.certificate, [`${pair}.key`]: serving.privateKey });
    } else leaves.push({ pair, request: { authority: signing, names, now } });
  }
  const isInForce = leaves.length === 0 && !isTooMuch && secretText(certificate, "ca.crt") === authority.bundle;
  return isInForce ? undefined : { secret: certificateSecret(relay, values), leaves };
}

/** One that was copied from a Secret is not ours to go on with. */
function servingPair(
  pair: LeafPair,
  { certificate: present, authority, names, now }: ClientLeafQuestion,
): IssuedCertificate | undefined {
  const certificate = secretText(present, `${pair}.crt`);
  const privateKey = secretText(present, `${pair}.key`);
  if (certificate === undefined || privateKey === undefined) return undefined;
  const reading = readCertificate(certificate, privateKey);
  if (reissueReason({ reading, names, now }) !== undefined || !isSignedByOneOf(certificate, authority.bundle))
    return undefined;
  return { certificate, privateKey };
}
