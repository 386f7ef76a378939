/** What becomes of what is observed: the spans that end, and the lines of the log, which may have a reader that is too slow. */
import type { MetricsRegistry } from "../../runtime/metrics.ts";
import { spanLosses, type SpanCounts } from "../../runtime/tracing/trace.ts";

/** `droppedLines` is the number of lines since the start. */
export function observationMetrics(registry: MetricsRegistry, droppedLines: () => number): SpanCounts {
  const exported = registry.counter({
    name: "mailboat_telemetry_spans_exported",
    help: "Spans that the collector has taken",
  });
  const dropped = registry.counter({
    name: "mailboat_telemetry_spans_dropped",
    help: "Spans that were lost: the queue was full, or the collector did not take them",
    labelNames: ["reason"],
  });
  // A counter that is there before its first event has a rate at that event.
  for (const reason of spanLosses) dropped.inc({ reason }, 0);
  const lines = registry.counter({
    name: "mailboat_log_dropped_lines",
    help: "Lines of the log that were dropped because who reads them is too slow",
  });
  let counted = 0;
  registry.onScrape(() => {
    lines.inc(droppedLines() - counted);
    counted = droppedLines();
  });
  return {
    spansExported: (count) => exported.inc(count),
    spansDropped: (reason, count) => dropped.inc({ reason }, count),
  };
}
