/**
 * The Certificate that cert-manager is asked for. It carries the host name alone: public authorities sign no Service
 * names and would refuse the whole request.
 */
import { labelsFor } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { Certificate } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { issuedSecretName } from "./names.ts";
import { ownedMetadata } from "./owned.ts";

type IssuerRef = NonNullable<MailRelay["spec"]["tls"]["certManager"]>["issuerRef"];

export function renderIssuance(relay: Stored<MailRelay>, issuerRef: IssuerRef): Certificate {
  const { name } = relay.metadata;
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata: ownedMetadata(relay, name),
    spec: {
      secretName: issuedSecretName(name),
      // So that a renewal is seen at once.
      secretTemplate: { labels: labelsFor(name) },
      dnsNames: [relay.spec.hostname],
      issuerRef: { name: issuerRef.name, kind: issuerRef.kind, group: issuerRef.group },
      privateKey: { rotationPolicy: "Always" },
    },
  };
}
