/** The dashboards that the chart installs. */
import type { DashboardWords } from "./dashboard.ts";
import { fleet } from "./fleet.ts";
import { operator } from "./operator.ts";
import { relay } from "./relay/relay.ts";
import { senderDomain } from "./senderdomain.ts";

export const dashboards: readonly DashboardWords[] = [fleet, relay, senderDomain, operator];
