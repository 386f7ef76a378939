/** What clients did, and what they were told. */
import { graph, half, third, type BuildsPanel } from "../panel.ts";
import { units } from "../units.ts";
import { chosenRelay as chosen } from "../variables.ts";

export const incoming: readonly BuildsPanel[] = [
  graph(
    {
      title: "Refusals by reply",
      description:
        "Commands and messages that clients were refused. 535 is a wrong password, 550 5.7.1 a sender that is not granted, 452 a full spool.",
      unit: units.rate,
      queries: [
        {
          expr: `sum by (code, enhanced) (rate(mailboat_submission_refusals_total{${chosen}}[$__rate_interval]))`,
          legend: "{{code}} {{enhanced}}",
        },
      ],
      runbook: "mailboatrefusing",
    },
    half,
  ),
  graph(
    {
      title: "Logins",
      description:
        "AUTH exchanges by mechanism and result. A rise of failures is an application with an old password, or somebody who guesses.",
      unit: units.rate,
      queries: [
        {
          expr: `sum by (mechanism, result) (rate(mailboat_submission_authentications_total{${chosen}}[$__rate_interval]))`,
          legend: "{{mechanism}} {{result}}",
        },
      ],
    },
    half,
  ),
  graph(
    {
      title: "Messages by TLS",
      description: "Messages accepted by listener and TLS version; none is mail in the clear.",
      unit: units.messageRate,
      queries: [
        {
          expr: `sum by (listener, tls) (rate(mailboat_submission_accepted_messages_total{${chosen}}[$__rate_interval]))`,
          legend: "{{listener}} {{tls}}",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Octets in",
      description: "Size of the messages accepted.",
      unit: units.octetRate,
      queries: [
        {
          expr: `sum by (listener) (rate(mailboat_submission_accepted_bytes_total{${chosen}}[$__rate_interval]))`,
          legend: "{{listener}}",
        },
      ],
    },
    third,
  ),
  graph(
    {
      title: "Client connections",
      description: "Open sessions by listener.",
      unit: units.number,
      queries: [{ expr: `sum by (listener) (mailboat_submission_connections{${chosen}})`, legend: "{{listener}}" }],
    },
    third,
  ),
];
