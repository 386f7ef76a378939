/** OTLP over HTTP with protobuf: the library's exporter, and its failures in words that say what to do. */
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import type { TelemetrySettings } from "./trace.ts";
import type { BatchExporter } from "./spanqueue.ts";

/** One export with the library's retries (429, 502, 503, 504 and lost connections) takes at most this long... */
const exportMs = 10_000;
/** ...unless the collector answers a byte at a time: then it is not waited for any more. */
const patienceMs = 15_000;

export function openExporter(endpoint: string, settings: Pick<TelemetrySettings, "headers" | "ca">): BatchExporter {
  const { headers, ca } = settings;
  const exporter = new OTLPTraceExporter({
    url: tracesUrl(endpoint),
    headers: { ...headers },
    timeoutMillis: exportMs,
    httpAgentOptions: { keepAlive: true, ...(ca === undefined ? {} : { ca }) },
  });
  return {
    export: (spans) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve("the collector does not come to an end of its answer"), patienceMs);
        const settle = (failure: string | undefined): void => {
          clearTimeout(timer);
          resolve(failure);
        };
        try {
          exporter.export(spans, ({ code, error }) => settle(code === 0 ? undefined : failureWords(error)));
        } catch (error) {
          settle(failureWords(error));
        }
      }),
  };
}

/** Who wrote the whole URL, as for other exporters, meant the same. */
export function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, "");
  url.pathname = path.endsWith("/v1/traces") ? path : `${path}/v1/traces`;
  return url.href;
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
