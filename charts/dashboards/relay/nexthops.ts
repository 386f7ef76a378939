/** Where mail goes, and what stands in its way there. */
import { destinationLogsUrl, destinationTracesUrl } from "../explore.ts";
import { graph, half, third, type BuildsPanel, type Link } from "../panel.ts";
import { statusWords } from "../statuswords.ts";
import { table } from "../table.ts";
import { units } from "../units.ts";
import { chosenRelay as chosen } from "../variables.ts";

function behind(destination: string): readonly Link[] {
  return [
    { title: "Its lines of the log", url: destinationLogsUrl(destination) },
    { title: "Its traces", url: destinationTracesUrl(destination) },
  ];
}

const refusals: readonly BuildsPanel[] = [
  table(
    {
      title: "Last refusals",
      description:
        "What each destination that did not take a message said last, newest first. Reply 4 is tried again, 5 is final. Click a destination for the words in its log and for its traces.",
      labels: [
        { label: "destination", header: "Destination", links: behind("${__data.fields.Destination}") },
        { label: "outcome", header: "Outcome", colours: { deferred: "orange", failed: "red" }, width: 90 },
        { label: "code", header: "Reply", width: 70 },
        { label: "enhanced", header: "In words", words: statusWords() },
      ],
      values: [
        {
          header: "When",
          expr: `topk(20, max by (destination, outcome, code, enhanced) (mailboat_delivery_destination_refusal_timestamp_seconds{${chosen}})) * 1000`,
          unit: units.since,
        },
      ],
      largestFirst: "When",
      runbook: "mailboatdestinationfailing",
      noValue: "none since the pods started",
    },
    half,
  ),
  graph(
    {
      title: "Deferred and failed by destination",
      description:
        "The destinations that refuse most. Reply none: nobody answered, so look at DNS, routes and firewalls.",
      unit: units.recipientRate,
      queries: [
        {
          expr: `topk(10, sum by (destination, outcome, reply) (rate(mailboat_delivery_destination_recipients_total{${chosen}, outcome!="delivered"}[$__rate_interval])))`,
          legend: "{{destination}} {{outcome}} {{reply}}",
        },
      ],
      links: behind("${__field.labels.destination}"),
      runbook: "mailboatdestinationfailing",
    },
    half,
  ),
];

export const outgoing: readonly BuildsPanel[] = [
  ...refusals,
  graph(
    {
      title: "Delivered by destination",
      description: "The destinations that take most.",
      unit: units.recipientRate,
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
      title: "Attempts by reply code",
      description: "What next hops answered, recipient by recipient.",
      unit: units.recipientRate,
      queries: [
        {
          expr: `sum by (outcome, code) (rate(mailboat_delivery_attempts_total{${chosen}}[$__rate_interval]))`,
          legend: "{{outcome}} {{code}}",
        },
      ],
    },
    half,
  ),
  ...connectionsAndNotices(),
];

function connectionsAndNotices(): BuildsPanel[] {
  return [
    graph(
      {
        title: "Connections to next hops",
        description: "Connections opened, by TLS version, and those that could not be.",
        unit: units.rate,
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
        unit: units.messageRate,
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
        title: "Time in each phase, p95",
        description:
          "Where attempts spend their time. wait is from acceptance to the first attempt: it grows when deliveries do not keep up; the others are the network's and the next hop's.",
        unit: units.seconds,
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
}
