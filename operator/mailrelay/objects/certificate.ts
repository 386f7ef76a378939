/** The certificate that the pods mount: a copy of what the relay's manifest names, or our own. */
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Secret, Stored } from "../../kube/objects.ts";
import { encodeData } from "../../kube/secret.ts";
import { certificateSecretName } from "./names.ts";
import { ownedMetadata } from "./owned.ts";

export interface CertificateContent {
  /** PEM, leaf first. */
  readonly chain: string;
  readonly privateKey: string;
  /** What clients may trust, when it is our own. */
  readonly authority?: string;
}

export function renderCertificate(relay: Stored<MailRelay>, content: CertificateContent): Secret {
  const authority = content.authority === undefined ? {} : { "ca.crt": content.authority };
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: ownedMetadata(relay, certificateSecretName(relay.metadata.name)),
    type: "kubernetes.io/tls",
    data: encodeData({ "tls.crt": content.chain, "tls.key": content.privateKey, ...authority }),
  };
}
