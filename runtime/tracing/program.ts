/**
 * The half of runtime/telemetry that knows the SDK. Its ids, its ratio, its resource and its exporter are used; its span
 * objects are not: they check and copy every attribute twice, which cost more than all the rest of a hop's tracing.
 *
 * One queue for the life of the process, so that a new configuration loses no span that is under way.
 */
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags } from "@opentelemetry/api";
import { RandomIdGenerator, SamplingDecision, TraceIdRatioBasedSampler } from "@opentelemetry/sdk-trace";
import { openExporter } from "./exporter.ts";
import { spanLineOf } from "./spanline.ts";
import { SpanQueue } from "./spanqueue.ts";
import type { SpanRecord } from "./spanrecord.ts";
import type {
  SpanAttributes,
  SpanContext,
  SpanKindName,
  SpanStart,
  TelemetryOptions,
  TelemetrySettings,
  TraceSpan,
  Tracing,
  TracingProgram,
} from "./trace.ts";
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
  const ids = new RandomIdGenerator();
  const now = createTimeline();
  let ratio = new TraceIdRatioBasedSampler(0);
  const isSampled = (start: SpanStart, traceId: string): boolean => {
    if (start.sampled !== undefined) return start.sampled;
    if (start.parent !== undefined) return (start.parent.traceFlags & TraceFlags.SAMPLED) !== 0;
    return ratio.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
  };
  const ended = (record: SpanRecord): void => {
    queue.add(record);
    options.sink?.(spanLineOf(record));
  };
  const tracing: Tracing = {
    now,
    start(name, start) {
      const traceId = start.parent?.traceId ?? ids.generateTraceId();
      const traceState = start.parent?.traceState;
      const sampled = isSampled(start, traceId);
      const context: SpanContext = {
        traceId,
        spanId: ids.generateSpanId(),
        traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
        ...(traceState === undefined ? {} : { traceState }),
      };
      return sampled ? new SampledSpan({ name, context, start, now, ended }) : unsampledSpan(context);
    },
    read: readContext,
    textOf: contextText,
    fromText: contextFromText,
  };
  return {
    tracing,
    configure(settings: TelemetrySettings) {
      ratio = new TraceIdRatioBasedSampler(settings.samplingRatio);
      queue.exportBy(settings.endpoint === undefined ? undefined : openExporter(settings.endpoint, settings, options));
    },
    close: (deadlineMs) => queue.close(deadlineMs),
  };
}

interface SampledStart {
  readonly name: string;
  readonly context: SpanContext;
  readonly start: SpanStart;
  readonly now: () => number;
  readonly ended: (record: SpanRecord) => void;
}

class SampledSpan implements TraceSpan {
  readonly context: SpanContext;
  readonly isSampled = true;
  readonly #name: string;
  readonly #start: SpanStart;
  readonly #startedAt: number;
  readonly #attributes: Record<string, SpanAttributes[string]> = {};
  readonly #now: () => number;
  readonly #ended: (record: SpanRecord) => void;
  #events: SpanRecord["events"][number][] = [];
  #failed = false;
  #isOver = false;

  constructor({ name, context, start, now, ended }: SampledStart) {
    this.context = context;
    this.#name = name;
    this.#start = start;
    this.#startedAt = start.startedAt ?? now();
    this.#now = now;
    this.#ended = ended;
  }

  set(attributes: SpanAttributes): void {
    Object.assign(this.#attributes, attributes);
  }

  event(name: string, at: number, attributes: SpanAttributes = {}): void {
    this.#events.push({ name, at, attributes });
  }

  fail(): void {
    this.#failed = true;
  }

  end(at?: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { kind, parent, links = [] } = this.#start;
    this.#ended({
      name: this.#name,
      kind: kinds[kind],
      context: this.context,
      parent,
      startedAt: this.#startedAt,
      // The wall clock may have been set back meanwhile.
      endedAt: Math.max(at ?? this.#now(), this.#startedAt),
      attributes: this.#attributes,
      events: this.#events,
      links,
      status: this.#failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET,
    });
  }
}

function unsampledSpan(context: SpanContext): TraceSpan {
  return { context, isSampled: false, set: nothing, event: nothing, fail: nothing, end: nothing };
}

function nothing(): void {
  // Nobody keeps it.
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
