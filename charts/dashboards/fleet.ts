/** All relays at a glance: which one needs a person. */
import type { DashboardWords } from "./dashboard.ts";
import { graph, half, table } from "./panel.ts";
import { flow, headline } from "./relaypanels.ts";
import { chosenRelay as chosen, relayChoices, sources } from "./variables.ts";

const byRelay = "namespace, mailboat_dev_relay";

export const fleet: DashboardWords = {
  uid: "mailboat-fleet",
  title: "Mailboat / Fleet",
  description: "All mail relays: what comes in, what goes out, what waits, and which relay needs a person.",
  variables: [...sources(), ...relayChoices({ oneRelay: false })],
  rows: [
    { title: "Now", panels: headline() },
    { title: "Flow", panels: flow("mailboat_dev_relay") },
    {
      title: "Relays",
      panels: [
        table(
          {
            title: "Queued by relay",
            description:
              "Recipients that wait, for each relay, the longest queue first. Open the relay's dashboard to see where they want to go.",
            unit: "short",
            queries: [
              {
                expr: `sort_desc(sum by (${byRelay}) (mailboat_spool_queued_recipients{${chosen}}))`,
                legend: "queued",
              },
            ],
            runbook: "mailboatmailwaiting",
          },
          half,
        ),
        table(
          {
            title: "Configuration by pod",
            description:
              "The revision that each pod runs with. Two revisions of one relay for more than a minute: a pod cannot use the newest.",
            unit: "short",
            queries: [
              {
                expr: `max by (${byRelay}, instance, revision) (mailboat_configuration_info{${chosen}})`,
                legend: "revision",
              },
            ],
            runbook: "mailboatconfigurationstale",
          },
          half,
        ),
        graph(
          {
            title: "Spool use",
            description: "Share of its spool that each relay uses. Past the high watermark new mail is answered 452.",
            unit: "percentunit",
            queries: [
              {
                expr: `max by (${byRelay}) (mailboat_spool_used_bytes{${chosen}} / mailboat_spool_capacity_bytes{${chosen}})`,
                legend: "{{namespace}}/{{mailboat_dev_relay}}",
              },
            ],
            thresholds: { warning: 0.7, critical: 0.85 },
            runbook: "mailboatspoolnearlyfull",
          },
          half,
        ),
        graph(
          {
            title: "Memory",
            description: "Resident memory of each pod.",
            unit: "bytes",
            queries: [{ expr: `max by (instance) (process_resident_memory_bytes{${chosen}})`, legend: "{{instance}}" }],
          },
          half,
        ),
      ],
    },
  ],
};
