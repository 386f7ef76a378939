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

function deliveries(inTime: string, all: string): Series[] {
  return [
    relaySeries("mailboat_delivery_seconds_bucket", 'le="300"', inTime),
    relaySeries("mailboat_delivery_seconds_count", "", all),
  ];
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
  MailboatSlowDelivery: { series: deliveries("0+50x90", "0+60x90"), at: 70, labels: place },
  MailboatSlowDeliveryPersists: { series: deliveries("0+57x500", "0+60x500"), at: 450, labels: place },
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
  ...deliveries("0+60x1600", "0+60x1600"),
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

test("promtool accepts the rules", { skip: lacking("promtool") }, async () => {
  await run("promtool", ["check", "rules", "--lint=all", "--lint-fatal", rulesFile]);
});

test("every alert fires on its case, and none on a healthy relay", { skip: lacking("promtool") }, async (t) => {
  assert.deepEqual(Object.keys(cases).toSorted(), alerts.map(({ alert }) => alert).toSorted(), "a case for each alert");
  const tests = [
    ...Object.entries(cases).map(([name, wanted]) => firing(name, wanted)),
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
