/** The rules that the chart installs, each alert with the part of the operations page that says what to do. */
import { operatorAlerts } from "./operatoralerts.ts";
import { relayAlerts } from "./relayalerts.ts";
import { objective } from "./objective.ts";
import type { RuleGroup } from "./rule.ts";

export const ruleGroups: readonly RuleGroup[] = [
  { name: "mailboat-relay", rules: relayAlerts },
  { name: "mailboat-operator", rules: operatorAlerts },
  { name: "mailboat-service-level", rules: objective },
];
