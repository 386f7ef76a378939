/** Who waits, for whom, and in which phase. */
import { graph, third, type BuildsPanel } from "./panel.ts";
import { chosenRelay as chosen } from "./variables.ts";

export const waiting: readonly BuildsPanel[] = [
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
