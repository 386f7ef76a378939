/**
 * Each alert fires on the series that it is for and is silent on a healthy relay, judged by Prometheus' own promtool. A new
 * alert without a case here fails.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { ruleGroups } from "../../charts/alerts/rules.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { lacking } from "../support/tools.ts";

const run = promisify(execFile);
const rulesFile = join(repositoryRoot, "charts/mailboat/alerts/rules.yaml");

interface Series {
  readonly series: string;
  /** promtool's notation: start+step x times. One value a minute. */
  readonly values: string;
}

interface Case {
  readonly series: readonly Series[];
  /** Minutes after the start at which the alert must be firing. */
  readonly at: number;
  /** Labels of the alert beyond severity. */
  readonly labels: Readonly<Record<string, string>>;
}

const place = { namespace: "mail", mailboat_dev_relay: "outbound" };
const relay = 'namespace="mail", mailboat_dev_relay="outbound", instance="outbound-0"';
const operator = 'namespace="mailboat-system", job="mailboat", instance="operator-1"';
const operatorPlace = { namespace: "mailboat-system", job: "mailboat" };

function relaySeries(metric: string, labels: string, values: string): Series {
  return { series: `${metric}{${relay}${labels === "" ? "" : `, ${labels}`}}`, values };
}

/** `which` is kind, condition and status, with spaces between. */
function condition(which: string, values: string): Series {
  const [kind, type, status] = which.split(" ");
  return {
    series: `mailboat_operator_resource_conditions{${operator}, kind="${kind}", condition="${type}", status="${status}"}`,
    values,
  };
}

function judged(inTime: string, late: string): Series[] {
  return [
    relaySeries("mailboat_spool_objective_messages_total", 'result="in_time"', inTime),
    relaySeries("mailboat_spool_objective_messages_total", 'result="late"', late),
  ];
}

function waiting(values: string, age: "5m" | "1h" = "5m"): Series {
  return relaySeries("mailboat_spool_waiting_messages", `older_than="${age}"`, values);
}

const ofRelay = 'relay_namespace="mail", mailboat_dev_relay="outbound"';

function pods(wanted: string, ready: string): Series[] {
  return Object.entries({ wanted, ready }).map(([state, values]) => ({
    series: `mailboat_operator_relay_pods{${operator}, ${ofRelay}, state="${state}"}`,
    values,
  }));
}

