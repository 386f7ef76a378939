/** Where the operator's own traces go, by OpenTelemetry's variables. Relays are told by their MailRelay instead. */
import { z } from "zod";

/** RFC 9110 section 5.6.2: what the name of a header is made of. */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** `name=value,name=value`; values may be percent-encoded, as in W3C Baggage. The text is a secret: no error repeats it. */
const headers = z.string().transform((text, context): Readonly<Record<string, string>> => {
  const fields = text
    .split(",")
    .map((field) => field.trim())
    .filter((field) => field !== "");
  const found: Record<string, string> = {};
  for (const [index, field] of fields.entries()) {
    const name = field.slice(0, Math.max(0, field.indexOf("="))).trim();
    const value = decoded(field.slice(field.indexOf("=") + 1).trim());
    if (headerName.test(name) && value !== undefined) found[name.toLowerCase()] = value;
    else {
      const message = `OTEL_EXPORTER_OTLP_HEADERS: part ${index + 1} must be name=value, with what is special in the value percent-encoded`;
      context.addIssue({ code: "custom", message });
    }
  }
  return found;
});

function decoded(text: string): string | undefined {
  try {
    const value = decodeURIComponent(text);
    return /[\r\n\0]/.test(value) ? undefined : value;
  } catch {
    return undefined;
  }
}

const endpointWords =
  "must be the base URL of an OTLP/HTTP collector, for example http://otel-collector:4318 (--otlp-endpoint, OTEL_EXPORTER_OTLP_ENDPOINT)";
const ratioWords = "must be a share from 0 to 1 (--trace-sampling-ratio, OTEL_TRACES_SAMPLER_ARG)";
const protocolWords =
  "must be http/protobuf: the operator speaks no other; collectors take it at port 4318 (OTEL_EXPORTER_OTLP_PROTOCOL)";

export const tracingSettings = z.object({
  /** `/v1/traces` is added. */
  endpoint: z.url({ protocol: /^https?$/, error: endpointWords }),
  samplingRatio: z.coerce.number({ error: ratioWords }).min(0, { error: ratioWords }).max(1, { error: ratioWords }),
  headers,
  protocol: z.literal("http/protobuf", { error: protocolWords }),
  /** PEM file that the collector's certificate must chain to. */
  caFile: z.string().optional(),
});

export type TracingSettings = z.infer<typeof tracingSettings>;

/** What tracingSettings reads; undefined where nothing is traced. */
export function gatherTracing(
  flags: { readonly endpoint: string | undefined; readonly samplingRatio: string | undefined },
  set: (name: string) => string | undefined,
): z.input<typeof tracingSettings> | undefined {
  const endpoint = flags.endpoint ?? set("OTEL_EXPORTER_OTLP_ENDPOINT");
  if (endpoint === undefined || endpoint === "") return undefined;
  if (set("OTEL_SDK_DISABLED") === "true" || set("OTEL_TRACES_EXPORTER") === "none") return undefined;
  return {
    endpoint,
    samplingRatio: flags.samplingRatio ?? ratioOf(set),
    headers: set("OTEL_EXPORTER_OTLP_HEADERS") ?? "",
    protocol: (set("OTEL_EXPORTER_OTLP_PROTOCOL") ?? "http/protobuf") as "http/protobuf",
    caFile: set("OTEL_EXPORTER_OTLP_CERTIFICATE"),
  };
}

/** The two samplers that are no ratio; every other one of OpenTelemetry is a ratio for whoever starts traces. */
function ratioOf(set: (name: string) => string | undefined): string {
  const sampler = set("OTEL_TRACES_SAMPLER") ?? "";
  if (sampler.endsWith("always_off")) return "0";
  return sampler.endsWith("always_on") ? "1" : (set("OTEL_TRACES_SAMPLER_ARG") ?? "1");
}
