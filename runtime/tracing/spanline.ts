/** A finished span as plain data, for whoever shows it on this machine. */
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { SpanRecord } from "./spanrecord.ts";
import type { SpanKindName, SpanLine } from "./trace.ts";

export function spanLineOf(span: SpanRecord): SpanLine {
  const { traceId, spanId } = span.context;
  return {
    traceId,
    spanId,
    ...(span.parent === undefined ? {} : { parentSpanId: span.parent.spanId }),
    name: span.name,
    kind: kindName(span.kind),
    startMs: span.startedAt,
    endMs: span.endedAt,
    attributes: span.attributes,
    events: span.events.map(({ name, at, attributes }) => ({ name, timeMs: at, attributes })),
    links: span.links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
    status: { code: span.status === SpanStatusCode.ERROR ? "ERROR" : "UNSET" },
  };
}

function kindName(kind: SpanKind): SpanKindName {
  if (kind === SpanKind.SERVER) return "SERVER";
  if (kind === SpanKind.CLIENT) return "CLIENT";
  if (kind === SpanKind.PRODUCER) return "PRODUCER";
  return kind === SpanKind.CONSUMER ? "CONSUMER" : "INTERNAL";
}
