/** A span that has ended, in the form that the SDK's exporters read. */
import type { HrTime, SpanKind, SpanStatusCode } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace";
import type { SpanAttributes, SpanContext } from "./trace.ts";

/** Times are milliseconds since the epoch, with fractions. */
export interface SpanRecord {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: SpanAttributes;
  readonly events: readonly { readonly name: string; readonly at: number; readonly attributes: SpanAttributes }[];
  readonly links: readonly SpanContext[];
  readonly status: SpanStatusCode;
}

const scope = { name: "mailboat" };

export class FinishedSpan implements ReadableSpan {
  readonly record: SpanRecord;
  readonly name: string;
  readonly kind: SpanKind;
  readonly parentSpanContext?: SpanContext;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: { readonly code: SpanStatusCode };
  readonly attributes: Record<string, SpanAttributes[string]>;
  readonly links: ReadableSpan["links"];
  readonly events: TimedEvent[];
  readonly ended = true;
  readonly resource: Resource;
  readonly instrumentationScope = scope;
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;

  constructor(record: SpanRecord, resource: Resource) {
    this.record = record;
    this.name = record.name;
    this.kind = record.kind;
    if (record.parent !== undefined) this.parentSpanContext = record.parent;
    this.startTime = hrTimeOf(record.startedAt);
    this.endTime = hrTimeOf(record.endedAt);
    this.status = { code: record.status };
    this.attributes = record.attributes;
    this.links = record.links.map((context) => ({ context }));
    this.events = record.events.map(({ name, at, attributes }) => ({ name, time: hrTimeOf(at), attributes }));
    this.resource = resource;
  }

  get duration(): HrTime {
    return hrTimeOf(this.record.endedAt - this.record.startedAt);
  }

  spanContext(): SpanContext {
    return this.record.context;
  }
}

function hrTimeOf(ms: number): HrTime {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
}
