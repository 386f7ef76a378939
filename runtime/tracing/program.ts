/**
 * The SDK behind runtime/telemetry: one provider for the life of the process, so that a new configuration loses no span
 * that is under way. What changes is where the queue exports to and the ratio that the sampler uses.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, createContextKey } from "@opentelemetry/api";
import type { Context, Span, SpanContext } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  ParentBasedSampler,
  SamplingDecision,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type Sampler,
  type SamplingResult,
} from "@opentelemetry/sdk-trace";
import type {
  SpanAttributes,
  SpanKindName,
  SpanStart,
  TelemetryOptions,
  TelemetrySettings,
  TraceSpan,
  Tracing,
  TracingProgram,
} from "./trace.ts";
import { openExporter } from "./exporter.ts";
import { SpanLines } from "./spanline.ts";
import { SpanQueue } from "./spanqueue.ts";
import { contextFromText, contextText, readContext } from "./tracecontext.ts";

const kinds: Readonly<Record<SpanKindName, SpanKind>> = {
  SERVER: SpanKind.SERVER,
  PRODUCER: SpanKind.PRODUCER,
  INTERNAL: SpanKind.INTERNAL,
  CONSUMER: SpanKind.CONSUMER,
  CLIENT: SpanKind.CLIENT,
};

export function startTracing(options: TelemetryOptions): TracingProgram {
  const queue = new SpanQueue(options);
  const sampler = new MailSampler();
  const lines = options.sink === undefined ? [] : [new SpanLines(options.sink)];
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ ...options.resource }),
    sampler,
    spanProcessors: [queue, ...lines],
  });
  const tracer = provider.getTracer("mailboat");
  const now = createTimeline();
  const tracing: Tracing = {
    now,
    start(name, start) {
      const { kind, startedAt, links, attributes } = start;
      const settings = {
        kind: kinds[kind],
        startTime: startedAt ?? now(),
        ...(links === undefined ? {} : { links: links.map((context) => ({ context })) }),
        attributes: { ...attributes },
      };
      return new RecordedSpan(tracer.startSpan(name, settings, contextOf(start)), now);
    },
    read: readContext,
    textOf: contextText,
    fromText: contextFromText,
  };
  return {
    tracing,
    configure(settings: TelemetrySettings) {
      sampler.setRatio(settings.samplingRatio);
      queue.exportBy(settings.endpoint === undefined ? undefined : openExporter(settings.endpoint, settings));
    },
    close: (deadlineMs) => queue.close(deadlineMs),
  };
}

class RecordedSpan implements TraceSpan {
  readonly context: SpanContext;
  readonly isSampled: boolean;
  readonly #span: Span;
  readonly #now: () => number;

  constructor(span: Span, now: () => number) {
    this.#span = span;
    this.#now = now;
    this.context = span.spanContext();
    this.isSampled = (this.context.traceFlags & TraceFlags.SAMPLED) !== 0;
  }

  set(attributes: SpanAttributes): void {
    if (this.isSampled) this.#span.setAttributes({ ...attributes });
  }

  event(name: string, at: number, attributes: SpanAttributes = {}): void {
    if (this.isSampled) this.#span.addEvent(name, { ...attributes }, at);
  }

  fail(): void {
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    if (this.isSampled) this.#span.end(this.#now());
  }
}

const decisionKey = createContextKey("mailboat sampling decision");

function contextOf(start: SpanStart): Context {
  const base = start.parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, start.parent);
  return start.sampled === undefined ? base : base.setValue(decisionKey, start.sampled);
}

/** Obeys a decision that came with the span, then the parent's, then the ratio. */
class MailSampler implements Sampler {
  #byParent: Sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(0) });

  setRatio(ratio: number): void {
    this.#byParent = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }

  shouldSample(...asked: Parameters<Sampler["shouldSample"]>): SamplingResult {
    const decision = asked[0].getValue(decisionKey);
    if (decision === true) return { decision: SamplingDecision.RECORD_AND_SAMPLED };
    if (decision === false) return { decision: SamplingDecision.NOT_RECORD };
    return this.#byParent.shouldSample(...asked);
  }

  toString(): string {
    return "MailSampler";
  }
}

/** Further than this from the wall clock, the wall clock has been set: follow it. */
const driftMs = 5;

/** Epoch milliseconds that advance evenly and with fractions, because Date.now() has neither. */
function createTimeline(): () => number {
  let offset = Date.now() - performance.now();
  return () => {
    const steady = performance.now();
    const wall = Date.now();
    if (Math.abs(wall - (steady + offset)) > driftMs) offset = wall - steady;
    return steady + offset;
  };
}
