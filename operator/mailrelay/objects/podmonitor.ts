/** The PodMonitor of prometheus-operator: one for the relay, whatever the number of its domains. */
import { relayLabel } from "../../../api/labels.ts";
import type { MailRelay } from "../../../api/mailrelay.ts";
import type { PodMonitor } from "../../kube/kinds.ts";
import type { Stored } from "../../kube/objects.ts";
import { parseDuration } from "../../../api/duration.ts";
import { ownedMetadata } from "../../owned/metadata.ts";

export function renderPodMonitor(relay: Stored<MailRelay>): PodMonitor {
  const { name } = relay.metadata;
  const { labels, interval } = relay.spec.monitoring?.podMonitor ?? {};
  const metadata = ownedMetadata(relay, name);
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PodMonitor",
    // Ours come last: caches find it by them.
    metadata: { ...metadata, labels: { ...labels, ...metadata.labels } },
    spec: {
      selector: { matchLabels: { [relayLabel]: name } },
      podTargetLabels: [relayLabel],
      podMetricsEndpoints: [
        {
          port: "http",
          path: "/metrics",
          ...(interval === undefined ? {} : { interval: prometheusDuration(interval) }),
        },
      ],
    },
  };
}

/** Prometheus wants units in order and each once, which our grammar does not ask for. */
function prometheusDuration(text: string): string {
  return `${parseDuration(text) ?? 0}ms`;
}
