/**
 * The hops of a message as a waterfall: spans in, rows out, which the terminal and the page draw each in its own way.
 * A trace is a tree; every later attempt is a trace of its own. Pure.
 */
import type { Tone, Waterfall, WaterfallRow } from "./shape.ts";
import { type PodSpan, type SpanLine, textOf } from "./spanline.ts";

/** One for each trace, in the order they began. */
export function waterfalls(spans: readonly PodSpan[]): readonly Waterfall[] {
  return [...Map.groupBy(spans, ({ span }) => span.traceId)]
    .map(([traceId, group]) => waterfallOf(traceId, group))
    .toSorted((one, other) => one.startMs - other.startMs);
}

function waterfallOf(traceId: string, spans: readonly PodSpan[]): Waterfall {
  const startMs = Math.min(...spans.map(({ span }) => span.startMs));
  const endMs = Math.max(...spans.map(({ span }) => span.endMs));
  const ids = new Set(spans.map(({ span }) => span.spanId));
  // A parent that is not here (another hop's, or one that has not ended yet) leaves its children at the top.
  const parentOf = ({ span }: PodSpan): string =>
    span.parentSpanId !== undefined && ids.has(span.parentSpanId) ? span.parentSpanId : "";
  const children = Map.groupBy(
    spans.toSorted((one, other) => one.span.startMs - other.span.startMs || one.span.endMs - other.span.endMs),
    parentOf,
  );
  const rows: WaterfallRow[] = [];
  const walk = (parent: string, depth: number): void => {
    for (const child of children.get(parent) ?? []) {
      rows.push(rowOf(child, depth, startMs));
      walk(child.span.spanId, depth + 1);
    }
  };
  walk("", 0);
  return { traceId, startMs, durationMs: endMs - startMs, rows };
}

function rowOf({ pod, span }: PodSpan, depth: number, startMs: number): WaterfallRow {
  return {
    name: span.name,
    depth,
    pod,
    offsetMs: span.startMs - startMs,
    durationMs: span.endMs - span.startMs,
    tone: toneOf(span),
    note: noteOf(span),
  };
}

function toneOf(span: SpanLine): Tone {
  switch (textOf(span, "mailboat.outcome") ?? "") {
    case "delivered":
    case "captured":
      return "good";
    case "deferred":
    case "mixed":
      return "warning";
    case "failed":
    case "refused":
    case "abandoned":
      return "bad";
    default:
      if (span.status.code !== "ERROR") return "plain";
      return isForNow(span) ? "warning" : "bad";
  }
}

/** A 4xx says that it may be tried again (RFC 5321 section 4.2.1), and so does a next hop that says nothing: no failure yet. */
function isForNow(span: SpanLine): boolean {
  const code = textOf(span, "smtp.reply.code");
  return code === undefined ? span.name === "smtp.send" : code.startsWith("4");
}

function noteOf(span: SpanLine): string {
  const part = (attribute: string, before = "", after = ""): string => {
    const text = textOf(span, attribute);
    return text === undefined ? "" : `${before}${text}${after}`;
  };
  const code = part("smtp.reply.code");
  return [
    part("mailboat.attempt", "attempt "),
    part("mailboat.outcome"),
    part("mailboat.listener", "on "),
    part("server.address", "to ", part("server.port", ":")),
    part("tls.protocol.version", "TLS "),
    part("mailboat.dkim.keys", "DKIM keys: "),
    code,
    part("smtp.reply.enhanced_code"),
    // Without a reply the words are all there is.
    span.status.code === "ERROR" && code === "" ? (span.status.message ?? "") : "",
  ]
    .filter((text) => text !== "")
    .join(" ");
}

/** `12 ms`, `3.4 ms`, `1.25 s`: three digits say enough. */
export function durationText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10_000 ? 1 : 2)} s`;
  return `${ms.toFixed(ms >= 10 ? 0 : 1)} ms`;
}
