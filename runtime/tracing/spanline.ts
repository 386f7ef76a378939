/** A finished span as plain data, for whoever shows it on this machine. */
import { SpanKind, SpanStatusCode, TraceFlags, type HrTime } from "@opentelemetry/api";
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { SpanKindName, SpanLine } from "./trace.ts";

/** Hands every sampled span to a sink as it ends. */
export class SpanLines implements SpanProcessor {
  readonly #sink: (line: SpanLine) => void;

  constructor(sink: (line: SpanLine) => void) {
    this.#sink = sink;
  }

  onStart(): void {
    // Only what has ended is told.
  }

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0) this.#sink(spanLineOf(span));
  }

  async forceFlush(): Promise<void> {
    // Nothing is held back.
  }

  async shutdown(): Promise<void> {
    // Nothing is open.
  }
}

export function spanLineOf(span: ReadableSpan): SpanLine {
  const { traceId, spanId } = span.spanContext();
  const parentSpanId = span.parentSpanContext?.spanId;
  const { message } = span.status;
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: span.name,
    kind: kindName(span.kind),
    startMs: millisecondsOf(span.startTime),
    endMs: millisecondsOf(span.endTime),
    attributes: span.attributes,
    events: span.events.map((event) => ({
      name: event.name,
      timeMs: millisecondsOf(event.time),
      attributes: event.attributes ?? {},
    })),
    links: span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
    status: { code: statusName(span.status.code), ...(message === undefined ? {} : { message }) },
  };
}

function kindName(kind: SpanKind): SpanKindName {
  if (kind === SpanKind.SERVER) return "SERVER";
  if (kind === SpanKind.CLIENT) return "CLIENT";
  if (kind === SpanKind.PRODUCER) return "PRODUCER";
  return kind === SpanKind.CONSUMER ? "CONSUMER" : "INTERNAL";
}

function statusName(code: SpanStatusCode): SpanLine["status"]["code"] {
  if (code === SpanStatusCode.ERROR) return "ERROR";
  return code === SpanStatusCode.OK ? "OK" : "UNSET";
}

function millisecondsOf([seconds, nanoseconds]: HrTime): number {
  return seconds * 1e3 + nanoseconds / 1e6;
}