/** promtool's clock begins at 0: what became due at 1 s has waited for nearly all of the time. */
const cases: Readonly<Record<string, Case>> = {
  MailboatMailWaiting: {
    series: [relaySeries("mailboat_spool_oldest_due_timestamp_seconds", "", "1x30")],
    at: 15,
    labels: place,
  },
  MailboatDestinationFailing: {
    series: [
      relaySeries(
        "mailboat_delivery_destination_recipients_total",
        'destination="mx.example", outcome="deferred", reply="4xx"',
        "0+9x60",
      ),
      relaySeries(
        "mailboat_delivery_destination_recipients_total",
        'destination="mx.example", outcome="delivered", reply="2xx"',
        "0+1x60",
      ),
    ],
    at: 40,
    labels: { ...place, destination: "mx.example" },
  },
  MailboatRefusing: {
    series: [
      relaySeries("mailboat_submission_refusals_total", 'listener="smtp", code="452", enhanced="4.3.1"', "0+20x60"),
      relaySeries("mailboat_submission_accepted_messages_total", 'listener="smtp", tls="none"', "0+3x60"),
    ],
    at: 30,
    labels: place,
  },
  MailboatSpoolNearlyFull: {
    series: [
      relaySeries("mailboat_spool_used_bytes", "", "80x30"),
      relaySeries("mailboat_spool_capacity_bytes", "", "100x30"),
    ],
    at: 10,
    labels: { ...place, instance: "outbound-0" },
  },
  MailboatOutcomesUnwritten: {
    series: [
      relaySeries("mailboat_delivery_unwritten_outcomes", 'cause="spool"', "0x4 3x30"),
      relaySeries("mailboat_delivery_unwritten_outcomes", 'cause="outcome"', "0x40"),
    ],
    at: 10,
    labels: { ...place, instance: "outbound-0", cause: "spool" },
  },
  MailboatCheckpointsFailing: {
    series: [relaySeries("mailboat_spool_checkpoints_total", 'result="failed"', "0+4x60")],
    at: 30,
    labels: { ...place, instance: "outbound-0" },
  },
  MailboatMailUnreadable: {
    series: [relaySeries("mailboat_spool_unreadable_recipients", "", "2x30")],
    at: 10,
    labels: { ...place, instance: "outbound-0" },
  },
  MailboatCertificateExpiring: {
    series: [relaySeries("mailboat_tls_certificate_not_after_timestamp_seconds", 'fingerprint="ab"', "500000x120")],
    at: 90,
    labels: place,
  },
  MailboatDomainsUnsigned: {
    series: [relaySeries("mailboat_configuration_sender_domains", 'dkim="none"', "2x60")],
    at: 30,
    labels: place,
  },
  MailboatConfigurationStale: {
    series: [
      relaySeries("mailboat_configuration_info", 'revision="new"', "1x60"),
      relaySeries("mailboat_configuration_info", 'revision="old"', "1x60"),
    ],
    at: 30,
    labels: place,
  },
  MailboatDoubleBounces: {
    series: [relaySeries("mailboat_delivery_double_bounces_total", "", "0+1x90")],
    at: 80,
    labels: place,
  },
  MailboatTracesLost: {
    series: [
      relaySeries(
        "mailboat_telemetry_spans_dropped_total",
        'job="mail/outbound", reason="export_failed"',
        "0x5 1+9x60",
      ),
    ],
    at: 40,
    labels: { namespace: "mail", job: "mail/outbound" },
  },
  MailboatOperatorWithoutLeader: {
    series: [{ series: `mailboat_operator_leader{${operator}}`, values: "1 0x30" }],
    at: 15,
    labels: operatorPlace,
  },
  MailboatOperatorFailing: {
    // One relay of many, looked at once a minute while all others are looked at all the time and succeed.
    series: [
      { series: `mailboat_operator_failing_resources{${operator}, kind="MailRelay"}`, values: "1x60" },
      { series: `mailboat_operator_failing_resources{${operator}, kind="SenderDomain"}`, values: "0x60" },
      {
        series: `mailboat_operator_reconcile_seconds_count{${operator}, kind="MailRelay", result="success"}`,
        values: "0+900x60",
      },
    ],
    at: 40,
    labels: { ...operatorPlace, kind: "MailRelay" },
  },
  MailboatNamespaceNotSeen: {
    series: [{ series: `mailboat_operator_namespaces_unseen{${operator}}`, values: "0x5 1x60" }],
    at: 30,
    labels: operatorPlace,
  },
  MailboatResourceNotReady: {
    series: [condition("SenderDomain Ready False", "1x60")],
    at: 45,
    labels: { ...operatorPlace, kind: "SenderDomain" },
  },
  MailboatDrainStuck: {
    series: [condition("MailRelay Draining True", "1x120")],
    at: 90,
    labels: { ...operatorPlace, kind: "MailRelay" },
  },
  MailboatPodNotAnswering: {
    series: [relaySeries("up", "", "1x5 0x30")],
    at: 15,
    labels: { ...place, instance: "outbound-0" },
  },
  MailboatRelayDown: { series: pods("2x30", "2x5 0x30"), at: 15, labels: place },
  MailboatPodsMissing: { series: pods("2x60", "1x60"), at: 15, labels: place },
  MailboatRelaysNotScraped: {
    series: [...pods("2x60", "2x60"), relaySeries("mailboat_configuration_info", 'revision="new"', "1x60")],
    at: 20,
    labels: place,
  },
  // Two minutes of good order, then nothing leaves: the first are late five minutes after that.
  MailboatMailStuck: {
    series: [...judged("0+6x2 12x60", "0x7 0+6x60"), waiting("0x7 0+6x60")],
    at: 11,
    labels: place,
  },
  MailboatNothingDelivered: {
    series: [waiting("1x60"), relaySeries("mailboat_delivery_seconds_count", "", "7x60")],
    at: 10,
    labels: place,
  },
  MailboatSlowDelivery: { series: judged("0+50x90", "0+10x90"), at: 70, labels: place },
  MailboatSlowDeliveryPersists: { series: judged("0+57x500", "0+3x500"), at: 450, labels: place },
};

