/** The certificate that the pods mount: a copy of what the relay's manifest names, or our own, beside which is one with an RSA key. */
import { X509Certificate } from "node:crypto";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { encodeData, secretText } from "../../kube/secret.ts";
import { fingerprintOf } from "../../../api/relayreport.ts";
import { type CertificateReading, readCertificate } from "../certificate.ts";
import type { IssuedCertificate } from "../world.ts";
import { certificateSecretName } from "./names.ts";
import { ownedMetadata } from "./owned.ts";

export interface CertificateContent {
  /** PEM, leaf first. */
  readonly chain: string;
  readonly privateKey: string;
  /** What clients may trust, when it is our own. */
  readonly authority?: string;
  /** For clients that know no other keys than RSA. */
  readonly rsa?: IssuedCertificate | undefined;
}

export function renderCertificate(relay: Stored<MailRelay>, content: CertificateContent): Secret {
  const authority = content.authority === undefined ? {} : { "ca.crt": content.authority };
  const rsa =
    content.rsa === undefined ? {} : { "rsa.crt": content.rsa.certificate, "rsa.key": content.rsa.privateKey };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: ownedMetadata(relay, certificateSecretName(relay.metadata.name)),
    type: "kubernetes.io/tls",
    data: encodeData({ "tls.crt": content.chain, "tls.key": content.privateKey, ...rsa, ...authority }),
  };
}

/** Of one of the two pairs in it. */
export function readingOf(certificate: Secret | undefined, pair: "tls" | "rsa" = "tls"): CertificateReading {
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
