/** What becomes of the spans that end. */
import { Counter } from "prom-client";
import { spanLosses } from "../../../runtime/tracing/trace.ts";
import type { OpenMetricsRegistry } from "./family.ts";

export interface SpanMetrics {
  spansExported(count: number): void;
  /** A reason of runtime/telemetry. */
  spansDropped(reason: string, count: number): void;
}

export function spanMetrics(registry: OpenMetricsRegistry): SpanMetrics {
  const registers = [registry];
  const exported = new Counter({
    name: "mailboat_telemetry_spans_exported",
    help: "Spans that the collector has taken",
    registers,
  });
  const dropped = new Counter({
    name: "mailboat_telemetry_spans_dropped",
    help: "Spans that were lost: the queue was full, or the collector did not take them",
    labelNames: ["reason"],
    registers,
  });
  // A counter that is there before its first event has a rate at that event.
  for (const reason of spanLosses) dropped.inc({ reason }, 0);
  return {
    spansExported: (count) => exported.inc(count),
    spansDropped: (reason, count) => dropped.inc({ reason }, count),
  };
}
