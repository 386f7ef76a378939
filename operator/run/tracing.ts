/** The operator's own telemetry. A collector that cannot be used costs traces, never work: the log says so. */
import { readFile } from "node:fs/promises";
import type { Log } from "../../runtime/log.ts";
import { createTelemetry, type Telemetry } from "../../runtime/telemetry.ts";
import type { SettingNames, SpanCounts } from "../../runtime/tracing/trace.ts";
import type { TracingSettings } from "../tracingsettings.ts";

export interface TracingPlace {
  /** Where the operator runs. */
  readonly namespace: string;
  readonly identity: string;
  readonly log: Log;
  readonly counts: SpanCounts;
}

const names: SettingNames = {
  endpoint: "OTEL_EXPORTER_OTLP_ENDPOINT (tracing.endpoint of the chart)",
  headers: "OTEL_EXPORTER_OTLP_HEADERS (tracing.headersSecretName of the chart)",
  ca: "OTEL_EXPORTER_OTLP_CERTIFICATE (tracing.caSecretName of the chart)",
};

/** Nothing is traced until startTracing() has been called. */
export function openTelemetry({ namespace, identity, log, counts }: TracingPlace): Telemetry {
  const resource = {
    "service.name": "mailboat-operator",
    "service.namespace": namespace,
    "service.instance.id": identity,
  };
  return createTelemetry({ resource, log, counts, names });
}

/** Never rejects. */
export async function startTracing(
  telemetry: Telemetry,
  settings: TracingSettings | undefined,
  log: Log,
): Promise<void> {
  if (settings === undefined) return;
  const { endpoint, samplingRatio, headers, caFile } = settings;
  try {
    const ca = caFile === undefined ? {} : { ca: await readFile(caFile, "utf8") };
    await telemetry.configure({ endpoint, samplingRatio, headers, ...ca });
    // Without path and query, which may hold a token.
    log.info({ collector: new URL(endpoint).origin, samplingRatio }, "reconciles are traced");
  } catch (error) {
    log.error({ error: String(error), caFile }, "tracing could not be set up; reconciles are not traced");
  }
}
