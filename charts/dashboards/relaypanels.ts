/** Panels that the fleet's dashboard and that of one relay share, so that a thing looks the same wherever it is met. */
import { figure, graph, half, type BuildsPanel, type PanelSize, type Query, type Thresholds } from "./panel.ts";
import { units } from "./units.ts";
import { chosenByOperator, chosenRelay as chosen } from "./variables.ts";

const small: PanelSize = { width: 3, height: 4 };

/** Orange: less than the objective, 99.5 % within five minutes. Red: a month's budget of late mail is gone in three days. */
export const objective: Thresholds = { warning: 0.995, critical: 0.95 };
/** Seconds: late from five minutes on. */
export const waitingLimits: Thresholds = { warning: 300, critical: 3_600 };
export const lateLimits: Thresholds = { warning: 1, critical: 100 };
export const spoolLimits: Thresholds = { warning: 0.7, critical: 0.85 };
export const allPods: Thresholds = { warning: 1, critical: 0.5 };
/** Of what the container may use. */
export const memoryLimits: Thresholds = { warning: 0.8, critical: 0.95 };

/** Seconds; 0 while none waits. `matchers` choose the series of a timestamp that is 0 without a subject. */
export function age(metric: string, matchers: string): string {
  return `(time() - ${metric}{${matchers}}) * (${metric}{${matchers}} > bool 0)`;
}

/** No value while nothing was judged: a share of nothing is not 100 %. */
export function withinFiveMinutes(range: string, by?: string): string {
  const sum = by === undefined ? "sum" : `sum by (${by})`;
  const all = `${sum}(rate(mailboat_spool_objective_messages_total{${chosen}}[${range}]))`;
  return `${sum}(rate(mailboat_spool_objective_messages_total{${chosen}, result="in_time"}[${range}])) / (${all} > 0)`;
}

/**
 * How many in so long. What increase() cannot see is the first value of a series that began within the range, such as the one
 * message a day of a domain whose pod is new: it is added. Not where Prometheus itself is new, and saw nothing of the pod before.
 */
export function countedIn(range: "1h" | "24h", series: string): string {
  const starts = `process_start_time_seconds{${chosen}}`;
  const isNew = `max_over_time(${starts}[${range}]) > time() - ${range === "1h" ? 3_600 : 86_400}`;
  const first = `(min_over_time(${series}[${range}]) unless ${series} offset ${range}) and on (cluster, namespace, pod) (${starts} offset ${range} or ${isNew})`;
  return `round(sum(increase(${series}[${range}])) + (sum(${first}) or vector(0)))`;
}

/**
 * Of the pods that there should be, those that take mail: the operator knows both. Where it is not scraped, of the pods that
 * Kubernetes has those that answer Prometheus.
 */
export function podsReady(by?: string): string {
  const sum = by === undefined ? "sum" : `sum by (${by})`;
  const all = `${sum}(up{${chosen}}) / ${by === undefined ? "count" : `count by (${by})`}(up{${chosen}})`;
  return `${sum}(${podsOf("ready")}) / (${sum}(${podsOf("wanted")}) > 0) or ${all}`;
}

/** The operator's own namespace is another: the relay's gets the name that the pods' series have for it. */
function podsOf(state: "ready" | "wanted"): string {
  const told = `max by (cluster, relay_namespace, mailboat_dev_relay) (mailboat_operator_relay_pods{${chosenByOperator}, state="${state}"})`;
  return `label_replace(${told}, "namespace", "$1", "relay_namespace", "(.+)")`;
}

/** The one line of numbers at the top: what is wrong first, what moves last. */
export function headline(): BuildsPanel[] {
  return [...trouble(), pods, ...traffic()];
}

const pods = figure(
  {
    title: "Pods ready",
    description: "Pods that take mail, of those that there should be.",
    unit: units.share,
    queries: [{ expr: podsReady(), legend: "pods ready" }],
    thresholds: allPods,
    runbook: "mailboatpodsmissing",
  },
  small,
);