const healthy: readonly Series[] = [
  relaySeries("mailboat_spool_oldest_due_timestamp_seconds", "", "0x1600"),
  relaySeries(
    "mailboat_delivery_destination_recipients_total",
    'destination="mx.example", outcome="delivered", reply="2xx"',
    "0+60x1600",
  ),
  relaySeries("mailboat_submission_accepted_messages_total", 'listener="smtp", tls="none"', "0+60x1600"),
  relaySeries("mailboat_spool_used_bytes", "", "10x1600"),
  relaySeries("mailboat_spool_capacity_bytes", "", "100x1600"),
  relaySeries("mailboat_spool_full", "", "0x1600"),
  relaySeries("mailboat_delivery_unwritten_outcomes", 'cause="spool"', "0x1600"),
  relaySeries("mailboat_spool_unreadable_recipients", "", "0x1600"),
  relaySeries("mailboat_spool_checkpoints_total", 'result="complete"', "0+200x1600"),
  relaySeries("mailboat_spool_checkpoints_total", 'result="partial"', "0+90x1600"),
  relaySeries("mailboat_spool_checkpoints_total", 'result="failed"', "0x1600"),
  relaySeries("mailboat_tls_certificate_not_after_timestamp_seconds", 'fingerprint="ab"', "9000000x1600"),
  relaySeries("mailboat_configuration_sender_domains", 'dkim="none"', "0x1600"),
  relaySeries("mailboat_configuration_info", 'revision="new"', "1x1600"),
  relaySeries("mailboat_configuration_stale", "", "0x1600"),
  relaySeries("mailboat_delivery_double_bounces_total", "", "0x1600"),
  relaySeries("mailboat_telemetry_spans_dropped_total", 'job="mail/outbound", reason="export_failed"', "0x1600"),
  { series: `mailboat_telemetry_spans_dropped_total{${operator}, reason="queue_full"}`, values: "3x1600" },
  { series: `mailboat_operator_leader{${operator}}`, values: "1x1600" },
  { series: `mailboat_operator_namespaces_unseen{${operator}}`, values: "0x1600" },
  {
    series: `mailboat_operator_reconcile_seconds_count{${operator}, kind="MailRelay", result="success"}`,
    values: "0+1x1600",
  },
  // Looks that fail and succeed when they are tried again are nobody's business.
  {
    series: `mailboat_operator_reconcile_seconds_count{${operator}, kind="MailRelay", result="failure"}`,
    values: "0+9x1600",
  },
  { series: `mailboat_operator_failing_resources{${operator}, kind="MailRelay"}`, values: "0x1600" },
  condition("SenderDomain Ready True", "3x1600"),
  ...judged("0+60x1600", "0x1600"),
  waiting("0x1600"),
  relaySeries("mailboat_delivery_seconds_count", "", "0+60x1600"),
  relaySeries("up", "", "1x1600"),
  ...pods("1x1600", "1x1600"),
];

/** With an operator that leads, of which each situation would be without. */
const leading: Series = { series: `mailboat_operator_leader{${operator}}`, values: "1x1600" };

function minutely(minutes: number, valueAt: (minute: number) => string): string {
  return Array.from({ length: minutes }, (_, minute) => valueAt(minute)).join(" ");
}

/** Of a thousand messages in one minute these went, and five wait for their next attempt until all is over. */
function burst(went: string, minutes: number): readonly Series[] {
  return [
    leading,
    waiting(`0x5 5x${minutes}`),
    ...judged(went, `0x5 5x${minutes}`),
    relaySeries("mailboat_delivery_seconds_count", "", went),
  ];
}

interface Situation {
  readonly name: string;
  readonly series: readonly Series[];
  /** Minutes. */
  readonly at: number;
  /** All that fire. */
  readonly alerts: readonly string[];
}

