/** What the families of metrics share: the registry's form, the buckets, and how a latency is observed. */
import type { Histogram, Registry } from "prom-client";
import { exemplarOf } from "../exemplar.ts";

export type OpenMetricsRegistry = Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>;

/** Seconds. 300 is the five minutes of the service level objective. */
export const latencyBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400,
];

/** With the trace of the message as exemplar, when it has one that is kept. */
export function observeTraced(histogram: Histogram, seconds: number, traceparent: string | undefined): void {
  const exemplarLabels = exemplarOf(traceparent);
  if (exemplarLabels === undefined) histogram.observe({ labels: {}, value: seconds });
  else histogram.observe({ labels: {}, value: seconds, exemplarLabels: { ...exemplarLabels } });
}
