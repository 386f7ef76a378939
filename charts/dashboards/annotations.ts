/**
 * What happened, drawn over every graph: alerts that fire, processes that started, configurations that came. Each asks for
 * points only where something happened, because every point becomes a mark.
 */
import { AnnotationQueryBuilder } from "@grafana/grafana-foundation-sdk/dashboard";

const datasource = { type: "prometheus", uid: "${datasource}" };

/** Which series of a dashboard the marks are about: the matchers of its choices. */
export interface AnnotatedSeries {
  /** Of series of pods. */
  readonly chosen: string;
  /** Of alerts, which have the labels of their expressions alone. */
  readonly alerts: string;
}

export function annotations({ chosen, alerts }: AnnotatedSeries): AnnotationQueryBuilder[] {
  const firing = `max by (alertname, severity, mailboat_dev_relay, destination, pod, kind) (ALERTS{${alerts}, alertname=~"Mailboat.+", alertstate="firing"})`;
  return [
    // Points next to each other become one region, from the first to the last.
    new AnnotationQueryBuilder()
      .name("Alerts")
      .datasource(datasource)
      .enable(true)
      .iconColor("red")
      .expr(firing)
      .step("30s")
      .titleFormat("{{alertname}}")
      .textFormat("{{severity}} {{mailboat_dev_relay}} {{destination}} {{pod}} {{kind}}")
      .tagKeys("severity"),
    // The value is the time: the many points of one start are one mark.
    new AnnotationQueryBuilder()
      .name("Starts")
      .datasource(datasource)
      .enable(true)
      .iconColor("purple")
      .expr(`max by (pod) (process_start_time_seconds{${chosen}}) * 1000`)
      .step("30s")
      .useValueForTime(true)
      .titleFormat("{{pod}} started")
      .textFormat("A new process: a restart, a rollout or another node."),
  ];
}

/** A revision that was not there a moment ago. */
export function configurationChanges(chosen: string): AnnotationQueryBuilder {
  const revisions = `max by (namespace, mailboat_dev_relay, revision) (mailboat_configuration_info{${chosen}})`;
  const before = `max by (namespace, mailboat_dev_relay, revision) (mailboat_configuration_info{${chosen}} offset $__rate_interval)`;
  return new AnnotationQueryBuilder()
    .name("Configuration")
    .datasource(datasource)
    .enable(true)
    .iconColor("blue")
    .expr(`${revisions} unless ${before}`)
    .step("30s")
    .titleFormat("{{namespace}}/{{mailboat_dev_relay}}: new configuration")
    .textFormat("revision {{revision}}");
}
