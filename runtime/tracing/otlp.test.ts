import assert from "node:assert/strict";
import { test } from "node:test";
import { SpanKind, SpanStatusCode, TraceFlags, type HrTime } from "@opentelemetry/api";
import { TraceState } from "@opentelemetry/core";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { SpanEncoder } from "./otlp.ts";
import type { SpanRecord } from "./spanrecord.ts";

const resource = { "service.name": "mailboat-relay", "service.instance.id": "relä-0" };
const context = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 };

function spanOf(changes: Partial<SpanRecord>): SpanRecord {
  return {
    name: "smtp.send",
    kind: SpanKind.CLIENT,
    context,
    parent: undefined,
    startedAt: 1_700_000_000_000.25,
    endedAt: 1_700_000_000_001.5,
    attributes: {},
    events: [],
    links: [],
    status: SpanStatusCode.UNSET,
    ...changes,
  };
}

function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}

/** The bytes that OpenTelemetry's own serializer makes of the same spans. */
function libraryBytes(spans: readonly SpanRecord[]): Buffer {
  const shared = resourceFromAttributes(resource);
  const scope = { name: "mailboat" };
  const readable = spans.map((span): ReadableSpan => ({
    name: span.name,
    kind: span.kind,
    spanContext: () => span.context,
    ...(span.parent === undefined ? {} : { parentSpanContext: span.parent }),
    startTime: hrTimeOf(span.startedAt),
    endTime: hrTimeOf(span.endedAt),
    duration: hrTimeOf(span.endedAt - span.startedAt),
    status: { code: span.status },
    attributes: { ...span.attributes },
    links: span.links.map((link) => ({ context: link })),
    events: span.events.map(({ name, at, attributes }) => ({ name, time: hrTimeOf(at), attributes })),
    ended: true,
    resource: shared,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }));
  return Buffer.from(ProtobufTraceSerializer.serializeRequest(readable) ?? []);
}

const rows: readonly [what: string, span: SpanRecord][] = [
  ["a bare span", spanOf({})],
  ["each kind", spanOf({ kind: SpanKind.INTERNAL })],
  ["a failure", spanOf({ kind: SpanKind.CONSUMER, status: SpanStatusCode.ERROR })],
  ["fractions of a millisecond", spanOf({ startedAt: 1_790_000_000_123.25, endedAt: 1_790_000_000_999.5 })],
  ["a time before there were any", spanOf({ startedAt: 0, endedAt: 0.000_001 })],
  ["a parent here", spanOf({ parent: { ...context, spanId: "00f067aa0ba902b7" } })],
  ["a parent elsewhere", spanOf({ parent: { ...context, isRemote: true } })],
  ["a trace state", spanOf({ context: { ...context, traceState: new TraceState("a=1,b=2") } })],
  ["texts", spanOf({ attributes: { "mailboat.sender.domain": "example.com", empty: "", ümlaut: "bücher 📮" } })],
  ["long texts", spanOf({ attributes: { [`k${"e".repeat(200)}y`]: "x".repeat(300), wide: "ü".repeat(70_000) } })],
  [
    "edges of lengths",
    spanOf({ attributes: Object.fromEntries([63, 64, 65, 127, 128].map((n) => [n, "x".repeat(n)])) }),
  ],
  ["numbers", spanOf({ attributes: { zero: 0, port: 587, octets: 52_428_800, most: Number.MAX_SAFE_INTEGER } })],
  [
    "fractions",
    spanOf({ attributes: { part: 0.25, less: -0.5, none: Number.NaN, endless: Number.POSITIVE_INFINITY } }),
  ],
  ["truths", spanOf({ attributes: { "mailboat.authenticated": true, other: false } })],
  ["lists", spanOf({ attributes: { "mailboat.recipient.domains": ["a.example", "b.example"], none: [] } })],
  ["events", spanOf({ events: [{ name: "HELO", at: 1_700_000_000_000.5, attributes: { "smtp.reply.code": 450 } }] })],
  [
    "links",
    spanOf({
      links: [
        { ...context, isRemote: true, traceState: new TraceState("a=1") },
        { ...context, traceFlags: TraceFlags.NONE },
      ],
    }),
  ],
];

test("every part of a span has the bytes that OpenTelemetry's serializer gives it", () => {
  const encoder = new SpanEncoder(resource);
  for (const [what, span] of rows) assert.deepEqual(encoder.encode([span]), libraryBytes([span]), what);
});

test("batches of any size are whole, and one outlives the next", () => {
  const encoder = new SpanEncoder(resource);
  const spans = Array.from({ length: 512 }, (_, index) => rows[index % rows.length]?.[1] ?? spanOf({}));
  const bytes = encoder.encode(spans);
  assert.deepEqual(encoder.encode([spanOf({})]), libraryBytes([spanOf({})]));
  assert.deepEqual(bytes, libraryBytes(spans));
});
