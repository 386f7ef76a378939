/** The ServiceAccount of the pods. It has no rights and no token is mounted: a relay never talks to the API server. */
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { ServiceAccount } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { ownedMetadata } from "../../owned/metadata.ts";

export function renderServiceAccount(relay: Stored<MailRelay>): ServiceAccount {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: ownedMetadata(relay, relay.metadata.name),
    automountServiceAccountToken: false,
  };
}
