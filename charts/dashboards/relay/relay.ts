/** One relay: where its mail comes from, where it goes, and what stands in its way. */
import { annotations, configurationChanges } from "../annotations.ts";
import type { DashboardWords } from "../dashboard.ts";
import { flow, headline } from "../relaypanels.ts";
import { alertsOfRelay, chosenRelay as chosen, relayChoices, sources } from "../variables.ts";
import { incoming } from "./clients.ts";
import { inside } from "./inside.ts";
import { outgoing } from "./nexthops.ts";
import { waiting } from "./waiting.ts";

export const relay: DashboardWords = {
  uid: "mailboat-relay",
  title: "Mailboat / Relay",
  description: "One relay: where its mail comes from, where it goes, what waits, and how its pods are.",
  program: "relay",
  variables: [...sources(), ...relayChoices({ oneRelay: true })],
  annotations: [...annotations({ chosen, alerts: alertsOfRelay }), configurationChanges(chosen)],
  rows: [
    { title: "Now", panels: headline() },
    { title: "Flow", panels: flow({ by: "pod", legend: "{{pod}}" }) },
    { title: "Next hops", panels: outgoing },
    { title: "Waiting", panels: waiting },
    { title: "Clients", panels: incoming },
    { title: "Inside", panels: inside },
  ],
};
