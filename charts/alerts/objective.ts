/**
 * The objective: 99.5 % of the accepted messages are through within five minutes. Late is counted when it is late and not when it is
 * delivered at last, so that a relay from which nothing leaves is as late as it is. Two windows for each alert, so that it comes soon
 * when the budget burns fast and goes soon when it no longer does.
 */
import { alert, type AlertRule, type RecordingRule } from "./rule.ts";

const relay = "namespace, mailboat_dev_relay";
/** Share of messages that may be late. */
const budget = 0.005;
const windows = ["5m", "30m", "1h", "6h"] as const;

/** Absent while no message was judged in the window. */
function lateRatio(range: (typeof windows)[number]): RecordingRule {
  const rate = (matcher: string): string =>
    `sum by (${relay}) (rate(mailboat_spool_objective_messages_total${matcher}[${range}]))`;
  return {
    record: `mailboat:messages_late:ratio_rate${range}`,
    expr: `${rate('{result="late"}')} / (${rate("")} > 0)`,
  };
}

/** Of a relay with little mail one message is a large share: fewer than that are nobody's alarm. */
const fewest = 5;

function burning(factor: number, long: (typeof windows)[number], short: (typeof windows)[number]): string {
  const limit = (factor * budget).toPrecision(3);
  const ratios = [long, short].map((range) => `mailboat:messages_late:ratio_rate${range} > ${limit}`);
  const late = `sum by (${relay}) (increase(mailboat_spool_objective_messages_total{result="late"}[${long}]))`;
  return [...ratios, `${late} >= ${fewest}`].join(" and ");
}

const name = "{{ $labels.namespace }}/{{ $labels.mailboat_dev_relay }}";
const summary = `Relay ${name} delivers too late`;
const description =
  "{{ $value | humanizePercentage }} of the messages were not through within five minutes; 0.5 % may.";

/** A pod that misses a scrape still holds what it held: without its last word each alert would begin anew with the next one. */
function waiting(age: "5m" | "1h"): string {
  return `sum by (${relay}) (last_over_time(mailboat_spool_waiting_messages{older_than="${age}"}[5m]))`;
}

/**
 * Of the same messages: what was late in the last five minutes was accepted in the five before, and what of that was in time was so
 * within all ten. Over one window the few that a burst leaves behind would be all there is to see for five minutes, once those that went
 * are out of it.
 */
function mostLate(late: "5m" | "1h", inTime: "10m" | "65m"): string {
  const judged = (result: string, range: string): string =>
    `sum by (${relay}) (increase(mailboat_spool_objective_messages_total{result="${result}"}[${range}]))`;
  return `(${judged("late", late)} >= ${judged("in_time", inTime)}) > 0`;
}

function deliveries(range: string): string {
  return `sum by (${relay}) (increase(mailboat_delivery_seconds_count[${range}]))`;
}

function delivered(range: string): string {
  return `${deliveries(range)} > 0`;
}

/** Gone within an hour at the pace of the last five minutes: late, as a limit of the manifest may have it, and not stuck. */
const isLeaving = `${waiting("5m")} <= 12 * ${deliveries("5m")}`;

/**
 * Where nothing is judged any more there is no share of it: an hour's silence over mail that is older. Of a relay that nobody uses at
 * night a few full mailboxes are no trouble: the alert has fired until now, or it is more than a twentieth of what came in three days.
 */
const isMost = `${waiting("1h")} > 0.05 * sum by (${relay}) (increase(mailboat_spool_objective_messages_total[3d]))`;
const isStuck = `${waiting("1h")} and on (${relay}) ALERTS{alertname="MailboatMailStuck", alertstate="firing"}`;
const standing = `${waiting("1h")} >= ${fewest} and (${isMost} or ${isStuck}) unless ${delivered("1h")}`;

export const objective: readonly (AlertRule | RecordingRule)[] = [
  ...windows.map(lateRatio),
  alert({
    name: "MailboatMailStuck",
    severity: "critical",
    // The hour keeps it firing when nothing new is accepted, or comes in time beside what is stuck.
    expr: `${waiting("5m")} >= ${fewest} and (${mostLate("5m", "10m")} or ${mostLate("1h", "65m")} or (${standing})) unless ${isLeaving}`,
    for: "1m",
    summary: `Most mail of relay ${name} does not leave`,
    description:
      "{{ $value }} accepted messages have waited for more than five minutes, most of the others become late or nothing has left for an hour, and at the pace of the last five minutes they need more than another hour.",
  }),
  alert({
    name: "MailboatNothingDelivered",
    severity: "warning",
    // Where little comes one message to a full mailbox waits for days, and a quarter of an hour without another is nothing.
    expr: `(${waiting("5m")} >= ${fewest} unless ${delivered("15m")}) or (${waiting("5m")} > 0 unless ${delivered("1d")})`,
    for: "5m",
    summary: `Nothing leaves relay ${name}`,
    description:
      "{{ $value }} messages have waited for more than five minutes, and no next hop has taken anything for a quarter of an hour, or for a day where fewer than five wait: the way out is shut, or the little there is cannot go.",
  }),
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
