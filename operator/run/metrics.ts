/** What the operator counts, in OpenMetrics form. Label sets are bounded: kinds, verbs, codes; of names those of relays alone. */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { addProcessMetrics, type OpenMetricsRegistry } from "../../runtime/metrics.ts";
import { type SpanCounts, spanLosses } from "../../runtime/tracing/trace.ts";
import type { ReflectorEvent } from "../kube/cache/reflector.ts";
import type { RequestObserver } from "../kube/client/client.ts";
import type { ConditionCount, PodCount } from "../kube/cluster/census.ts";

/** Asked at each scrape. */
export interface Figures {
  readonly queued: number;
  readonly running: number;
  readonly isLeading: boolean;
  readonly cached: Readonly<Record<string, number>>;
  /** Watched namespaces that do not exist, or of which something may not be read. */
  readonly unseenNamespaces: number;
  readonly eventsLost: number;
  readonly conditions: readonly ConditionCount[];
  readonly podCounts: readonly PodCount[];
  /** Resources whose looks fail again and again, by kind. */
  readonly failing: Readonly<Record<string, number>>;
}

export interface OperatorMetrics extends SpanCounts {
  readonly request: RequestObserver;
  reflected(resource: string, event: ReflectorEvent): void;
  waited(kind: string, seconds: number): void;
  reconciled(kind: string, result: "success" | "failure", seconds: number): void;
  render(): Promise<string>;
  readonly contentType: string;
}

const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createMetrics(figures: () => Figures): OperatorMetrics {
  const registry: OpenMetricsRegistry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  addProcessMetrics(registry);
  addGauges(registry, figures);
  return {
    ...requestMetrics(registry),
    ...reconcileMetrics(registry),
    ...spanMetrics(registry),
    render: async () => registry.metrics(),
    contentType: registry.contentType,
  };
}

function requestMetrics(registry: OpenMetricsRegistry): Pick<OperatorMetrics, "request" | "reflected"> {
  const registers = [registry];
  const requests = new Counter({
    name: "mailboat_operator_requests",
    help: "Requests to the API server; code 0 is no answer",
    labelNames: ["verb", "resource", "code"] as const,
    registers,
  });
  const seconds = new Histogram({
    name: "mailboat_operator_request_seconds",
    help: "From a request to the API server until the head of its answer",
    labelNames: ["verb"] as const,
    buckets,
    registers,
  });
  const lists = new Counter({
    name: "mailboat_operator_cache_lists",
    help: "Whole lists that filled a cache; after the first, each means that a watch could not be resumed",
    labelNames: ["resource"] as const,
    registers,
  });
  const failures = new Counter({
    name: "mailboat_operator_cache_failures",
    help: "Lists and watches that failed, by what the failure means",
    labelNames: ["resource", "reason"] as const,
    registers,
  });
  const restarts = new Counter({
    name: "mailboat_operator_watch_restarts",
    help: "Watches that ended, in good order or not, and were begun again",
    labelNames: ["resource"] as const,
    registers,
  });
  return {
    request: ({ verb, resource, code, durationMs }) => {
      requests.inc({ verb, resource, code: String(code) });
      seconds.observe({ verb }, durationMs / 1000);
    },
    reflected: (resource, event) => {
      if (event.kind === "listed") {
        lists.inc({ resource });
        // A counter that is there before its first event has a rate at that event.
        restarts.inc({ resource }, 0);
      }
      if (event.kind === "watchEnded") restarts.inc({ resource });
      if (event.kind === "failed") failures.inc({ resource, reason: event.error.kind });
    },
  };
}

function reconcileMetrics(registry: OpenMetricsRegistry): Pick<OperatorMetrics, "waited" | "reconciled"> {
  const registers = [registry];
  const waits = new Histogram({
    name: "mailboat_operator_queue_wait_seconds",
    help: "How long resources waited for their turn",
    labelNames: ["kind"] as const,
    buckets,
    registers,
  });
  const reconciles = new Histogram({
    name: "mailboat_operator_reconcile_seconds",
    help: "Reconciles of resources",
    labelNames: ["kind", "result"] as const,
    buckets,
    registers,
  });
  return {
    waited: (kind, seconds) => waits.observe({ kind }, seconds),
    reconciled: (kind, result, seconds) => reconciles.observe({ kind, result }, seconds),
  };
}

