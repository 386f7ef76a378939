/** Where mail goes, and what stands in its way there. */
import { graph, half, third, type BuildsPanel } from "./panel.ts";
import { chosenRelay as chosen } from "./variables.ts";

export const outgoing: readonly BuildsPanel[] = [
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