/** Whether an alert says the right thing when nothing moves, when there is no series, and when a pod has just started. */
const situations: readonly Situation[] = [
  { name: "no series of anybody", series: [], at: 30, alerts: ["MailboatOperatorWithoutLeader"] },
  {
    name: "a pod has just started on a spool that holds old mail, which leaves within minutes",
    series: [
      leading,
      relaySeries("up", "", "1x30"),
      waiting("50-10x5 0x30"),
      ...judged("0+10x40", "0x40"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+20x40"),
      relaySeries("mailboat_spool_oldest_due_timestamp_seconds", "", "1 0x40"),
    ],
    at: 12,
    alerts: [],
  },
  {
    name: "a pod that starts again begins its counters anew",
    series: [
      leading,
      waiting("0x40"),
      ...judged("0+60x15 0+60x25", "0x40"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+60x15 0+60x25"),
    ],
    at: 30,
    alerts: [],
  },
  {
    name: "a pod answers every other scrape",
    series: [
      leading,
      relaySeries(
        "up",
        "",
        minutely(60, (at) => (at % 2 === 0 ? "1" : "0")),
      ),
    ],
    at: 50,
    alerts: ["MailboatPodNotAnswering"],
  },
  {
    name: "a pod that starts again and again answers two scrapes of three",
    series: [
      leading,
      relaySeries(
        "up",
        "",
        minutely(60, (at) => (at % 3 === 0 ? "0" : "1")),
      ),
      relaySeries(
        "process_start_time_seconds",
        "",
        minutely(60, (at) => (at % 3 === 0 ? "stale" : `${Math.floor(at / 3)}`)),
      ),
    ],
    at: 50,
    alerts: ["MailboatPodNotAnswering"],
  },
  {
    name: "a pod that has started twice in half an hour",
    series: [
      leading,
      relaySeries(
        "up",
        "",
        minutely(60, (at) => (at === 30 || at === 40 ? "0" : "1")),
      ),
      relaySeries(
        "process_start_time_seconds",
        "",
        minutely(60, (at) => (at < 30 ? "1" : at < 40 ? "1800" : "2400")),
      ),
    ],
    at: 50,
    alerts: [],
  },
  {
    name: "the way out is shut, and every other scrape fails",
    series: [
      leading,
      ...[...judged("", ""), waiting("")].map(({ series }, index) => ({
        series,
        values: minutely(60, (at) => {
          if (at % 2 === 1) return "stale";
          return index === 0 ? `${Math.min(12, at * 6)}` : `${Math.max(0, at - 8) * 6}`;
        }),
      })),
    ],
    at: 14,
    alerts: ["MailboatMailStuck", "MailboatSlowDelivery"],
  },
  {
    name: "everything stands still, for hours: no counter moves, and the queue is as it was",
    series: [
      leading,
      waiting("50x300"),
      waiting("50x300", "1h"),
      ...judged("100x300", "50x300"),
      relaySeries("mailboat_spool_oldest_due_timestamp_seconds", "", "0x300"),
      relaySeries("mailboat_delivery_seconds_count", "", "100x300"),
    ],
    at: 290,
    alerts: ["MailboatMailStuck", "MailboatNothingDelivered"],
  },
  {
    name: "nobody sends any more, half an hour after the way out was shut",
    series: [
      leading,
      waiting("0x7 0+6x20 120x60"),
      ...judged("0+6x2 12x60", "0x7 0+6x20 120x60"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+6x2 12x60"),
    ],
    at: 60,
    alerts: ["MailboatMailStuck", "MailboatNothingDelivered"],
  },
  {
    name: "nobody has sent for hours since the way out was shut, at the end of a busy day",
    series: [
      leading,
      waiting("0x15 0+6x20 120x300"),
      waiting("0x70 0+6x20 120x245", "1h"),
      ...judged("0+300x10 3000x320", "0x15 0+6x20 120x300"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+300x10 3000x320"),
    ],
    at: 300,
    alerts: ["MailboatMailStuck", "MailboatNothingDelivered"],
  },
  {
    name: "at night a few mailboxes are full, of a day's mail that went",
    series: [
      leading,
      waiting("0x10 0+2x3 6x300"),
      waiting("0x65 0+2x3 6x240", "1h"),
      ...judged("0+10x100 1000x220", "0x10 0+2x3 6x300"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+10x100 1000x220"),
    ],
    at: 300,
    // Six messages are no few.
    alerts: ["MailboatNothingDelivered"],
  },
  // Those that went are counted minutes before those that stay behind, and leave every window minutes before them.
  ...[7, 8, 9, 10, 11, 12, 64, 66, 68].map((at) => ({
    name: `${at} minutes after a burst of which five stay behind`,
    series: burst("0 995x80", at),
    at,
    alerts: at < 30 ? [] : ["MailboatNothingDelivered"],
  })),
  ...[8, 10, 12, 14].map((at) => ({
    name: `${at} minutes after a burst that takes four minutes to go, and of which five stay behind`,
    series: burst("0 200 400 700 995x80", at),
    at,
    alerts: [],
  })),
  {
    name: "a burst leaves at the pace that the manifest allows",
    series: [
      leading,
      waiting("0x5 700-60x11 0x60"),
      ...judged("0+60x5 300x70", "0x5 700x70"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+60x17 1000x60"),
    ],
    at: 9,
    // Too late by the objective, and on its way.
    alerts: ["MailboatSlowDelivery"],
  },
  {
    name: "little leaves of much that waits",
    series: [
      leading,
      waiting("0x5 700+60x60"),
      ...judged("0+60x5 300+2x70", "0x5 700+58x70"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+60x5 300+2x70"),
    ],
    at: 12,
    alerts: ["MailboatMailStuck", "MailboatSlowDelivery"],
  },
  {
    name: "one message of a relay with little mail waits, and others go",
    series: [
      leading,
      waiting("0x10 1x90"),
      ...judged("0x4 1x10 2x10 3x70", "0x9 1x90"),
      relaySeries("mailboat_delivery_seconds_count", "", "0x4 1x10 2x10 3x10 4x10 5x50"),
    ],
    at: 14,
    alerts: [],
  },
  {
    name: "one message to a full mailbox waits, and an hour later nobody has sent another",
    series: [
      leading,
      waiting("0x10 1x120"),
      ...judged("0x4 1x10 2x10 3x110", "0x9 1x120"),
      relaySeries("mailboat_delivery_seconds_count", "", "0x4 1x10 2x10 3x10 4x100"),
    ],
    at: 110,
    alerts: [],
  },
  {
    name: "the first message of a new relay, whose way out has never been open",
    series: [leading, waiting("0x10 1x60"), ...judged("0x70", "0x10 1x60")],
    at: 30,
    alerts: ["MailboatNothingDelivered"],
  },
  {
    name: "a relay that has accepted nothing since its start refuses all",
    series: [
      leading,
      relaySeries("mailboat_submission_refusals_total", 'listener="smtp", code="452", enhanced="4.3.1"', "0+20x60"),
    ],
    at: 30,
    alerts: ["MailboatRefusing"],
  },
  {
    name: "a relay hibernates: it has no pods, and no series",
    series: [leading, ...pods("0x60", "0x60")],
    at: 50,
    alerts: [],
  },
  {
    name: "pods that nobody scrapes: no alert of theirs could ever fire",
    series: [leading, ...pods("2x60", "2x60")],
    at: 50,
    alerts: ["MailboatRelaysNotScraped"],
  },
  {
    name: "the pod's series are gone with it, and only the operator is left to tell",
    series: [leading, ...pods("1x60", "1x5 0x60"), relaySeries("up", "", "1x5 stale"), waiting("9x5 stale")],
    at: 20,
    alerts: ["MailboatPodsMissing", "MailboatRelayDown"],
  },
  {
    name: "the way out is open again: alerts end with the mail that leaves",
    series: [
      leading,
      waiting("0x7 0+6x20 120 0x60"),
      ...judged("0+6x2 12x25 18+6x60", "0x7 0+6x20 120x60"),
      relaySeries("mailboat_delivery_seconds_count", "", "0+6x2 12x25 140+6x60"),
    ],
    at: 40,
    // The budget is used up all the same.
    alerts: ["MailboatSlowDeliveryPersists"],
  },
];

const alerts = ruleGroups.flatMap(({ rules }) => rules).flatMap((rule) => ("alert" in rule ? [rule] : []));

/** promtool compares annotations too: they are left to the rule, by asking for the series ALERTS instead. */
function firing(name: string, wanted: Case): object {
  const { severity } = alerts.find(({ alert }) => alert === name)?.labels ?? { severity: "" };
  const labels = { alertname: name, alertstate: "firing", severity, ...wanted.labels };
  const text = Object.entries(labels).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
  return {
    name,
    interval: "1m",
    input_series: wanted.series,
    promql_expr_test: [
      {
        expr: `ALERTS{alertname="${name}", alertstate="firing"}`,
        eval_time: `${wanted.at}m`,
        exp_samples: [{ labels: `ALERTS{${text.join(", ")}}`, value: 1 }],
      },
    ],
  };
}

/** Which alerts fire, and no other. */
function exactly({ name, series, at, alerts: wanted }: Situation): object {
  return {
    name,
    interval: "1m",
    input_series: series,
    promql_expr_test: [
      {
        expr: 'group by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${at}m`,
        exp_samples: wanted.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
      },
    ],
  };
}

test("promtool accepts the rules", { skip: lacking("promtool") }, async () => {
  await run("promtool", ["check", "rules", "--lint=all", "--lint-fatal", rulesFile]);
});

test("every alert fires on its case, and none on a healthy relay", { skip: lacking("promtool") }, async (t) => {
  assert.deepEqual(Object.keys(cases).toSorted(), alerts.map(({ alert }) => alert).toSorted(), "a case for each alert");
  const tests = [
    ...Object.entries(cases).map(([name, wanted]) => firing(name, wanted)),
    ...situations.map(exactly),
    {
      name: "healthy",
      interval: "1m",
      input_series: healthy,
      promql_expr_test: [{ expr: "ALERTS", eval_time: "1590m", exp_samples: [] }],
    },
  ];
  const file = join(makeResultsDirectory(import.meta.url, "promtool"), "tests.yaml");
  writeFileSync(file, stringify({ rule_files: [rulesFile], evaluation_interval: "1m", tests }));
  const { stdout } = await run("promtool", ["test", "rules", file]);
  t.diagnostic(stdout.trim());
});
