/**
 * Traces: OpenTelemetry's SDK, OTLP protobuf in batches, nothing global. Off until an endpoint or a sink is named, and then
 * `tracer` is undefined and costs nothing. A collector that is down or slow costs spans, never mail: the queue is bounded.
 */
import {
  ROOT_CONTEXT,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type HrTime,
  type Link,
  type SpanContext,
  type SpanKind,
  type Tracer,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  SamplingDecision,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  type SamplingResult,
  type SpanExporter,
  type SpanProcessor,
} from "@opentelemetry/sdk-trace";

export interface TelemetrySettings {
  /** Base URL of an OTLP/HTTP collector; `/v1/traces` is added. */
  readonly endpoint?: string;
  /** 0 to 1. */
  readonly samplingRatio: number;
  readonly headers: Readonly<Record<string, string>>;
  /** PEM; the system's roots when absent. */
  readonly ca?: string;
}

/** A span as plain data, for whoever shows it. Times are milliseconds since the epoch. */
export interface FinishedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly atMs: number }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

export interface Telemetry {
  /** Undefined while tracing is off. */
  readonly tracer: Tracer | undefined;
  /** Takes effect for spans that start from now on; what was recorded before is still sent. */
  configure(settings: TelemetrySettings): void;
  /** Sends what is recorded, within a few seconds. */
  close(): Promise<void>;
}

export interface TelemetryOptions {
  readonly serviceName: string;
  readonly instance: string;
  /** Gets every sampled span as it ends. */
  readonly sink?: (span: FinishedSpan) => void;
  readonly onError: (error: Error) => void;
}

/** Set on a span that is to be recorded whatever its parents decided. */
export const alwaysSampled = "mailboat.sampled.always";

const closeMs = 3_000;

export function createTelemetry(options: TelemetryOptions): Telemetry {
  let provider: TracerProvider | undefined;
  let tracer: Tracer | undefined;
  let active = "";
  const retire = (old: TracerProvider | undefined): void => {
    old?.shutdown().catch((error: unknown) => options.onError(asError(error)));
  };
  return {
    get tracer() {
      return tracer;
    },
    configure(settings) {
      const wanted = JSON.stringify(settings);
      if (wanted === active) return;
      active = wanted;
      retire(provider);
      const spanProcessors = processorsOf(settings, options);
      provider = spanProcessors.length === 0 ? undefined : providerOf(settings, options, spanProcessors);
      tracer = provider?.getTracer("mailboat");
    },
    async close() {
      const timeout = AbortSignal.timeout(closeMs);
      const expired = new Promise<void>((resolve) =>
        timeout.addEventListener("abort", () => resolve(), { once: true }),
      );
      await Promise.race([provider?.shutdown().catch((error: unknown) => options.onError(asError(error))), expired]);
    },
  };
}

function providerOf(
  settings: TelemetrySettings,
  options: TelemetryOptions,
  spanProcessors: SpanProcessor[],
): TracerProvider {
  return new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": options.serviceName,
      "service.instance.id": options.instance,
    }),
    sampler: new MailSampler(settings.samplingRatio),
    spanProcessors,
  });
}

function processorsOf(settings: TelemetrySettings, options: TelemetryOptions): SpanProcessor[] {
  const processors: SpanProcessor[] = [];
  if (settings.endpoint !== undefined) {
    const exporter = new OTLPTraceExporter({
      url: `${settings.endpoint.replace(/\/$/, "")}/v1/traces`,
      headers: { ...settings.headers },
      timeoutMillis: 10_000,
      ...(settings.ca === undefined ? {} : { httpAgentOptions: { ca: settings.ca } }),
    });
    processors.push(
      new BatchSpanProcessor({ exporter, maxQueueSize: 8_192, maxExportBatchSize: 1_024, scheduledDelayMillis: 1_000 }),
    );
  }
  if (options.sink !== undefined)
    processors.push(new SimpleSpanProcessor({ exporter: new SinkExporter(options.sink) }));
  return processors;
}

/**
 * A message is sampled once, when it is received; its later spans follow their parent. An attempt that is a root of its own
 * follows what it links to, so that a sampled message's retries are sampled; a final failure is always recorded.
 */
export class MailSampler implements Sampler {
  readonly #byParent: Sampler;

  constructor(ratio: number) {
    this.#byParent = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }

  shouldSample(
    ...[context, traceId, name, kind, attributes, links]: [Context, string, string, SpanKind, Attributes, Link[]]
  ): SamplingResult {
    if (attributes[alwaysSampled] === true) return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    const isRoot = trace.getSpanContext(context) === undefined;
    if (isRoot && links.length > 0 && attributes["mailboat.attempt"] !== undefined) {
      const sampled = links.some((link) => (link.context.traceFlags & TraceFlags.SAMPLED) !== 0);
      return { decision: sampled ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
    }
    return this.#byParent.shouldSample(context, traceId, name, kind, attributes, links);
  }

  toString(): string {
    return "MailSampler";
  }
}

class SinkExporter implements SpanExporter {
  readonly #sink: (span: FinishedSpan) => void;

  constructor(sink: (span: FinishedSpan) => void) {
    this.#sink = sink;
  }

  export(spans: ReadableSpan[], done: (result: { code: number }) => void): void {
    for (const span of spans) this.#sink(finishedOf(span));
    done({ code: 0 });
  }

  async shutdown(): Promise<void> {
    // Nothing is held back.
  }
}

function finishedOf(span: ReadableSpan): FinishedSpan {
  const { traceId, spanId } = span.spanContext();
  const parentSpanId = span.parentSpanContext?.spanId;
  return {
    traceId,
    spanId,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    name: span.name,
    kind: span.kind,
    startMs: millisecondsOf(span.startTime),
    endMs: millisecondsOf(span.endTime),
    failed: span.status.code === 2,
    attributes: span.attributes,
    events: span.events.map((event) => ({ name: event.name, atMs: millisecondsOf(event.time) })),
    links: span.links.map((link) => ({ traceId: link.context.traceId, spanId: link.context.spanId })),
  };
}

function millisecondsOf([seconds, nanoseconds]: HrTime): number {
  return seconds * 1e3 + nanoseconds / 1e6;
}

const traceparentForm = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** W3C Trace Context, section 3.2: undefined for anything that is not a valid version 00 value. */
export function parseTraceparent(text: string): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparentForm.exec(text.trim().toLowerCase()) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & TraceFlags.SAMPLED, isRemote: true };
}

export function formatTraceparent(context: SpanContext): string {
  return `00-${context.traceId}-${context.spanId}-0${context.traceFlags & TraceFlags.SAMPLED}`;
}

/** A context whose parent is this span, on this process or another. */
export function contextOf(parent: SpanContext | undefined): Context {
  return parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
