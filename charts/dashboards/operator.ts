/** The operator: does it look, does it write no more than it must, and what do resources wait for. */
import type { DashboardWords } from "./dashboard.ts";
import { figure, graph, half, table, third, type BuildsPanel } from "./panel.ts";
import { choice, sources } from "./variables.ts";

const series = "mailboat_operator_leader";
const chosen = 'job=~"$job", instance=~"$instance"';
const small = { width: 6, height: 4 };

const now: readonly BuildsPanel[] = [
  figure(
    {
      title: "Leaders",
      description:
        "Operators that hold the lease: one. None: nothing is reconciled, while relays go on with what they have.",
      unit: "short",
      queries: [{ expr: `sum(mailboat_operator_leader{${chosen}})`, legend: "leaders" }],
      runbook: "mailboatoperatorwithoutleader",
    },
    small,
  ),
  figure(
    {
      title: "Waiting resources",
      description: "Resources that wait for their turn to be looked at.",
      unit: "short",
      queries: [{ expr: `sum(mailboat_operator_queue_depth{${chosen}})`, legend: "waiting" }],
      thresholds: { warning: 100, critical: 1_000 },
      runbook: "mailboatoperatorfailing",
    },
    small,
  ),
  figure(
    {
      title: "Not ready",
      description: "MailRelays and SenderDomains whose condition Ready is not True: kubectl get mr,sd -A names them.",
      unit: "short",
      queries: [
        {
          expr: `sum(max by (kind, status) (mailboat_operator_resource_conditions{${chosen}, condition="Ready", status!="True"})) or vector(0)`,
          legend: "not ready",
        },
      ],
      thresholds: { warning: 1, critical: 10 },
      runbook: "mailboatresourcenotready",
    },
    small,
  ),
  figure(
    {
      title: "Memory",
      description: "Resident memory, the largest of all operators.",
      unit: "bytes",
      queries: [{ expr: `max(process_resident_memory_bytes{${chosen}})`, legend: "memory" }],
      thresholds: { warning: 200e6, critical: 250e6 },
    },
    small,
  ),
];

const work: readonly BuildsPanel[] = [
  graph(
    {
      title: "Reconciles",
      description: "Looks at resources by kind and result. Failures are tried again with growing pauses.",
      unit: "ops",
      queries: [
        {
          expr: `sum by (kind, result) (rate(mailboat_operator_reconcile_seconds_count{${chosen}}[$__rate_interval]))`,
          legend: "{{kind}} {{result}}",
        },
      ],
      runbook: "mailboatoperatorfailing",
    },
    third,
  ),
  graph(
    {
      title: "Reconcile time",
      description: "How long one look takes, what it writes included.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, kind) (rate(mailboat_operator_reconcile_seconds_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{kind}} p95",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Time in the queue",
      description: "How long a resource waits until it is looked at.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, kind) (rate(mailboat_operator_queue_wait_seconds_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{kind}} p95",
        },
      ],
    },
    third,
  ),
];

const server: readonly BuildsPanel[] = [
  graph(
    {
      title: "Requests by verb and code",
      description: "What the operator asks of the API server. When nothing changes there are no writes but the Lease.",
      unit: "reqps",
      queries: [
        {
          expr: `sum by (verb, code) (rate(mailboat_operator_requests_total{${chosen}}[$__rate_interval]))`,
          legend: "{{verb}} {{code}}",
        },
      ],
      runbook: "mailboatoperatorfailing",
    },
    third,
  ),
  graph(
    {
      title: "Request time",
      description: "Until the head of the API server's answer.",
      unit: "s",
      queries: [
        {
          expr: `histogram_quantile(0.95, sum by (le, verb) (rate(mailboat_operator_request_seconds_bucket{${chosen}}[$__rate_interval])))`,
          legend: "{{verb}} p95",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Watches begun again",
      description:
        "Watches end every few minutes in good order. Many more: something between operator and API server cuts them.",
      unit: "ops",
      queries: [
        {
          expr: `sum by (resource) (rate(mailboat_operator_watch_restarts_total{${chosen}}[$__rate_interval]))`,
          legend: "{{resource}}",
        },
      ],
    },
    third,
  ),
  table(
    {
      title: "Resources by condition",
      description: "How many resources have each condition, and with which status.",
      unit: "short",
      queries: [
        {
          expr: `max by (kind, condition, status) (mailboat_operator_resource_conditions{${chosen}})`,
          legend: "resources",
        },
      ],
      runbook: "mailboatresourcenotready",
    },
    half,
  ),
  graph(
    {
      title: "Objects in caches",
      description: "What the operator keeps in memory; of Secrets only their metadata.",
      unit: "short",
      queries: [{ expr: `max by (kind) (mailboat_operator_cached_objects{${chosen}})`, legend: "{{kind}}" }],
    },
    half,
  ),
];

export const operator: DashboardWords = {
  uid: "mailboat-operator",
  title: "Mailboat / Operator",
  description: "The operator: who leads, what waits, what the API server is asked, and which resources are not ready.",
  variables: [
    ...sources(),
    choice({ name: "job", label: "Job", series, of: "job", multi: true }),
    choice({ name: "instance", label: "Instance", series: `${series}{job=~"$job"}`, of: "instance", multi: true }),
  ],
  rows: [
    { title: "Now", panels: now },
    { title: "Work", panels: work },
    { title: "API server", panels: server },
  ],
};
