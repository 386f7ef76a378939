/**
 * The header fields that carry a trace from hop to hop: read off on the way in, always; written on the way out only for
 * next hops that the manifest trusts. W3C Trace Context has no binding for mail: the field names are those of HTTP.
 */
import { fieldsNamed, fieldValue, type Header } from "./header.ts";

/** Never kept in a message: who gets to see which trace is decided at each hop. Lower case. */
export const traceFieldNames = ["traceparent", "tracestate"] as const;

export interface TraceFields {
  readonly traceparent: readonly string[];
  readonly tracestate: readonly string[];
}

export const noTraceFields: TraceFields = { traceparent: [], tracestate: [] };

export function traceFieldsOf(header: Header): TraceFields {
  if (!header.fields.some(({ name }) => name === "traceparent")) return noTraceFields;
  const values = (name: string): string[] => fieldsNamed(header, name).map((field) => fieldValue(header, field));
  return { traceparent: values("traceparent"), tracestate: values("tracestate") };
}

/** The fields with their line ends, from a context as Tracing.textOf() writes it. */
export function renderTraceFields(context: string): string {
  const space = context.indexOf(" ");
  if (space === -1) return `traceparent: ${context}\r\n`;
  return `traceparent: ${context.slice(0, space)}\r\ntracestate: ${context.slice(space + 1)}\r\n`;
}

/** Whether the next hop may see our traces. Names are compared as DNS does. */
export function isTrustedNextHop(
  trusted: readonly { readonly host: string; readonly port?: number | undefined }[],
  hop: { readonly host: string; readonly port: number },
): boolean {
  const host = plainName(hop.host);
  return trusted.some((each) => plainName(each.host) === host && (each.port === undefined || each.port === hop.port));
}

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}
