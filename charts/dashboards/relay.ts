/** One relay: where its mail comes from, where it goes, and what stands in its way. */
import type { DashboardWords } from "./dashboard.ts";
import { figure, graph, table, type BuildsPanel } from "./panel.ts";
import { flow, headline } from "./relaypanels.ts";
import { chosenRelay as chosen, relayChoices, sources } from "./variables.ts";

const half = { width: 12, height: 8 };
const quarter = { width: 6, height: 8 };
const third = { width: 8, height: 8 };

const incoming: readonly BuildsPanel[] = [
  graph(
    {
      title: "Refusals by reply",
      description:
        "Commands and messages that clients were refused. 535 is a wrong password, 550 5.7.1 a sender that is not granted, 452 a full spool.",
      unit: "reqps",
      queries: [
        {
          expr: `sum by (code, enhanced) (rate(mailboat_submission_refusals_total{${chosen}}[$__rate_interval]))`,
          legend: "{{code}} {{enhanced}}",
        },
      ],
      runbook: "mailboatrefusing",
    },
    half,
  ),
  graph(
    {
      title: "Logins",
      description:
        "AUTH exchanges by mechanism and result. A rise of failures is an application with an old password, or somebody who guesses.",
      unit: "reqps",
      queries: [
        {
          expr: `sum by (mechanism, result) (rate(mailboat_submission_authentications_total{${chosen}}[$__rate_interval]))`,
          legend: "{{mechanism}} {{result}}",
        },
      ],
    },
    half,
  ),
  graph(
    {
      title: "Messages by TLS",
      description: "Messages accepted by listener and TLS version; none is mail in the clear.",
      unit: "mps",
      queries: [
        {
          expr: `sum by (listener, tls) (rate(mailboat_submission_accepted_messages_total{${chosen}}[$__rate_interval]))`,
          legend: "{{listener}} {{tls}}",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Octets in",
      description: "Size of the messages accepted.",
      unit: "Bps",
      queries: [
        {
          expr: `sum by (listener) (rate(mailboat_submission_accepted_bytes_total{${chosen}}[$__rate_interval]))`,
          legend: "{{listener}}",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Client connections",
      description: "Open sessions by listener.",
      unit: "short",
      queries: [{ expr: `sum by (listener) (mailboat_submission_connections{${chosen}})`, legend: "{{listener}}" }],
    },
    third,
  ),
];

const outgoing: readonly BuildsPanel[] = [
  graph(
    {
      title: "Deferred and failed by destination",
      description:
        "The destinations that refuse most. Reply none: nobody answered, so look at DNS, routes and firewalls.",
      unit: "mps",
      queries: [
        {
          expr: `topk(10, sum by (destination, outcome, reply) (rate(mailboat_delivery_destination_recipients_total{${chosen}, outcome!="delivered"}[$__rate_interval])))`,
          legend: "{{destination}} {{outcome}} {{reply}}",
        },
      ],
      runbook: "mailboatdestinationfailing",
    },
    half,
  ),
  graph(
    {
      title: "Delivered by destination",
      description: "The destinations that take most.",
      unit: "mps",
      queries: [
        {
          expr: `topk(10, sum by (destination) (rate(mailboat_delivery_destination_recipients_total{${chosen}, outcome="delivered"}[$__rate_interval])))`,
          legend: "{{destination}}",
        },
      ],
    },
    half,
  ),
  graph(
    {
      title: "Connections to next hops",
      description: "Connections opened, by TLS version, and those that could not be.",
      unit: "reqps",
      queries: [
        {
          expr: `sum by (result, tls) (rate(mailboat_delivery_connections_total{${chosen}}[$__rate_interval]))`,
          legend: "{{result}} {{tls}}",
        },
      ],
      runbook: "mailboatdestinationfailing",
    },
    third,
  ),
  graph(
    {
      title: "Notices to senders",
      description: "Delivery status notices written: failed is a bounce.",
      unit: "mps",
      queries: [
        {
          expr: `sum by (notice) (rate(mailboat_delivery_notices_total{${chosen}}[$__rate_interval]))`,
          legend: "{{notice}}",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Attempts by reply code",
      description: "What next hops answered, recipient by recipient.",
      unit: "mps",
      queries: [
        {
          expr: `sum by (outcome, code) (rate(mailboat_delivery_attempts_total{${chosen}}[$__rate_interval]))`,
          legend: "{{outcome}} {{code}}",
        },
      ],
    },
    third,
  ),
];

const waiting: readonly BuildsPanel[] = [
  graph(
    {
      title: "Longest queues by destination",
      description:
        "Recipients that wait, by their domain. One line far above the others: that destination does not take mail.",
      unit: "short",
      queries: [
        {
          expr: `topk(10, sum by (destination) (mailboat_spool_destination_queued_recipients{${chosen}}))`,
          legend: "{{destination}}",
        },
      ],
      runbook: "mailboatdestinationfailing",
    },
    third,
  ),
  graph(
    {
      title: "Longest queues by sender domain",
      description: "Recipients that wait, by the domain that sent to them.",
      unit: "short",
      queries: [
        {
          expr: `topk(10, sum by (domain) (mailboat_spool_domain_queued_recipients{${chosen}}))`,
          legend: "{{domain}}",
        },
      ],
      runbook: "mailboatmailwaiting",
    },
    third,
  ),
  graph(
    {
      title: "Time in each phase, p95",
      description:
        "Where attempts spend their time. wait is from acceptance to the first attempt: it grows when deliveries do not keep up; the others are the network's and the next hop's.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, phase) (rate(mailboat_delivery_phase_seconds_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{phase}}",
        },
      ],
      runbook: "mailboatslowdelivery",
    },
    third,
  ),
];

const inside: readonly BuildsPanel[] = [
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
    { width: 24, height: 6 },
  ),
];

export const relay: DashboardWords = {
  uid: "mailboat-relay",
  title: "Mailboat / Relay",
  description: "One relay: where its mail comes from, where it goes, what waits, and how its pods are.",
  variables: [...sources(), ...relayChoices({ oneRelay: true })],
  rows: [
    { title: "Now", panels: headline() },
    { title: "Flow", panels: flow("instance") },
    { title: "Clients", panels: incoming },
    { title: "Next hops", panels: outgoing },
    { title: "Waiting", panels: waiting },
    { title: "Inside", panels: inside },
  ],
};