/** Of pods that answer: a counter is not there before its first event. */
function orZero(expr: string): string {
  return `(${expr} or 0 * sum(mailboat_configuration_info{${chosen}}))`;
}

const refusals = orZero(`sum(rate(mailboat_submission_refusals_total{${chosen}, code=~"4.."}[$__rate_interval]))`);
const acceptances = orZero(`sum(rate(mailboat_submission_accepted_messages_total{${chosen}}[$__rate_interval]))`);
const refusedForNow = orZero(`${refusals} / ((${refusals} + ${acceptances}) > 0)`);

function trouble(): BuildsPanel[] {
  return [
    figure(
      {
        title: "Within 5 minutes",
        description:
          "Share of the messages accepted whose five minutes ended in the last hour that had reached every recipient by then, or been refused for good and their sender told. A message that waits is late from its fifth minute on, whatever becomes of it.",
        unit: units.share,
        queries: [{ expr: withinFiveMinutes("1h"), legend: "within 5 min" }],
        thresholds: objective,
        runbook: "mailboatslowdelivery",
      },
      small,
    ),
    figure(
      {
        title: "Oldest waiting",
        description:
          "Age of the oldest message that was accepted and still waits, whatever for: an attempt, a retry, a person.",
        unit: units.seconds,
        queries: [
          { expr: `max(${age("mailboat_spool_oldest_waiting_timestamp_seconds", chosen)})`, legend: "oldest waiting" },
        ],
        thresholds: waitingLimits,
        runbook: "mailboatmailstuck",
      },
      small,
    ),
    figure(
      {
        title: "Late now",
        description: "Messages that wait and were accepted more than five minutes ago.",
        unit: units.number,
        queries: [
          { expr: `sum(mailboat_spool_waiting_messages{${chosen}, older_than="5m"})`, legend: "late messages" },
        ],
        thresholds: lateLimits,
        runbook: "mailboatmailstuck",
      },
      small,
    ),
    figure(
      {
        title: "Refused for now",
        description:
          "Share of what clients offered that was answered 4xx: a full spool, a limit, a domain without a key. Nothing is late that was never taken.",
        unit: units.share,
        queries: [{ expr: refusedForNow, legend: "refused for now" }],
        thresholds: { warning: 0.01, critical: 0.5 },
        runbook: "mailboatrefusing",
      },
      small,
    ),
  ];
}

function traffic(): BuildsPanel[] {
  return [
    figure(
      {
        title: "Queued recipients",
        description: "Recipients in all spools whose outcome is open: on their way, waiting for a retry or held.",
        unit: units.number,
        queries: [{ expr: `sum(mailboat_spool_queued_recipients{${chosen}})`, legend: "queued" }],
        thresholds: { warning: 10_000, critical: 100_000 },
        runbook: "mailboatmailwaiting",
      },
      small,
    ),
    figure(
      {
        title: "Accepted",
        description: "Messages answered 250 a second: each is synced to disk.",
        unit: units.messageRate,
        queries: [accepted],
      },
      small,
    ),
    figure(
      {
        title: "Delivered",
        description: "Recipients taken over by a next hop, a second.",
        unit: units.recipientRate,
        queries: [
          {
            expr: `sum(rate(mailboat_delivery_attempts_total{${chosen}, outcome="delivered"}[$__rate_interval]))`,
            legend: "delivered",
          },
        ],
      },
      small,
    ),
  ];
}

const accepted: Query = {
  expr: `sum(rate(mailboat_submission_accepted_messages_total{${chosen}}[$__rate_interval]))`,
  legend: "accepted",
};