/** Named as the relays name them: one alert is for both. */
function spanMetrics(registry: OpenMetricsRegistry): SpanCounts {
  const registers = [registry];
  const exported = new Counter({
    name: "mailboat_telemetry_spans_exported",
    help: "Spans that the collector has taken",
    registers,
  });
  const dropped = new Counter({
    name: "mailboat_telemetry_spans_dropped",
    help: "Spans that were lost: the queue was full, or the collector did not take them",
    labelNames: ["reason"] as const,
    registers,
  });
  // A counter that is there before its first event has a rate at that event.
  for (const reason of spanLosses) dropped.inc({ reason }, 0);
  return {
    spansExported: (count) => exported.inc(count),
    spansDropped: (reason, count) => dropped.inc({ reason }, count),
  };
}

function addGauges(registry: OpenMetricsRegistry, figures: () => Figures): void {
  const gauge = (name: string, help: string, value: (now: Figures) => number): void => {
    const made: Gauge = new Gauge({
      name: `mailboat_operator_${name}`,
      help,
      registers: [registry],
      collect: () => made.set(value(figures())),
    });
  };
  gauge("queue_depth", "Resources that wait to be looked at", (now) => now.queued);
  gauge("queue_running", "Resources that are looked at", (now) => now.running);
  gauge("leader", "1 while this operator holds the lease", (now) => (now.isLeading ? 1 : 0));
  gauge(
    "namespaces_unseen",
    "Watched namespaces that do not exist, or of which the operator may not read all it needs",
    (now) => now.unseenNamespaces,
  );
  gauge("events_lost", "Events that were cut short or could not be written", (now) => now.eventsLost);
  const cached: Gauge<"kind"> = new Gauge({
    name: "mailboat_operator_cached_objects",
    help: "Objects in the caches; of Secrets only their metadata",
    labelNames: ["kind"] as const,
    registers: [registry],
    collect: () => {
      for (const [kind, count] of Object.entries(figures().cached)) cached.set({ kind }, count);
    },
  });
  const failing: Gauge<"kind"> = new Gauge({
    name: "mailboat_operator_failing_resources",
    help: "Resources of which the last five looks or more ended in an error",
    labelNames: ["kind"] as const,
    registers: [registry],
    collect: () => {
      for (const [kind, count] of Object.entries(figures().failing)) failing.set({ kind }, count);
    },
  });
  addPodCounts(registry, figures);
  const conditions: Gauge<"kind" | "condition" | "status"> = new Gauge({
    name: "mailboat_operator_resource_conditions",
    help: "Resources by condition and its status",
    labelNames: ["kind", "condition", "status"] as const,
    registers: [registry],
    collect: () => {
      // Of what is gone no number must stay.
      conditions.reset();
      for (const { kind, condition, status, count } of figures().conditions) {
        conditions.set({ kind, condition, status }, count);
      }
    },
  });
}

/** Not `namespace`: that is where Prometheus found the operator. */
function addPodCounts(registry: OpenMetricsRegistry, figures: () => Figures): void {
  const pods: Gauge<"relay_namespace" | "mailboat_dev_relay" | "state"> = new Gauge({
    name: "mailboat_operator_relay_pods",
    help: "Pods of each MailRelay: wanted, which there should be, and ready, which take mail",
    labelNames: ["relay_namespace", "mailboat_dev_relay", "state"] as const,
    registers: [registry],
    collect: () => {
      pods.reset();
      for (const { namespace, relay, wanted, ready } of figures().podCounts) {
        const labels = { relay_namespace: namespace, mailboat_dev_relay: relay };
        pods.set({ ...labels, state: "wanted" }, wanted);
        pods.set({ ...labels, state: "ready" }, ready);
      }
    },
  });
}
