/**
 * What a process counts, in OpenMetrics form: the relay's only importer of prom-client. Each room declares the families of what
 * it does, `mailboat_<room>_<thing>_<unit>`, and is asked for what is read and not counted before each scrape. Every label has a
 * bounded set of values: listeners, reply codes, and the first so many domains. Never an address.
 *
 * On failure of what is asked the scrape fails: a gauge that keeps its last value would lie.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { readContainerLimits } from "./containerlimits.ts";
import { exemplarOf } from "./tracing/exemplar.ts";

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly labelNames?: string[];
}

/** Seconds. 300 is the five minutes of the service level objective. */
const latencyBuckets = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400,
];

export type OpenMetricsRegistry = Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>;

/** What every process tells of itself: what it uses, and what it may use. Relays and operators have the same names for it. */
export function addProcessMetrics(registry: OpenMetricsRegistry): void {
  collectDefaultMetrics({ register: registry });
  const memory: Gauge = new Gauge({
    name: "mailboat_process_memory_limit_bytes",
    help: "Memory that the process may use: its container's limit, or what the machine has",
    registers: [registry],
    collect: () => memory.set(readContainerLimits().memoryBytes),
  });
  const cores: Gauge = new Gauge({
    name: "mailboat_process_cpu_limit_cores",
    help: "Processors that the process may use: its container's limit, or what the machine has",
    registers: [registry],
    collect: () => cores.set(readContainerLimits().cpuCores),
  });
}

export class MetricsRegistry {
  readonly #registry: OpenMetricsRegistry = new Registry();
  readonly #scraped: (() => void | Promise<void>)[] = [];
  #wasRendered = false;

  constructor() {
    this.#registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
    addProcessMetrics(this.#registry);
  }

  counter(family: Family): Counter {
    return new Counter({ ...family, registers: [this.#registry] });
  }

  gauge(family: Family): Gauge {
    return new Gauge({ ...family, registers: [this.#registry] });
  }

  /** A histogram of seconds. */
  latency(family: Family): Histogram {
    return new Histogram({ ...family, buckets: latencyBuckets, registers: [this.#registry] });
  }

  /** The same, where each value may lead to the trace of its message. */
  tracedLatency(family: Family): (seconds: number, traceparent: string | undefined) => void {
    const shape = { ...family, buckets: latencyBuckets, registers: [this.#registry] };
    const histogram = new Histogram({ ...shape, enableExemplars: true });
    return (value, traceparent) => {
      const exemplarLabels = exemplarOf(traceparent);
      if (exemplarLabels === undefined) histogram.observe({ labels: {}, value });
      else histogram.observe({ labels: {}, value, exemplarLabels: { ...exemplarLabels } });
    };
  }

  /** Not prom-client's own collect: a gauge that another one sets would be a scrape late. */
  onScrape(refresh: () => void | Promise<void>): void {
    this.#scraped.push(refresh);
  }

  /** OpenMetrics text. */
  async render(): Promise<string> {
    for (const refresh of this.#scraped) await refresh();
    const page = await this.#registry.metrics();
    this.#wasRendered = true;
    return page;
  }

  /** A page was rendered to its end. Those that are asked for at the same time are all the first. */
  get wasRendered(): boolean {
    return this.#wasRendered;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

/** What stands for every value that came too late. It is no domain name, so it cannot meet one. */
export const otherValues = "(other)";

/**
 * Keeps a label's set of values bounded: a relay with 10,000 sender domains and 100,000 destinations must still be scraped in a
 * moment. The first `limit` values that are seen keep their name for the life of the process, because a counter that changes its
 * label looks like a reset; all later ones share one.
 */
export class BoundedLabel {
  readonly #limit: number;
  readonly #seen = new Set<string>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  of(value: string): string {
    if (this.#seen.has(value)) return value;
    if (this.#seen.size >= this.#limit) return otherValues;
    this.#seen.add(value);
    return value;
  }
}
