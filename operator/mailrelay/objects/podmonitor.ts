/** The PodMonitor of prometheus-operator: one for the relay, whatever the number of its domains. */
import { relayLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { PodMonitor } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { ownedMetadata } from "./owned.ts";

export function renderPodMonitor(relay: Stored<MailRelay>): PodMonitor {
  const { name } = relay.metadata;
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PodMonitor",
    metadata: ownedMetadata(relay, name),
    spec: {
      selector: { matchLabels: { [relayLabel]: name } },
      podTargetLabels: [relayLabel],
      podMetricsEndpoints: [{ port: "http", path: "/metrics" }],
    },
  };
}
