/** Spans as they come in, until the attempts that they belong to have ended. Bounded; no clock, no output. */
import { type PodSpan, spoolIdOf } from "./spanline.ts";
import type { Waterfall } from "./shape.ts";
import { waterfalls } from "./waterfall.ts";

/** The span that ends when an attempt has ended, whatever its outcome: all the others are within it or before it. */
const attemptSpan = "mail.deliver";
/** Who takes a message soon tries to deliver it. */
const arrivalSpan = "smtp.receive";
const keptTraces = 500;

interface Trace {
  readonly spans: PodSpan[];
  /** How many of them were told. */
  told: number;
}

export class SpanGathering {
  readonly #traces = new Map<string, Trace>();
  /** Spool id of the newest attempt by trace, until it is told. */
  readonly #ended = new Map<string, string>();

  /** True when an attempt has ended with it. */
  take(entry: PodSpan): boolean {
    const { traceId, name } = entry.span;
    const trace = this.#traces.get(traceId);
    if (trace === undefined) this.#traces.set(traceId, { spans: [entry], told: 0 });
    else trace.spans.push(entry);
    if (this.#traces.size > keptTraces) this.#forgetOldest();
    const spoolId = spoolIdOf(entry.span);
    if (name !== attemptSpan || spoolId === undefined) return false;
    this.#ended.set(traceId, spoolId);
    return true;
  }

  /**
   * By spool id, the hops of each attempt that has ended since the last time. A trace that the next relay continues is
   * told when that one has made its attempt too; what comes later (a notice) is told without what was told before.
   */
  ended(): ReadonlyMap<string, Waterfall> {
    const found = new Map<string, Waterfall>();
    for (const [traceId, spoolId] of this.#ended) {
      const trace = this.#traces.get(traceId);
      if (trace !== undefined && !isComplete(trace.spans)) continue;
      this.#ended.delete(traceId);
      const [waterfall] = waterfalls(trace?.spans.slice(trace.told) ?? []);
      if (trace !== undefined) trace.told = trace.spans.length;
      if (waterfall !== undefined) found.set(spoolId, waterfall);
    }
    return found;
  }

  #forgetOldest(): void {
    const oldest = this.#traces.keys().next().value ?? "";
    this.#traces.delete(oldest);
    this.#ended.delete(oldest);
  }
}

function isComplete(spans: readonly PodSpan[]): boolean {
  const idsOf = (name: string): readonly (string | undefined)[] =>
    spans.filter(({ span }) => span.name === name).map(({ span }) => spoolIdOf(span));
  const attempted = new Set(idsOf(attemptSpan));
  return idsOf(arrivalSpan).every((id) => attempted.has(id));
}
