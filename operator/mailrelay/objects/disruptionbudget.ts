/**
 * The PodDisruptionBudget: a node drain takes one pod at a time. A pod that is not ready may always be evicted, because
 * it serves nobody and would hold up the drain for ever.
 */
import { relayLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { PodDisruptionBudget } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { ownedMetadata } from "../../owned/metadata.ts";

export function renderDisruptionBudget(relay: Stored<MailRelay>): PodDisruptionBudget {
  const { name } = relay.metadata;
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: ownedMetadata(relay, name),
    spec: {
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: "AlwaysAllow",
      selector: { matchLabels: { [relayLabel]: name } },
    },
  };
}