/** `by` are labels, `legend` what the lines are called by them. */
export function flow({ by, legend }: { readonly by: string; readonly legend: string }): BuildsPanel[] {
  return [
    graph(
      {
        title: "In and out",
        description:
          "Messages accepted, and recipients by what their attempts came to: blue in, green out, purple captured (delivery.mode), orange put off, red given up.",
        unit: units.rate,
        queries: [
          accepted,
          {
            expr: `sum by (outcome) (rate(mailboat_delivery_attempts_total{${chosen}}[$__rate_interval]))`,
            legend: "{{outcome}}",
          },
        ],
      },
      half,
    ),
    graph(
      {
        title: "Late messages",
        description:
          "Messages that wait and were accepted longer ago than five minutes, an hour, a day. It climbs as soon as next hops take nothing, also when nothing is due.",
        unit: units.number,
        queries: [
          {
            expr: `sum by (older_than) (mailboat_spool_waiting_messages{${chosen}})`,
            legend: "older than {{older_than}}",
          },
        ],
        runbook: "mailboatmailstuck",
      },
      half,
    ),
    graph(
      {
        title: "Within 5 minutes, over time",
        description: "The objective, of the messages whose five minutes ended in the hour before each point.",
        unit: units.share,
        queries: [{ expr: withinFiveMinutes("1h", by), legend }],
        thresholds: objective,
        max: 1,
        runbook: "mailboatslowdelivery",
      },
      half,
    ),
    graph(
      {
        title: "Queued recipients, over time",
        description: "What waits in each spool. A line that only climbs means that more comes in than next hops take.",
        unit: units.number,
        queries: [{ expr: `sum by (${by}) (mailboat_spool_queued_recipients{${chosen}})`, legend }],
        runbook: "mailboatmailwaiting",
      },
      half,
    ),
    ...latencies(),
  ];
}

function latencies(): BuildsPanel[] {
  return [
    graph(
      {
        title: "Accept to next hop",
        description:
          "Time from the 250 to the client until the next hop's 250, of what was delivered. Points are single messages: click one to see its trace.",
        unit: units.seconds,
        queries: quantiles("mailboat_delivery_seconds_bucket"),
        thresholds: { warning: 60, critical: 300 },
        runbook: "mailboatslowdelivery",
      },
      half,
    ),
    graph(
      {
        title: "DATA to 250",
        description:
          "Time a client waits until its message is safe. Points are single messages: click one to see its trace.",
        unit: units.seconds,
        queries: quantiles("mailboat_submission_accept_seconds_bucket"),
        thresholds: { warning: 0.5, critical: 2 },
      },
      half,
    ),
  ];
}

function quantiles(metric: string): Query[] {
  return [0.5, 0.95, 0.99].map((quantile, index) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${metric}{${chosen}}[$__rate_interval])))`,
    legend: `p${quantile * 100}`,
    ...(index === 1 ? { exemplar: true as const } : {}),
  }));
}

export interface UsageWords {
  /** Matchers of the pods. */
  readonly chosen: string;
  readonly by: string;
  readonly legend: string;
}

/** What processes use, beside what they may use: both told by the processes themselves, whatever else is scraped. */
export function usage({ chosen: processes, by, legend }: UsageWords, size: PanelSize): BuildsPanel[] {
  return [
    graph(
      {
        title: "Memory of its limit",
        description:
          "Resident memory of each pod, as a share of its container's limit, or of the machine's memory where it has none. At its limit the kernel ends it.",
        unit: units.share,
        queries: [
          {
            expr: `max by (${by}) (process_resident_memory_bytes{${processes}}) / max by (${by}) (mailboat_process_memory_limit_bytes{${processes}})`,
            legend,
          },
        ],
        thresholds: memoryLimits,
        max: 1,
      },
      size,
    ),
    graph(
      {
        title: "CPU",
        description:
          "Cores used by each pod, and the smallest limit of them: of its container, or the cores of the machine where it has none.",
        unit: units.cores,
        queries: [
          { expr: `sum by (${by}) (rate(process_cpu_seconds_total{${processes}}[$__rate_interval]))`, legend },
          { expr: `min(mailboat_process_cpu_limit_cores{${processes}})`, legend: "limit" },
        ],
      },
      size,
    ),
  ];
}
