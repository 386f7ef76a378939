/** The words of tracing: spans by name, contexts as values, no library in sight. The SDK stands behind them in program.ts. */
import type { SpanContext } from "@opentelemetry/api";
import type { Log } from "../log.ts";

export type { SpanContext } from "@opentelemetry/api";

export type SpanKindName = "SERVER" | "PRODUCER" | "INTERNAL" | "CONSUMER" | "CLIENT";
export type AttributeValue = string | number | boolean | string[];
export type SpanAttributes = Readonly<Record<string, AttributeValue>>;

export interface TelemetrySettings {
  /** Base URL of an OTLP/HTTP collector; `/v1/traces` is added. Undefined: nothing is exported. */
  readonly endpoint?: string;
  /** Share of new traces that are sampled, 0 to 1. */
  readonly samplingRatio: number;
  /** Sent with every export. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM bundle that the collector's certificate must chain to; the system's roots when absent. */
  readonly ca?: string;
}

/** What a span starts with. */
export interface SpanStart {
  readonly kind: SpanKindName;
  /** As Tracing.now() gives it; now when absent. */
  readonly startedAt?: number;
  /** A root of its own when absent. */
  readonly parent?: SpanContext | undefined;
  readonly links?: readonly SpanContext[];
  /** Decides; when absent the parent does, and for a root the ratio. */
  readonly sampled?: boolean;
}

/** A span that has not ended. Nothing is recorded of one that is not sampled; its context is carried on all the same. */
export interface TraceSpan {
  readonly context: SpanContext;
  /** For spans that are not sampled every call is free of effect; who asks first need not even put attributes together. */
  readonly isSampled: boolean;
  set(attributes: SpanAttributes): void;
  /** `at` as Tracing.now() gives it. */
  event(name: string, at: number, attributes?: SpanAttributes): void;
  /** Marks it as failed. There is no text: what programs say of failures may hold addresses. */
  fail(): void;
  /** Once. `at` as Tracing.now() gives it; now when absent. */
  end(at?: number): void;
}

export interface Tracing {
  /** Milliseconds since the epoch, with fractions. */
  now(): number;
  start(name: string, start: SpanStart): TraceSpan;
  /**
   * Reads the fields of a message or of another program (W3C Trace Context): undefined unless there is exactly one
   * traceparent and it is valid. A tracestate that is not valid is dropped alone.
   */
  read(traceparent: readonly string[], tracestate: readonly string[]): SpanContext | undefined;
  /** The text that is kept with a message: the traceparent and, after a space, the tracestate if there is one. */
  textOf(context: SpanContext): string;
  /** Reads what textOf() wrote; undefined for anything else. */
  fromText(text: string): SpanContext | undefined;
}

/** A finished span as plain data. Times are milliseconds since the epoch, with fractions. */
export interface SpanLine {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: SpanKindName;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly timeMs: number;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code: "UNSET" | "OK" | "ERROR"; readonly message?: string };
}

/** Why a span was lost: the queue was full, or the collector did not take it. */
export const spanLosses = ["queue_full", "export_failed"] as const;
export type SpanLoss = (typeof spanLosses)[number];

export interface SpanCounts {
  spansExported(count: number): void;
  spansDropped(reason: SpanLoss, count: number): void;
}

/** What people call the settings, for the log. */
export interface SettingNames {
  readonly endpoint: string;
  readonly headers: string;
  readonly ca: string;
}

export interface TelemetryOptions {
  readonly names: SettingNames;
  /** Attributes of the resource, such as service.name. */
  readonly resource: Readonly<Record<string, string>>;
  readonly log: Log;
  readonly counts: SpanCounts;
  /** Gets every sampled span as it ends. */
  readonly sink?: (line: SpanLine) => void;
}

/** What the lazily loaded half must offer. */
export interface TracingProgram {
  readonly tracing: Tracing;
  configure(settings: TelemetrySettings): void;
  close(deadlineMs: number): Promise<void>;
}
