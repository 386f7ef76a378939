/** All relays at a glance: which one needs a person. */
import { annotations, configurationChanges } from "./annotations.ts";
import type { DashboardWords } from "./dashboard.ts";
import { graph, third, type BuildsPanel } from "./panel.ts";
import {
  age,
  allPods,
  flow,
  headline,
  lateLimits,
  podsReady,
  spoolLimits,
  usage,
  waitingLimits,
  withinFiveMinutes,
  objective,
} from "./relaypanels.ts";
import { table, type LabelColumn } from "./table.ts";
import { units } from "./units.ts";
import { alertsOfRelay, byRelay, chosenRelay as chosen, relayChoices, sources } from "./variables.ts";

const relayName = "{{namespace}}/{{mailboat_dev_relay}}";

const toRelay = {
  title: "The relay's dashboard",
  url: "/d/mailboat-relay/mailboat-relay?${datasource:queryparam}&var-namespace=${__data.fields.Namespace}&var-relay=${__data.fields.Relay}&${__url_time_range}",
};

const relayColumns: readonly LabelColumn[] = [
  { label: "cluster", header: "Cluster" },
  { label: "namespace", header: "Namespace" },
  { label: "mailboat_dev_relay", header: "Relay", links: [toRelay] },
];

const trouble: readonly BuildsPanel[] = [
  table(
    {
      title: "Relays",
      description:
        "Each relay, the longest wait first. Click one for its dashboard. Only Pods ready: no pod of it answers Prometheus.",
      labels: relayColumns,
      values: [
        {
          header: "Oldest waiting",
          expr: `max by (${byRelay}) (${age("mailboat_spool_oldest_waiting_timestamp_seconds", chosen)})`,
          unit: units.seconds,
          thresholds: waitingLimits,
        },
        {
          header: "Late",
          expr: `sum by (${byRelay}) (mailboat_spool_waiting_messages{${chosen}, older_than="5m"})`,
          unit: units.number,
          thresholds: lateLimits,
        },
        {
          header: "Within 5 min",
          expr: withinFiveMinutes("1h", byRelay),
          unit: units.share,
          thresholds: objective,
        },
        {
          header: "Queued",
          expr: `sum by (${byRelay}) (mailboat_spool_queued_recipients{${chosen}})`,
          unit: units.number,
        },
        { header: "Pods ready", expr: podsReady(byRelay), unit: units.share, thresholds: allPods },
      ],
      largestFirst: "Oldest waiting",
      runbook: "mailboatmailstuck",
      noValue: "no data",
    },
    { width: 14, height: 7 },
  ),
  table(
    {
      title: "Alerts",
      description:
        "What fires, and what will unless it ends. Empty: nothing, or the rules are not loaded (chart value alerts.enabled).",
      labels: [
        {
          label: "alertstate",
          header: "State",
          colours: { firing: "red", pending: "orange" },
          width: 80,
        },
        { label: "severity", header: "Severity", colours: { critical: "red", warning: "orange" }, width: 80 },
        { label: "alertname", header: "Alert" },
        ...relayColumns,
        { label: "destination", header: "Destination" },
        { label: "kind", header: "Kind" },
      ],
      values: [
        {
          header: "Active",
          expr: `max by (alertstate, severity, alertname, ${byRelay}, destination, kind) (ALERTS{${alertsOfRelay}, alertname=~"Mailboat.+"})`,
          unit: units.number,
        },
      ],
      hidesValue: true,
      noValue: "none, or no rules are loaded",
    },
    { width: 10, height: 7 },
  ),
];

const pods: readonly BuildsPanel[] = [
  graph(
    {
      title: "Spool use",
      description:
        "Share of its spool that each relay uses. Past the high watermark, 85 % by itself, new mail is answered 452.",
      unit: units.share,
      queries: [
        {
          expr: `max by (${byRelay}) (mailboat_spool_used_bytes{${chosen}} / mailboat_spool_capacity_bytes{${chosen}})`,
          legend: relayName,
        },
      ],
      thresholds: spoolLimits,
      max: 1,
      runbook: "mailboatspoolnearlyfull",
    },
    third,
  ),
  ...usage({ chosen, by: "cluster, namespace, pod", legend: "{{namespace}}/{{pod}}" }, third),
  table(
    {
      title: "Pods",
      description:
        "Each pod with the configuration that it runs with. Two revisions of one relay for more than a minute: a pod cannot use the newest.",
      labels: [...relayColumns, { label: "pod", header: "Pod" }, { label: "revision", header: "Configuration" }],
      values: [
        {
          header: "Started",
          expr: `max by (${byRelay}, pod, revision) (mailboat_configuration_info{${chosen}}) * on (${byRelay}, pod) group_left () max by (${byRelay}, pod) (process_start_time_seconds{${chosen}}) * 1000`,
          unit: units.since,
        },
      ],
      runbook: "mailboatconfigurationstale",
    },
    { width: 24, height: 6 },
  ),
];

export const fleet: DashboardWords = {
  uid: "mailboat-fleet",
  title: "Mailboat / Fleet",
  description: "All mail relays: what comes in, what goes out, what waits, and which relay needs a person.",
  program: "relay",
  variables: [...sources(), ...relayChoices({ oneRelay: false })],
  annotations: [...annotations({ chosen, alerts: alertsOfRelay }), configurationChanges(chosen)],
  rows: [
    { title: "Now", panels: [...headline(), ...trouble] },
    { title: "Flow", panels: flow({ by: byRelay, legend: relayName }) },
    { title: "Pods", panels: pods },
  ],
};
