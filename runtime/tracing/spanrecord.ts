/** A span that has ended, as a plain value. */
import type { SpanKind, SpanStatusCode } from "@opentelemetry/api";
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
