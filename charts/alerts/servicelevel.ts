/**
 * The objective: 99.5 % of deliveries reach the next hop within five minutes of their acceptance. Two windows for each
 * alert, so that it comes soon when the budget burns fast and goes soon when it no longer does.
 */
import { alert, type AlertRule, type RecordingRule } from "./rule.ts";

const relay = "namespace, mailboat_dev_relay";
/** Share of deliveries that may be late. */
const budget = 0.005;
const windows = ["5m", "30m", "1h", "6h"] as const;

function lateRatio(range: (typeof windows)[number]): RecordingRule {
  const inTime = `sum by (${relay}) (rate(mailboat_delivery_seconds_bucket{le=~"300(\\\\.0)?"}[${range}]))`;
  return {
    record: `mailboat:delivery_late:ratio_rate${range}`,
    expr: `1 - ${inTime} / (sum by (${relay}) (rate(mailboat_delivery_seconds_count[${range}])) > 0)`,
  };
}

function burning(factor: number, long: (typeof windows)[number], short: (typeof windows)[number]): string {
  const limit = (factor * budget).toPrecision(3);
  return `mailboat:delivery_late:ratio_rate${long} > ${limit} and mailboat:delivery_late:ratio_rate${short} > ${limit}`;
}

const summary = "Relay {{ $labels.namespace }}/{{ $labels.mailboat_dev_relay }} delivers too late";
const description = "{{ $value | humanizePercentage }} of its deliveries took longer than five minutes; 0.5 % may.";

export const serviceLevel: readonly (AlertRule | RecordingRule)[] = [
  ...windows.map(lateRatio),
  // 2 % of a month's budget in an hour, and 5 % in six: the limits of Google's SRE workbook, chapter 5.
  alert({
    name: "MailboatSlowDelivery",
    severity: "critical",
    expr: burning(14.4, "1h", "5m"),
    for: "2m",
    summary,
    description,
  }),
  alert({
    name: "MailboatSlowDeliveryPersists",
    severity: "warning",
    expr: burning(6, "6h", "30m"),
    for: "15m",
    summary,
    description,
  }),
];
