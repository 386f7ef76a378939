/** Spans as they come in, until the attempt that they belong to has ended. Bounded; no clock, no output. */
import { type PodSpan, spoolIdOf } from "./spanline.ts";
import { type Waterfall, waterfalls } from "./waterfall.ts";

/** The span that ends when an attempt has ended, whatever its outcome: all the others are within it or before it. */
const attemptSpan = "mail.deliver";
const keptTraces = 500;

export class SpanGathering {
  readonly #traces = new Map<string, PodSpan[]>();
  /** Trace id by spool id, for attempts that have ended and were not asked for. */
  readonly #ended = new Map<string, string>();

  /** True when an attempt has ended with it. */
  take(entry: PodSpan): boolean {
    const { traceId, name } = entry.span;
    const spans = this.#traces.get(traceId);
    if (spans === undefined) this.#traces.set(traceId, [entry]);
    else spans.push(entry);
    if (this.#traces.size > keptTraces) this.#traces.delete(this.#traces.keys().next().value ?? "");
    const spoolId = spoolIdOf(entry.span);
    if (name !== attemptSpan || spoolId === undefined) return false;
    this.#ended.set(spoolId, traceId);
    return true;
  }

  /** What is known of each attempt that has ended since the last time, by spool id. */
  ended(): ReadonlyMap<string, Waterfall> {
    const found = new Map<string, Waterfall>();
    for (const [spoolId, traceId] of this.#ended) {
      const [waterfall] = waterfalls(this.#traces.get(traceId) ?? []);
      if (waterfall !== undefined) found.set(spoolId, waterfall);
    }
    this.#ended.clear();
    return found;
  }
}
