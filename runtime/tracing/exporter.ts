/** OTLP over HTTP with protobuf: the library's exporter, and its failures in words that say what to do. */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { TelemetrySettings } from "./trace.ts";
import type { BatchExporter } from "./spanqueue.ts";

/** One export with the library's retries (429, 502, 503, 504 and lost connections) takes at most this long. */
const exportMs = 10_000;

export function openExporter(endpoint: string, settings: Pick<TelemetrySettings, "headers" | "ca">): BatchExporter {
  const { headers, ca } = settings;
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, "")}/v1/traces`,
    headers: { ...headers },
    timeoutMillis: exportMs,
    httpAgentOptions: { keepAlive: true, ...(ca === undefined ? {} : { ca }) },
  });
  return {
    export: (spans) =>
      new Promise((resolve) => {
        try {
          exporter.export(spans, ({ code, error }) => resolve(code === 0 ? undefined : failureWords(error)));
        } catch (error) {
          resolve(failureWords(error));
        }
      }),
  };
}

const advice: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens at spec.tracing.endpoint",
  ENOTFOUND: "the host of spec.tracing.endpoint does not resolve",
  "401": "the collector wants credentials: spec.tracing.headersSecretName",
  "403": "the collector refuses our credentials: spec.tracing.headersSecretName",
  "404": "no OTLP/HTTP receiver is at spec.tracing.endpoint",
};
const certificateError = /CERT|ISSUER|SELF_SIGNED|ALTNAME/;

export function failureWords(error: unknown): string {
  if (!(error instanceof Error)) return "the collector did not take them";
  const code = "code" in error ? String(error.code) : "";
  const hint = advice[code] ?? (certificateError.test(code) ? "check spec.tracing.caSecretName" : undefined);
  const words = [error.message, code === "" || error.message.includes(code) ? "" : `(${code})`];
  const text = words.filter((word) => word !== "").join(" ");
  return hint === undefined ? text : `${text}: ${hint}`;
}
