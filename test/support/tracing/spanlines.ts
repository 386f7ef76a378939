/** Telemetry without a collector, whose spans are read as lines: for tests of what a span says. */
import { createLog } from "../../../runtime/log.ts";
import { createTelemetry, type Telemetry } from "../../../runtime/telemetry.ts";
import type { SpanLine } from "../../../runtime/tracing/trace.ts";

export interface SpanLines {
  readonly telemetry: Telemetry;
  /** Those that have ended, in that order. */
  readonly spans: readonly SpanLine[];
}

export async function tracedAt(samplingRatio: number): Promise<SpanLines> {
  const spans: SpanLine[] = [];
  const telemetry = createTelemetry({
    resource: {},
    names: { endpoint: "endpoint", headers: "headers", ca: "ca" },
    log: createLog({ level: "silent", program: "test" }),
    counts: { spansExported: () => undefined, spansDropped: () => undefined },
    sink: (line) => spans.push(line),
  });
  await telemetry.configure({ samplingRatio, headers: {} });
  return { telemetry, spans };
}
