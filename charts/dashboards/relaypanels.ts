/** Panels that the fleet's dashboard and that of one relay share, so that a thing looks the same wherever it is met. */
import { figure, graph, half, type BuildsPanel, type PanelSize } from "./panel.ts";
import { chosenRelay as chosen } from "./variables.ts";

const small: PanelSize = { width: 4, height: 4 };

/** The one line of numbers at the top. */
export function headline(): BuildsPanel[] {
  return [...traffic(), ...health()];
}

function traffic(): BuildsPanel[] {
  return [
    figure(
      {
        title: "Accepted",
        description: "Messages answered 250 a second: each is synced to disk.",
        unit: "mps",
        queries: [
          {
            expr: `sum(rate(mailboat_submission_accepted_messages_total{${chosen}}[$__rate_interval]))`,
            legend: "accepted",
          },
        ],
      },
      small,
    ),
    figure(
      {
        title: "Delivered",
        description: "Recipients taken over by a next hop, a second.",
        unit: "mps",
        queries: [
          {
            expr: `sum(rate(mailboat_delivery_attempts_total{${chosen}, outcome="delivered"}[$__rate_interval]))`,
            legend: "delivered",
          },
        ],
      },
      small,
    ),
    figure(
      {
        title: "Queued",
        description: "Recipients in all spools whose outcome is open: on their way, waiting for a retry or held.",
        unit: "short",
        queries: [{ expr: `sum(mailboat_spool_queued_recipients{${chosen}})`, legend: "queued" }],
        thresholds: { warning: 10_000, critical: 100_000 },
        runbook: "mailboatmailwaiting",
      },
      small,
    ),
  ];
}

function health(): BuildsPanel[] {
  return [
    figure(
      {
        title: "Oldest due",
        description:
          "How long the recipient that is overdue longest has waited for an attempt. A message that waits for its retry time is not due. High: deliveries do not keep up.",
        unit: "s",
        queries: [{ expr: `max(${oldestDueAge})`, legend: "oldest due" }],
        thresholds: { warning: 60, critical: 300 },
        runbook: "mailboatmailwaiting",
      },
      small,
    ),
    figure(
      {
        title: "Within 5 minutes",
        description:
          "Share of the last hour's deliveries that the next hop took within five minutes: the service level objective.",
        unit: "percentunit",
        queries: [{ expr: withinFiveMinutes("1h"), legend: "within 5 min" }],
        runbook: "mailboatslowdelivery",
      },
      small,
    ),
    figure(
      {
        title: "Pods",
        description: "Relay pods that answer Prometheus.",
        unit: "short",
        queries: [{ expr: `count(mailboat_configuration_info{${chosen}})`, legend: "pods" }],
      },
      small,
    ),
  ];
}

/** Seconds; 0 while nothing is due. */
const oldestDueAge = `(time() - mailboat_spool_oldest_due_timestamp_seconds{${chosen}}) * (mailboat_spool_oldest_due_timestamp_seconds{${chosen}} > bool 0)`;

/** Prometheus 3 writes whole bucket limits as 300.0, Prometheus 2 as 300. */
function withinFiveMinutes(range: string): string {
  const good = `sum(rate(mailboat_delivery_seconds_bucket{${chosen}, le=~"300(\\\\.0)?"}[${range}]))`;
  return `${good} / sum(rate(mailboat_delivery_seconds_count{${chosen}}[${range}]))`;
}

export function flow(by: string): BuildsPanel[] {
  return [
    graph(
      {
        title: "In and out",
        description: "Messages accepted, and recipients by what their attempts came to.",
        unit: "mps",
        queries: [
          {
            expr: `sum(rate(mailboat_submission_accepted_messages_total{${chosen}}[$__rate_interval]))`,
            legend: "accepted",
          },
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
        title: "Queued recipients",
        description: "What waits in each spool. A line that only climbs means that more comes in than next hops take.",
        unit: "short",
        queries: [{ expr: `sum by (${by}) (mailboat_spool_queued_recipients{${chosen}})`, legend: `{{${by}}}` }],
        runbook: "mailboatmailwaiting",
      },
      half,
    ),
    graph(
      {
        title: "Accept to next hop",
        description:
          "Time from the 250 to the client until the next hop's 250. Points are single messages: click one to see its trace.",
        unit: "s",
        queries: quantiles("mailboat_delivery_seconds_bucket"),
        runbook: "mailboatslowdelivery",
      },
      half,
    ),
    graph(
      {
        title: "DATA to 250",
        description:
          "Time a client waits until its message is safe. Points are single messages: click one to see its trace.",
        unit: "s",
        queries: quantiles("mailboat_submission_accept_seconds_bucket"),
        thresholds: { warning: 0.5, critical: 2 },
      },
      half,
    ),
  ];
}

function quantiles(metric: string): { expr: string; legend: string; exemplar?: true }[] {
  return [0.5, 0.95, 0.99].map((quantile, index) => ({
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${metric}{${chosen}}[$__rate_interval])))`,
    legend: `p${quantile * 100}`,
    ...(index === 1 ? { exemplar: true as const } : {}),
  }));
}
