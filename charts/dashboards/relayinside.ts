/** How the pods of a relay are: certificate, keys, storage, CPU, spans. */
import { figure, graph, quarter, table, type BuildsPanel } from "./panel.ts";
import { chosenRelay as chosen } from "./variables.ts";

export const inside: readonly BuildsPanel[] = [
  figure(
    {
      title: "Certificate ends in",
      description: "Time until the certificate that listeners serve ends; the earliest of all pods.",
      unit: "s",
      queries: [
        {
          expr: `min(mailboat_tls_certificate_not_after_timestamp_seconds{${chosen}} - time())`,
          legend: "until it ends",
        },
      ],
      runbook: "mailboatcertificateexpiring",
    },
    { width: 6, height: 4 },
  ),
  figure(
    {
      title: "Domains without key",
      description: "Sender domains in the configuration that have no usable DKIM key.",
      unit: "short",
      queries: [{ expr: `max(mailboat_configuration_sender_domains{${chosen}, dkim="none"})`, legend: "without key" }],
      thresholds: { warning: 1, critical: 100 },
    },
    { width: 6, height: 4 },
  ),
  figure(
    {
      title: "DKIM keys",
      description: "Usable keys by algorithm.",
      unit: "short",
      queries: [{ expr: `max by (algorithm) (mailboat_configuration_dkim_keys{${chosen}})`, legend: "{{algorithm}}" }],
    },
    { width: 6, height: 4 },
  ),
  figure(
    {
      title: "Event loop lag p99",
      description:
        "How late the relay's main thread is. Above 100 ms it has more work than one core can do: add replicas.",
      unit: "s",
      queries: [{ expr: `max(nodejs_eventloop_lag_p99_seconds{${chosen}})`, legend: "p99" }],
      thresholds: { warning: 0.1, critical: 0.5 },
    },
    { width: 6, height: 4 },
  ),
  graph(
    {
      title: "Spool transaction with sync",
      description: "Each 250 waits for one of these. Above 50 ms the volume is slow: see its storage class.",
      unit: "s",
      queries: [0.5, 0.99].map((quantile) => ({
        expr: `histogram_quantile(${quantile}, sum by (le) (rate(mailboat_spool_commit_seconds_bucket{${chosen}}[$__rate_interval])))`,
        legend: `p${quantile * 100}`,
      })),
      thresholds: { warning: 0.05, critical: 0.5 },
    },
    quarter,
  ),
  graph(
    {
      title: "Writes that share a sync",
      description: "How many writes joined one transaction: the busier, the larger.",
      unit: "short",
      queries: [
        {
          expr: `sum(rate(mailboat_spool_committed_writes_total{${chosen}}[$__rate_interval])) / sum(rate(mailboat_spool_commit_seconds_count{${chosen}}[$__rate_interval]))`,
          legend: "writes a transaction",
        },
      ],
    },
    quarter,
  ),
  graph(
    {
      title: "CPU",
      description: "Cores used by each pod.",
      unit: "short",
      queries: [
        {
          expr: `sum by (instance) (rate(process_cpu_seconds_total{${chosen}}[$__rate_interval]))`,
          legend: "{{instance}}",
        },
      ],
    },
    quarter,
  ),
  graph(
    {
      title: "Spans",
      description:
        "Parts of traces that the collector took, and those that were dropped: queue_full, more end than it takes; export_failed, it did not take them. All at zero: nothing is traced.",
      unit: "short",
      queries: [
        {
          expr: `sum(rate(mailboat_telemetry_spans_exported_total{${chosen}}[$__rate_interval]))`,
          legend: "exported a second",
        },
        {
          expr: `sum by (reason) (rate(mailboat_telemetry_spans_dropped_total{${chosen}}[$__rate_interval]))`,
          legend: "dropped a second: {{reason}}",
        },
      ],
      runbook: "mailboattraceslost",
    },
    quarter,
  ),
  table(
    {
      title: "Revision by pod",
      description: "The configuration that each pod runs with.",
      unit: "short",
      queries: [{ expr: `max by (instance, revision) (mailboat_configuration_info{${chosen}})`, legend: "revision" }],
      runbook: "mailboatconfigurationstale",
    },
    { width: 12, height: 6 },
  ),
  graph(
    {
      title: "From pod to pod",
      description:
        "Messages that leaving pods give to the others of the relay. Refused or unreachable: the peers are full, leave themselves or are not there; then the pod delivers by itself.",
      unit: "short",
      queries: [
        {
          expr: `sum by (result) (rate(mailboat_handoff_messages_total{${chosen}, direction="given"}[$__rate_interval]))`,
          legend: "given a second: {{result}}",
        },
        {
          expr: `sum by (result) (rate(mailboat_handoff_messages_total{${chosen}, direction="taken"}[$__rate_interval]))`,
          legend: "taken a second: {{result}}",
        },
      ],
    },
    { width: 12, height: 6 },
  ),
];
