/** OTLP over HTTP: the library's way to the collector with its retries, and its failures in words that say what to do. */
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from "@opentelemetry/otlp-exporter-base/node-http";
import { SpanEncoder } from "./otlp.ts";
import type { SpanRecord } from "./spanrecord.ts";
import type { BatchExporter } from "./spanqueue.ts";
import type { SettingNames, TelemetryOptions, TelemetrySettings } from "./trace.ts";

/** One export with the library's retries (429, 502, 503, 504 and lost connections) takes at most this long... */
const exportMs = 10_000;
/** ...unless the collector answers a byte at a time: then it is not waited for any more. */
const patienceMs = 15_000;
/** One is under way at a time; those that are not waited for any more come on top. */
const exportsAtOnce = 30;

export function openExporter(
  endpoint: string,
  { headers, ca }: Pick<TelemetrySettings, "headers" | "ca">,
  { names, resource }: Pick<TelemetryOptions, "names" | "resource">,
): BatchExporter {
  const encoder = new SpanEncoder(resource);
  const collector = createOtlpHttpExportDelegate(
    {
      url: tracesUrl(endpoint),
      headers: () => Promise.resolve({ ...headers, "Content-Type": "application/x-protobuf" }),
      timeoutMillis: exportMs,
      concurrencyLimit: exportsAtOnce,
      compression: "none",
      // In a list also an empty authority counts: alone it would be taken for none, and the system's roots be trusted.
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true, ...(ca === undefined ? {} : { ca: [ca] }) }),
    },
    {
      serializeRequest: (spans: readonly SpanRecord[]) => encoder.encode(spans),
      // What a collector says of spans that it took only in part is for its own log.
      deserializeResponse: () => ({}),
    },
    "otlp_http_span_exporter",
    { name: "span", countItems: (spans) => spans.length },
    undefined,
  );
  return {
    export: (spans) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve("the collector does not come to an end of its answer"), patienceMs);
        const settle = (failure: string | undefined): void => {
          clearTimeout(timer);
          resolve(failure);
        };
        try {
          collector.export(spans, ({ code, error }) => settle(code === 0 ? undefined : failureWords(error, names)));
        } catch (error) {
          settle(failureWords(error, names));
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

function adviceOn(code: string, { endpoint, headers, ca }: SettingNames): string | undefined {
  switch (code) {
    case "ECONNREFUSED":
      return `nothing listens at ${endpoint}`;
    case "ENOTFOUND":
      return `the host of ${endpoint} does not resolve`;
    case "401":
      return `the collector wants credentials: ${headers}`;
    case "403":
      return `the collector refuses our credentials: ${headers}`;
    case "404":
      return `no OTLP/HTTP receiver is at ${endpoint}`;
    default:
      return certificateError.test(code) ? `check ${ca}` : undefined;
  }
}

const certificateError = /CERT|ISSUER|SELF_SIGNED|ALTNAME/;

export function failureWords(error: unknown, names: SettingNames): string {
  if (!(error instanceof Error)) return "the collector did not take them";
  const code = "code" in error ? String(error.code) : "";
  const hint = adviceOn(code, names);
  const words = [error.message, code === "" || error.message.includes(code) ? "" : `(${code})`];
  const text = words.filter((word) => word !== "").join(" ");
  return hint === undefined ? text : `${text}: ${hint}`;
}
