/** What is wrong with a relay or with the way out, as its pods see it. */
import { alert, type AlertRule } from "./rule.ts";

const relay = "namespace, mailboat_dev_relay";
const name = "{{ $labels.namespace }}/{{ $labels.mailboat_dev_relay }}";

const putOff = `sum by (${relay}) (rate(mailboat_submission_refusals_total{code=~"4.."}[10m]))`;

export const relayAlerts: readonly AlertRule[] = [
  alert({
    name: "MailboatPodNotAnswering",
    severity: "critical",
    // What a pod has counted is gone with its answer: no other alert can speak of it. One that answers now and then, or starts again and
    // again, is never silent for as long as it takes, and all other alerts begin anew with each scrape that fails.
    expr: [
      `max by (${relay}, instance) (up{mailboat_dev_relay!=""}) == 0`,
      `max by (${relay}, instance) (avg_over_time(up{mailboat_dev_relay!=""}[10m])) < 0.6`,
      `max by (${relay}, instance) (changes(process_start_time_seconds{mailboat_dev_relay!=""}[30m])) >= 3`,
    ].join(" or "),
    for: "5m",
    summary: `{{ $labels.instance }} of relay ${name} does not answer, or starts again and again`,
    description:
      "Prometheus gets no figures from the pod, or gets them now and then: it hangs, has started three times or more in half an hour, or may not be reached. What its spool holds waits, and all other alerts are silent about it.",
  }),
  alert({
    name: "MailboatMailWaiting",
    severity: "critical",
    expr: `max by (${relay}) ((time() - mailboat_spool_oldest_due_timestamp_seconds) * (mailboat_spool_oldest_due_timestamp_seconds > bool 0)) > 300`,
    for: "5m",
    summary: `Mail of relay ${name} waits longer than it should`,
    description:
      "A recipient has been due for {{ $value | humanizeDuration }} without an attempt: deliveries do not keep up. Retry times and rate limits of destinations are not counted.",
  }),
  alert({
    name: "MailboatDestinationFailing",
    severity: "warning",
    expr: `sum by (${relay}, destination) (rate(mailboat_delivery_destination_recipients_total{outcome=~"deferred|failed"}[15m])) / sum by (${relay}, destination) (rate(mailboat_delivery_destination_recipients_total[15m])) > 0.5 and sum by (${relay}, destination) (increase(mailboat_delivery_destination_recipients_total{outcome=~"deferred|failed"}[15m])) > 10`,
    for: "5m",
    summary: `Most mail of relay ${name} to {{ $labels.destination }} is not taken`,
    description: "{{ $value | humanizePercentage }} of the attempts of the last 15 minutes were deferred or failed.",
  }),
  alert({
    name: "MailboatRefusing",
    severity: "warning",
    // A relay that has accepted nothing since its start has no series of what it accepted.
    expr: `${putOff} > (sum by (${relay}) (rate(mailboat_submission_accepted_messages_total[10m])) or ${putOff} * 0)`,
    for: "10m",
    summary: `Relay ${name} puts off more mail than it takes`,
    description:
      "Temporary refusals outnumber accepted messages: the spool is full, limits are reached, or signing is not possible.",
  }),
  alert({
    name: "MailboatSpoolNearlyFull",
    severity: "critical",
    expr: `max by (${relay}, instance) (mailboat_spool_used_bytes / mailboat_spool_capacity_bytes) > 0.7 or max by (${relay}, instance) (mailboat_spool_full) > 0`,
    for: "5m",
    summary: `The spool of {{ $labels.instance }} of relay ${name} is nearly full`,
    description: "Past the high watermark new mail is answered 452. Nothing that was accepted is lost.",
  }),
  alert({
    name: "MailboatOutcomesUnwritten",
    severity: "critical",
    expr: `max by (${relay}, instance, cause) (mailboat_delivery_unwritten_outcomes) > 0`,
    for: "2m",
    summary: `{{ $labels.instance }} of relay ${name} cannot write what became of mail`,
    description:
      "{{ $value }} outcomes are kept in memory and tried again. With cause spool the pod sends nothing meanwhile, because it would send it twice after a crash; with cause outcome each holds one place in flight and the others go on.",
  }),
  alert({
    name: "MailboatCheckpointsFailing",
    severity: "critical",
    expr: `sum by (${relay}, instance) (increase(mailboat_spool_checkpoints_total{result=~"failed|blocked"}[5m])) > 0`,
    for: "10m",
    summary: `The log of the spool of {{ $labels.instance }} of relay ${name} is not copied`,
    description:
      "{{ $value | humanize }} checkpoints failed or were blocked in 5 minutes. Nothing is lost, but the log grows until new mail is answered 452.",
  }),
  alert({
    name: "MailboatMailUnreadable",
    severity: "critical",
    expr: `max by (${relay}, instance) (mailboat_spool_unreadable_recipients) > 0`,
    for: "1m",
    summary: `Mail in the spool of {{ $labels.instance }} of relay ${name} cannot be read`,
    description:
      "{{ $value }} recipients are set aside and not sent, until a person looks at them. All others are sent.",
  }),
  alert({
    name: "MailboatCertificateExpiring",
    severity: "critical",
    expr: `min by (${relay}) (mailboat_tls_certificate_not_after_timestamp_seconds - time()) < 7 * 86400`,
    for: "1h",
    summary: `The certificate of relay ${name} ends soon`,
    description: "It ends in {{ $value | humanizeDuration }}, and whoever renews it has not.",
  }),
  alert({
    name: "MailboatDomainsUnsigned",
    severity: "warning",
    expr: `max by (${relay}) (mailboat_configuration_sender_domains{dkim="none"}) > 0`,
    for: "10m",
    summary: `Relay ${name} has sender domains without a usable DKIM key`,
    description:
      "{{ $value }} domains have no key that the pods can use: their mail is put off, or leaves unsigned where the manifest says so.",
  }),
  alert({
    name: "MailboatConfigurationStale",
    severity: "warning",
    expr: `max by (${relay}) (mailboat_configuration_stale) > 0 or count by (${relay}) (count by (${relay}, revision) (mailboat_configuration_info)) > 1`,
    for: "10m",
    summary: `Pods of relay ${name} do not run with the newest configuration`,
    description:
      "A pod cannot use what the operator wrote, or does not get it. It goes on with its last good configuration.",
  }),
  alert({
    name: "MailboatDoubleBounces",
    severity: "warning",
    expr: `sum by (${relay}) (increase(mailboat_delivery_double_bounces_total[1h])) > 10`,
    for: "5m",
    summary: `Notices of relay ${name} cannot be delivered`,
    description:
      "{{ $value | humanize }} recipients of notices failed in an hour: senders do not learn what became of their mail.",
  }),
  alert({
    name: "MailboatTracesLost",
    severity: "warning",
    // Of operators as well, which belong to no relay: the job tells whose they are.
    expr: "sum by (namespace, job) (increase(mailboat_telemetry_spans_dropped_total[15m])) > 0",
    for: "15m",
    summary: "Traces of {{ $labels.job }} in {{ $labels.namespace }} are lost",
    description:
      "{{ $value | humanize }} spans were dropped in 15 minutes: the collector does not take them, or not as fast as they come. Mail goes on.",
  }),
];
