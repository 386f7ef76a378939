/**
 * The hops of a message as a waterfall: spans in, rows out, which the terminal and the page draw each in its own way.
 * A trace is a tree; every later attempt is a trace of its own. Pure.
 */
import { type PodSpan, type SpanLine, textOf } from "./spanline.ts";

export type Tone = "good" | "warning" | "bad" | "plain";

export interface WaterfallRow {
  readonly name: string;
  readonly depth: number;
  readonly pod: string;
  /** From the start of the first span of the trace. */
  readonly offsetMs: number;
  readonly durationMs: number;
  readonly tone: Tone;
  /** What a person wants to know of it: host, reply, TLS. */
  readonly note: string;
}

export interface Waterfall {
  readonly traceId: string;
  /** ms since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly rows: readonly WaterfallRow[];
}

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
  const outcome = textOf(span, "mailboat.outcome");
  if (outcome === "deferred") return "warning";
  if (outcome === "failed" || span.status.code === "ERROR") return "bad";
  return outcome === "delivered" ? "good" : "plain";
}

function noteOf(span: SpanLine): string {
  const say = (attribute: string, before = ""): string => {
    const text = textOf(span, attribute);
    return text === undefined ? "" : `${before}${text}`;
  };
  const attempt = textOf(span, "mailboat.attempt");
  const port = say("server.port", ":");
  return [
    attempt === undefined ? "" : `attempt ${attempt}`,
    say("mailboat.outcome"),
    say("mailboat.listener"),
    say("server.address") === "" ? "" : `${say("server.address")}${port}`,
    say("tls.protocol.version"),
    say("mailboat.dkim.keys"),
    say("smtp.reply.code"),
    say("smtp.reply.enhanced_code"),
    span.status.code === "ERROR" ? (span.status.message ?? "") : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

/** `12 ms`, `3.4 ms`, `1.25 s`: three digits say enough. */
export function durationText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(ms >= 10_000 ? 1 : 2)} s`;
  return `${ms.toFixed(ms >= 10 ? 0 : 1)} ms`;
}
