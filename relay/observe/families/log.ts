/** What became of the log, which may have a reader that is too slow. */
import { Counter } from "prom-client";
import type { OpenMetricsRegistry } from "./family.ts";

/** `dropped` is the number of lines since the start. */
export function logMetrics(registry: OpenMetricsRegistry, dropped: () => number): { refresh(): void } {
  const lines = new Counter({
    name: "mailboat_log_dropped_lines",
    help: "Lines of the log that were dropped because who reads them is too slow",
    registers: [registry],
  });
  let counted = 0;
  return {
    refresh() {
      lines.inc(dropped() - counted);
      counted = dropped();
    },
  };
}
