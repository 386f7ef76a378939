/** One sender domain: what a tenant asks about. */
import { annotations, configurationChanges } from "./annotations.ts";
import type { DashboardWords } from "./dashboard.ts";
import { logsUrl } from "./explore.ts";
import { figure, graph, half, type BuildsPanel } from "./panel.ts";
import { age, countedIn, lateLimits, waitingLimits } from "./relaypanels.ts";
import { units } from "./units.ts";
import { alertsOfRelay, byRelay, choice, chosenRelay, relayChoices, sources } from "./variables.ts";

const small = { width: 4, height: 4 };
const chosen = `${chosenRelay}, domain=~"$domain"`;
const outcomes = "mailboat_delivery_domain_recipients_total";
const relayName = "{{namespace}}/{{mailboat_dev_relay}}";
const bounceLimits = { warning: 0.02, critical: 0.05 };

/** Of the recipients with a final outcome. */
function bounceRate(range: string): string {
  return `sum(increase(${outcomes}{${chosen}, outcome="failed"}[${range}])) / (sum(increase(${outcomes}{${chosen}, outcome=~"delivered|failed"}[${range}])) > 0)`;
}

const now: readonly BuildsPanel[] = [
  figure(
    {
      title: "Oldest waiting",
      description:
        "Age of the oldest message of the domain that still waits, when it is late: 0 s while none has waited for five minutes, also for a domain that is not among the 100 with most late mail.",
      unit: units.seconds,
      queries: [
        {
          expr: `max(${age("mailboat_spool_domain_oldest_waiting_timestamp_seconds", chosen)}) or 0 * max(mailboat_configuration_info{${chosenRelay}})`,
          legend: "oldest waiting",
        },
      ],
      thresholds: waitingLimits,
      runbook: "mailboatmailstuck",
    },
    small,
  ),
  figure(
    {
      title: "Late now",
      description: "Messages of the domain that wait and were accepted more than five minutes ago.",
      unit: units.number,
      queries: [
        {
          expr: `sum(mailboat_spool_domain_waiting_messages{${chosen}, older_than="5m"}) or 0 * max(mailboat_configuration_info{${chosenRelay}})`,
          legend: "late messages",
        },
      ],
      thresholds: lateLimits,
      runbook: "mailboatmailstuck",
    },
    small,
  ),
  figure(
    {
      title: "Bounce rate, 24 hours",
      description:
        "Failed recipients of those with a final outcome. Above 5 % receivers begin to distrust the domain: clean the list of recipients.",
      unit: units.share,
      queries: [{ expr: bounceRate("24h"), legend: "bounced" }],
      thresholds: bounceLimits,
      runbook: "mailboatdestinationfailing",
    },
    small,
  ),
  figure(
    {
      title: "Deferred, 1 hour",
      description: "Attempts that ended in a temporary failure and will be repeated.",
      unit: units.number,
      queries: [
        {
          expr: countedIn("1h", `${outcomes}{${chosen}, outcome="deferred"}`),
          legend: "deferred",
        },
      ],
    },
    small,
  ),
  figure(
    {
      title: "Sent in 24 hours",
      description: "Messages of the domain that were accepted.",
      unit: units.number,
      queries: [{ expr: countedIn("24h", `mailboat_submission_domain_messages_total{${chosen}}`), legend: "accepted" }],
    },
    small,
  ),
  figure(
    {
      title: "Delivered in 24 hours",
      description: "Recipients taken over by their next hop.",
      unit: units.number,
      queries: [{ expr: countedIn("24h", `${outcomes}{${chosen}, outcome="delivered"}`), legend: "delivered" }],
    },
    small,
  ),
];

const overTime: readonly BuildsPanel[] = [
  graph(
    {
      title: "Outcomes",
      description: "Recipients by what their attempts came to.",
      unit: units.recipientRate,
      queries: [{ expr: `sum by (outcome) (rate(${outcomes}{${chosen}}[$__rate_interval]))`, legend: "{{outcome}}" }],
      links: [{ title: "Lines of the log", url: logsUrl("relay", '|= `"domain":"${domain}"`') }],
      runbook: "mailboatdestinationfailing",
    },
    half,
  ),
  graph(
    {
      title: "Waiting recipients",
      description:
        "Recipients of the domain's mail whose outcome is open. Only the 100 longest queues of a pod have a line.",
      unit: units.number,
      queries: [
        {
          expr: `sum by (${byRelay}) (mailboat_spool_domain_queued_recipients{${chosen}})`,
          legend: relayName,
        },
      ],
      runbook: "mailboatmailwaiting",
    },
    half,
  ),
  graph(
    {
      title: "Sent",
      description: "Messages accepted, by relay.",
      unit: units.messageRate,
      queries: [
        {
          expr: `sum by (${byRelay}) (rate(mailboat_submission_domain_messages_total{${chosen}}[$__rate_interval]))`,
          legend: relayName,
        },
      ],
    },
    half,
  ),
  graph(
    {
      title: "Bounce rate, over time",
      description: "Failed recipients of those with a final outcome in the hour before each point.",
      unit: units.share,
      queries: [{ expr: bounceRate("1h"), legend: "bounced" }],
      thresholds: bounceLimits,
      runbook: "mailboatdestinationfailing",
    },
    half,
  ),
];

export const senderDomain: DashboardWords = {
  uid: "mailboat-sender-domain",
  title: "Mailboat / Sender domain",
  description:
    "One sender domain on all its relays: sent, delivered, bounced. A relay names its first 500 domains; later ones are (other).",
  program: "relay",
  variables: [
    ...sources(),
    ...relayChoices({ oneRelay: false }),
    choice({
      name: "domain",
      label: "Domain",
      series: `mailboat_submission_domain_messages_total{${chosenRelay}}`,
      of: "domain",
      multi: false,
    }),
  ],
  annotations: [...annotations({ chosen: chosenRelay, alerts: alertsOfRelay }), configurationChanges(chosenRelay)],
  rows: [
    { title: "Now", panels: now },
    { title: "Over time", panels: overTime },
  ],
};
