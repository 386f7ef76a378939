/** How the pods of a relay are: certificate, keys, storage, CPU, spans. */
import { figure, graph, quarter, third, type BuildsPanel } from "../panel.ts";
import { spoolLimits, usage } from "../relaypanels.ts";
import { table } from "../table.ts";
import { units } from "../units.ts";
import { chosenRelay as chosen } from "../variables.ts";

const small = { width: 6, height: 4 };
const day = 86_400;

const figures: readonly BuildsPanel[] = [
  figure(
    {
      title: "Certificate ends in",
      description: "Time until the certificate that listeners serve ends; the earliest of all pods.",
      unit: units.seconds,
      queries: [
        {
          expr: `min(mailboat_tls_certificate_not_after_timestamp_seconds{${chosen}} - time())`,
          legend: "until it ends",
        },
      ],
      thresholds: { warning: 14 * day, critical: 7 * day },
      runbook: "mailboatcertificateexpiring",
    },
    small,
  ),
  figure(
    {
      title: "Domains without key",
      description: "Sender domains in the configuration that have no usable DKIM key.",
      unit: units.number,
      queries: [{ expr: `max(mailboat_configuration_sender_domains{${chosen}, dkim="none"})`, legend: "without key" }],
      thresholds: { warning: 1, critical: 100 },
      runbook: "mailboatdomainsunsigned",
    },
    small,
  ),
  figure(
    {
      title: "DKIM keys",
      description: "Usable keys by algorithm.",
      unit: units.number,
      queries: [{ expr: `max by (algorithm) (mailboat_configuration_dkim_keys{${chosen}})`, legend: "{{algorithm}}" }],
    },
    small,
  ),
  figure(
    {
      title: "Event loop lag p99",
      description:
        "How late the relay's main thread is, the latest of all pods. It has more work than one core can do: add replicas.",
      unit: units.seconds,
      queries: [{ expr: `max(nodejs_eventloop_lag_p99_seconds{${chosen}})`, legend: "p99" }],
      thresholds: { warning: 0.1, critical: 0.5 },
    },
    small,
  ),
];

const storage: readonly BuildsPanel[] = [
  graph(
    {
      title: "Spool use",
      description:
        "Share of its spool that each pod uses. Past the high watermark, 85 % by itself, new mail is answered 452.",
      unit: units.share,
      queries: [
        {
          expr: `max by (pod) (mailboat_spool_used_bytes{${chosen}} / mailboat_spool_capacity_bytes{${chosen}})`,
          legend: "{{pod}}",
        },
      ],
      thresholds: spoolLimits,
      max: 1,
      runbook: "mailboatspoolnearlyfull",
    },
    third,
  ),
  ...usage({ chosen, by: "pod", legend: "{{pod}}" }, third),
  graph(
    {
      title: "Spool transaction with sync",
      description: "Each 250 waits for one of these. A slow volume is to blame: see its storage class.",
      unit: units.seconds,
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
      unit: units.number,
      queries: [
        {
          expr: `sum(rate(mailboat_spool_committed_writes_total{${chosen}}[$__rate_interval])) / sum(rate(mailboat_spool_commit_seconds_count{${chosen}}[$__rate_interval]))`,
          legend: "writes a transaction",
        },
      ],
    },
    quarter,
  ),
];

const traffic: readonly BuildsPanel[] = [
  graph(
    {
      title: "From pod to pod",
      description:
        "Messages that leaving pods give to the others of the relay. Refused or unreachable: the peers are full, leave themselves or are not there; then the pod delivers by itself.",
      unit: units.messageRate,
      queries: [
        {
          expr: `sum by (result) (rate(mailboat_handoff_messages_total{${chosen}, direction="given"}[$__rate_interval]))`,
          legend: "given: {{result}}",
        },
        {
          expr: `sum by (result) (rate(mailboat_handoff_messages_total{${chosen}, direction="taken"}[$__rate_interval]))`,
          legend: "received: {{result}}",
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
      unit: units.spanRate,
      queries: [
        {
          expr: `sum(rate(mailboat_telemetry_spans_exported_total{${chosen}}[$__rate_interval]))`,
          legend: "exported",
        },
        {
          expr: `sum by (reason) (rate(mailboat_telemetry_spans_dropped_total{${chosen}}[$__rate_interval]))`,
          legend: "dropped: {{reason}}",
        },
      ],
      runbook: "mailboattraceslost",
    },
    quarter,
  ),
];

export const inside: readonly BuildsPanel[] = [
  ...figures,
  ...storage,
  ...traffic,
  table(
    {
      title: "Pods",
      description:
        "Each pod with the configuration that it runs with. Two revisions for more than a minute: a pod cannot use the newest.",
      labels: [
        { label: "pod", header: "Pod" },
        { label: "revision", header: "Configuration" },
      ],
      values: [
        {
          header: "Started",
          expr: `max by (pod, revision) (mailboat_configuration_info{${chosen}}) * on (pod) group_left () max by (pod) (process_start_time_seconds{${chosen}}) * 1000`,
          unit: units.since,
        },
      ],
      runbook: "mailboatconfigurationstale",
    },
    { width: 24, height: 6 },
  ),
];
