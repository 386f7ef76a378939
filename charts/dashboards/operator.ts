/** The operator: does it look, does it write no more than it must, and what do resources wait for. */
import { annotations } from "./annotations.ts";
import type { DashboardWords } from "./dashboard.ts";
import { figure, graph, half, third, type BuildsPanel } from "./panel.ts";
import { allPods, usage } from "./relaypanels.ts";
import { table } from "./table.ts";
import { units } from "./units.ts";
import { choice, clusterChoice, sources } from "./variables.ts";

const series = "mailboat_operator_leader";
const chosen = 'cluster=~"$cluster", job=~"$job", pod=~"$pod"';
/** Of alerts that no relay is named in. */
const alerts = 'cluster=~"$cluster", mailboat_dev_relay=""';
const small = { width: 6, height: 4 };

const now: readonly BuildsPanel[] = [
  figure(
    {
      title: "Leaders",
      description:
        "Operators that hold the lease: one. None: nothing is reconciled, while relays go on with what they have. No data: no operator answers Prometheus.",
      unit: units.number,
      queries: [{ expr: `sum(mailboat_operator_leader{${chosen}})`, legend: "leaders" }],
      thresholds: { atLeast: 1 },
      runbook: "mailboatoperatorwithoutleader",
    },
    small,
  ),
  figure(
    {
      title: "Not ready",
      description: "MailRelays and SenderDomains whose condition Ready is not True: kubectl get mr,sd -A names them.",
      unit: units.number,
      queries: [
        {
          // A zero only of an operator that is there: one that is gone has no good news.
          expr: `sum(max by (kind, status) (mailboat_operator_resource_conditions{${chosen}, condition="Ready", status!="True"})) or 0 * sum(mailboat_operator_leader{${chosen}})`,
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
      title: "Relay pods ready",
      description: "Relay pods that take mail, of those that there should be.",
      unit: units.share,
      queries: [
        {
          // Standby operators have the same numbers.
          expr: `sum(max by (relay_namespace, mailboat_dev_relay) (mailboat_operator_relay_pods{${chosen}, state="ready"})) / (sum(max by (relay_namespace, mailboat_dev_relay) (mailboat_operator_relay_pods{${chosen}, state="wanted"})) > 0)`,
          legend: "ready",
        },
      ],
      thresholds: allPods,
      runbook: "mailboatpodsmissing",
    },
    small,
  ),
  figure(
    {
      title: "Waiting resources",
      description: "Resources that wait for their turn to be looked at.",
      unit: units.number,
      queries: [{ expr: `sum(mailboat_operator_queue_depth{${chosen}})`, legend: "waiting" }],
      thresholds: { warning: 100, critical: 1_000 },
      runbook: "mailboatoperatorfailing",
    },
    small,
  ),
];

const work: readonly BuildsPanel[] = [
  graph(
    {
      title: "Reconciles",
      description: "Looks at resources by kind and result. Failures are tried again with growing pauses.",
      unit: units.rate,
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
      unit: units.seconds,
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
      unit: units.seconds,
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
      unit: units.requestRate,
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
      unit: units.seconds,
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
      unit: units.rate,
      queries: [
        {
          expr: `sum by (resource) (rate(mailboat_operator_watch_restarts_total{${chosen}}[$__rate_interval]))`,
          legend: "{{resource}}",
        },
      ],
    },
    third,
  ),
];

const falseIsGood = "Draining|Reconciling|Stalled";

function conditions(matchers: string): string {
  return `mailboat_operator_resource_conditions{${chosen}, ${matchers}} > 0`;
}

const resources: readonly BuildsPanel[] = [
  table(
    {
      title: "Conditions that are not as they should be",
      description:
        "How many resources have each. Draining, Reconciling and Stalled should be False, all others True; kubectl describe says what to do.",
      labels: [
        { label: "kind", header: "Kind" },
        { label: "condition", header: "Condition" },
        { label: "status", header: "Status", colours: { False: "orange", True: "orange", Unknown: "text" } },
      ],
      values: [
        {
          header: "Resources",
          expr: `max by (kind, condition, status) (${conditions(`condition!~"${falseIsGood}", status!="True"`)} or ${conditions(`condition=~"${falseIsGood}", status!="False"`)})`,
          unit: units.number,
        },
      ],
      largestFirst: "Resources",
      runbook: "mailboatresourcenotready",
      noValue: "none",
    },
    half,
  ),
  graph(
    {
      title: "Objects in caches",
      description: "What the operator keeps in memory; of Secrets only their metadata.",
      unit: units.number,
      queries: [{ expr: `max by (kind) (mailboat_operator_cached_objects{${chosen}})`, legend: "{{kind}}" }],
    },
    half,
  ),
  ...usage({ chosen, by: "pod", legend: "{{pod}}" }, half),
];

export const operator: DashboardWords = {
  uid: "mailboat-operator",
  title: "Mailboat / Operator",
  description: "The operator: who leads, what waits, what the API server is asked, and which resources are not ready.",
  program: "operator",
  variables: [
    ...sources(),
    clusterChoice(series),
    choice({ name: "job", label: "Job", series: `${series}{cluster=~"$cluster"}`, of: "job", multi: true }),
    choice({
      name: "pod",
      label: "Pod",
      series: `${series}{cluster=~"$cluster", job=~"$job"}`,
      of: "pod",
      multi: true,
      all: ".*",
    }),
  ],
  annotations: annotations({ chosen, alerts }),
  rows: [
    { title: "Now", panels: now },
    { title: "Work", panels: work },
    { title: "API server", panels: server },
    { title: "Resources", panels: resources },
  ],
};
