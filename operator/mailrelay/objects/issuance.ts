/**
 * The Certificate that cert-manager is asked for. It carries the host name and what the manifest adds: public authorities sign
 * no Service names and would refuse the whole request.
 */
import { labelsFor } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Certificate } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { issuedSecretName } from "../../owned/names.ts";
import { ownedMetadata } from "../../owned/metadata.ts";

const keys = { ECDSA: { algorithm: "ECDSA", size: 256 }, RSA: { algorithm: "RSA", size: 2048 } } as const;

type Asked = NonNullable<MailRelay["spec"]["tls"]["certManager"]>;

export function renderIssuance(relay: Stored<MailRelay>, asked: Asked): Certificate {
  const { name } = relay.metadata;
  const { issuerRef, dnsNames = [], duration, renewBefore, algorithm } = asked;
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata: ownedMetadata(relay, name),
    spec: {
      secretName: issuedSecretName(name),
      // So that a renewal is seen at once.
      secretTemplate: { labels: labelsFor(name) },
      dnsNames: [...new Set([relay.spec.hostname, ...dnsNames])],
      issuerRef: { name: issuerRef.name, kind: issuerRef.kind, group: issuerRef.group },
      privateKey: { rotationPolicy: "Always", ...(algorithm === undefined ? {} : keys[algorithm]) },
      ...(duration === undefined ? {} : { duration }),
      ...(renewBefore === undefined ? {} : { renewBefore }),
    },
  };
}
