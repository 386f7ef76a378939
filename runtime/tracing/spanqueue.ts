/**
 * Ended spans on their way to the collector: a bounded queue, one export at a time.
 *
 * Promise: it never waits and never throws. What does not fit, and what the collector does not take, is dropped, counted, and
 * said in the log once a minute at most. The SDK's own batcher counts only by way of OpenTelemetry metrics, and is silent.
 */
import type { Log } from "../log.ts";
import type { SpanRecord } from "./spanrecord.ts";
import type { SpanCounts, SpanLoss } from "./trace.ts";

/** Where a batch goes. */
export interface BatchExporter {
  /** Never rejects; undefined when the collector has it, otherwise why not, in plain words. */
  export(spans: readonly SpanRecord[]): Promise<string | undefined>;
}

export interface SpanQueueOptions {
  readonly log: Log;
  readonly counts: SpanCounts;
}

/** Some 10 MB at most, and a second of the busiest relay. */
const capacity = 8_192;
const batchSize = 512;
/** A span waits this long for others. */
const delayMs = 500;
const quietMs = 60_000;

export class SpanQueue {
  readonly #log: Log;
  readonly #counts: SpanCounts;
  #exporter: BatchExporter | undefined;
  #spans: SpanRecord[] = [];
  #timer: NodeJS.Timeout | undefined;
  #exporting: Promise<void> | undefined;
  #closed = false;
  /** Dropped since the last line of the log. */
  #untold = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ log, counts }: SpanQueueOptions) {
    this.#log = log;
    this.#counts = counts;
  }

  /** Undefined: what ended before still goes where it went, what ends from now on goes nowhere. */
  exportBy(exporter: BatchExporter | undefined): void {
    if (exporter === undefined) {
      const last = this.#exporter;
      this.#exporter = undefined;
      if (last !== undefined) void this.#drain(last);
      return;
    }
    this.#exporter = exporter;
    this.#schedule();
  }

  add(span: SpanRecord): void {
    if (this.#exporter === undefined) return;
    if (this.#closed || this.#spans.length >= capacity) {
      this.#drop("queue_full", 1, "more spans end than the collector takes");
      return;
    }
    this.#spans.push(span);
    this.#schedule();
  }

  /** Exports what is there until the deadline; the rest is dropped and counted. */
  async close(deadlineMs: number): Promise<void> {
    const deadline = Promise.withResolvers<void>();
    const timer = setTimeout(deadline.resolve, deadlineMs);
    const flushed = this.#exporter === undefined ? undefined : this.#drain(this.#exporter);
    await Promise.race([flushed, deadline.promise]);
    clearTimeout(timer);
    clearTimeout(this.#timer);
    this.#closed = true;
    const left = this.#spans.splice(0).length;
    if (left > 0) this.#drop("export_failed", left, "the program stops before the collector has taken them");
  }

  #schedule(): void {
    if (this.#exporting !== undefined || this.#closed || this.#spans.length === 0) return;
    if (this.#spans.length >= batchSize) {
      this.#exportBatches(batchSize);
      return;
    }
    this.#timer ??= setTimeout(() => this.#exportBatches(1), delayMs).unref();
  }

  /** Goes on while at least so many wait. */
  #exportBatches(least: number): void {
    const exporter = this.#exporter;
    if (exporter === undefined || this.#exporting !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#spans.length < least) return;
    this.#exporting = this.#exportOne(exporter).finally(() => {
      this.#exporting = undefined;
      this.#schedule();
    });
  }

  async #drain(exporter: BatchExporter): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#exporting;
    while (this.#spans.length > 0 && !this.#closed) await this.#exportOne(exporter);
  }

  async #exportOne(exporter: BatchExporter): Promise<void> {
    const batch = this.#spans.splice(0, batchSize);
    if (batch.length === 0) return;
    const failure = await exporter.export(batch);
    if (failure !== undefined) {
      this.#drop("export_failed", batch.length, failure);
      return;
    }
    this.#counts.spansExported(batch.length);
    if (this.#untold === 0 && this.#toldAt === Number.NEGATIVE_INFINITY) return;
    this.#log.info({ dropped: this.#untold }, "traces reach the collector again");
    this.#untold = 0;
    this.#toldAt = Number.NEGATIVE_INFINITY;
  }

  #drop(reason: SpanLoss, count: number, why: string): void {
    this.#counts.spansDropped(reason, count);
    this.#untold += count;
    const now = performance.now();
    if (now - this.#toldAt < quietMs) return;
    this.#toldAt = now;
    this.#log.warn({ reason, dropped: this.#untold, error: why }, "traces are lost");
    this.#untold = 0;
  }
}
