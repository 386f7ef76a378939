/** One relay: where its mail comes from, where it goes, and what stands in its way. */
import type { DashboardWords } from "./dashboard.ts";
import { incoming } from "./relayclients.ts";
import { inside } from "./relayinside.ts";
import { outgoing } from "./relaynexthops.ts";
import { flow, headline } from "./relaypanels.ts";
import { waiting } from "./relaywaiting.ts";
import { relayChoices, sources } from "./variables.ts";

export const relay: DashboardWords = {
  uid: "mailboat-relay",
  title: "Mailboat / Relay",
  description: "One relay: where its mail comes from, where it goes, what waits, and how its pods are.",
  variables: [...sources(), ...relayChoices({ oneRelay: true })],
  rows: [
    { title: "Now", panels: headline() },
    { title: "Flow", panels: flow("instance") },
    { title: "Clients", panels: incoming },
    { title: "Next hops", panels: outgoing },
    { title: "Waiting", panels: waiting },
    { title: "Inside", panels: inside },
  ],
};
