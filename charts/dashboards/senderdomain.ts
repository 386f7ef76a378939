/** One sender domain: what a tenant asks about. */
import type { DashboardWords } from "./dashboard.ts";
import { figure, graph, half } from "./panel.ts";
import { choice, chosenRelay, relayChoices, sources } from "./variables.ts";

const small = { width: 6, height: 4 };
const chosen = `${chosenRelay}, domain=~"$domain"`;
const outcomes = "mailboat_delivery_domain_recipients_total";

export const senderDomain: DashboardWords = {
  uid: "mailboat-sender-domain",
  title: "Mailboat / Sender domain",
  description:
    "One sender domain on all its relays: sent, delivered, bounced. A relay names its first 500 domains; later ones are (other).",
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
  rows: [
    {
      title: "Now",
      panels: [
        figure(
          {
            title: "Sent in 24 hours",
            description: "Messages of the domain that were accepted.",
            unit: "short",
            queries: [
              { expr: `sum(increase(mailboat_submission_domain_messages_total{${chosen}}[24h]))`, legend: "sent" },
            ],
          },
          small,
        ),
        figure(
          {
            title: "Delivered in 24 hours",
            description: "Recipients taken over by their next hop.",
            unit: "short",
            queries: [{ expr: `sum(increase(${outcomes}{${chosen}, outcome="delivered"}[24h]))`, legend: "delivered" }],
          },
          small,
        ),
        figure(
          {
            title: "Bounce rate, 24 hours",
            description:
              "Failed recipients of those with a final outcome. Above 5 % receivers begin to distrust the domain: clean the list of recipients.",
            unit: "percentunit",
            queries: [
              {
                expr: `sum(increase(${outcomes}{${chosen}, outcome="failed"}[24h])) / sum(increase(${outcomes}{${chosen}, outcome!="deferred"}[24h]))`,
                legend: "bounced",
              },
            ],
            thresholds: { warning: 0.02, critical: 0.05 },
            runbook: "mailboatdestinationfailing",
          },
          small,
        ),
        figure(
          {
            title: "Deferred attempts, 1 hour",
            description: "Attempts that ended in a temporary failure and will be repeated.",
            unit: "short",
            queries: [{ expr: `sum(increase(${outcomes}{${chosen}, outcome="deferred"}[1h]))`, legend: "deferred" }],
          },
          small,
        ),
      ],
    },
    {
      title: "Over time",
      panels: [
        graph(
          {
            title: "Waiting recipients",
            description:
              "Recipients of the domain's mail whose outcome is open. Only the 100 longest queues of a pod have a line.",
            unit: "short",
            queries: [
              {
                expr: `sum by (namespace, mailboat_dev_relay) (mailboat_spool_domain_queued_recipients{${chosen}})`,
                legend: "{{namespace}}/{{mailboat_dev_relay}}",
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
            unit: "mps",
            queries: [
              {
                expr: `sum by (namespace, mailboat_dev_relay) (rate(mailboat_submission_domain_messages_total{${chosen}}[$__rate_interval]))`,
                legend: "{{namespace}}/{{mailboat_dev_relay}}",
              },
            ],
          },
          half,
        ),
        graph(
          {
            title: "Outcomes",
            description: "Recipients by what their attempts came to.",
            unit: "mps",
            queries: [
              { expr: `sum by (outcome) (rate(${outcomes}{${chosen}}[$__rate_interval]))`, legend: "{{outcome}}" },
            ],
            runbook: "mailboatdestinationfailing",
          },
          half,
        ),
      ],
    },
  ],
};
