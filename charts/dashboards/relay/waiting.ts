/** Who waits, for whom, and how long already. */
import { destinationLogsUrl } from "../explore.ts";
import { graph, quarter, type BuildsPanel } from "../panel.ts";
import { age, lateLimits, waitingLimits } from "../relaypanels.ts";
import { table } from "../table.ts";
import { units } from "../units.ts";
import { chosenRelay as chosen } from "../variables.ts";

export const waiting: readonly BuildsPanel[] = [
  graph(
    {
      title: "Oldest due",
      description:
        "How long the recipient that is overdue longest has waited for an attempt. A message that waits for its retry time is not due. High: deliveries do not keep up.",
      unit: units.seconds,
      queries: [
        {
          expr: `max by (pod) (${age("mailboat_spool_oldest_due_timestamp_seconds", chosen)})`,
          legend: "{{pod}}",
        },
      ],
      thresholds: { warning: 60, critical: 300 },
      runbook: "mailboatmailwaiting",
    },
    quarter,
  ),
  graph(
    {
      title: "Longest queues by destination",
      description:
        "Recipients that wait, by their domain. One line far above the others: that destination does not take mail.",
      unit: units.number,
      queries: [
        {
          expr: `topk(10, sum by (destination) (mailboat_spool_destination_queued_recipients{${chosen}}))`,
          legend: "{{destination}}",
        },
      ],
      links: [{ title: "Its lines of the log", url: destinationLogsUrl("${__field.labels.destination}") }],
      runbook: "mailboatdestinationfailing",
    },
    quarter,
  ),
  graph(
    {
      title: "Longest queues by sender domain",
      description: "Recipients that wait, by the domain that sent to them.",
      unit: units.number,
      queries: [
        {
          expr: `topk(10, sum by (domain) (mailboat_spool_domain_queued_recipients{${chosen}}))`,
          legend: "{{domain}}",
        },
      ],
      runbook: "mailboatmailwaiting",
    },
    quarter,
  ),
  table(
    {
      title: "Late mail by sender domain",
      description:
        "Sender domains with messages that were accepted more than five minutes ago and still wait, the oldest first. (other) are those that have no row.",
      labels: [{ label: "domain", header: "Sender domain" }],
      values: [
        {
          header: "Oldest",
          expr: `max by (domain) (${age("mailboat_spool_domain_oldest_waiting_timestamp_seconds", chosen)})`,
          unit: units.seconds,
          thresholds: waitingLimits,
        },
        {
          header: "Late",
          expr: `sum by (domain) (mailboat_spool_domain_waiting_messages{${chosen}, older_than="5m"})`,
          unit: units.number,
          thresholds: lateLimits,
        },
      ],
      largestFirst: "Oldest",
      runbook: "mailboatmailstuck",
      noValue: "-",
    },
    quarter,
  ),
];
