/**
 * What the relay counts, in OpenMetrics form. Names are `mailboat_<room>_<thing>_<unit>`; every label has a bounded set of
 * values: listeners, reply codes, and the first so many domains. Never an address.
 */
import { Registry, collectDefaultMetrics } from "prom-client";
import { administrationMetrics, type AdministrationMetrics } from "./families/administration.ts";
import { configurationMetrics, type ConfigurationMetrics } from "./families/configuration.ts";
import { deliveryMetrics, type DeliveryMetrics, type UnwrittenCause } from "./families/delivery.ts";
import type { OpenMetricsRegistry } from "./families/family.ts";
import { logMetrics } from "./families/log.ts";
import { handoffMetrics, type HandoffMetrics } from "./families/handoff.ts";
import { spanMetrics, type SpanMetrics } from "./families/telemetry.ts";
import { spoolMetrics, type MetricSources, type SpoolMetrics } from "./families/spool.ts";
import { submissionMetrics, type SubmissionMetrics } from "./families/submission.ts";
import { BoundedLabel } from "./labels.ts";

/** Everything a room may report; a room takes this and knows nothing of prom-client. */
export type RelayMetrics = SubmissionMetrics &
  DeliveryMetrics &
  HandoffMetrics &
  Omit<SpoolMetrics & ConfigurationMetrics, "refresh">;

export interface MetricsEndpoint extends RelayMetrics, SpanMetrics, AdministrationMetrics {
  /** OpenMetrics text. */
  render(): Promise<string>;
  readonly contentType: string;
  /** Messages accepted since the start, for the report. */
  readonly acceptedMessages: number;
  /** Outcomes that could not be written so far, for the report. */
  readonly unwrittenOutcomes: Readonly<Record<UnwrittenCause, number>>;
}

/** Four series each at most: 10,000 domains and 100,000 destinations are still a page of less than a MiB. */
const labelledDomains = 500;
const labelledDestinations = 200;

export interface RelaySources extends MetricSources {
  /** Lines of the log, since the start. */
  readonly droppedLines: () => number;
}

export function createMetrics(sources: RelaySources): MetricsEndpoint {
  const registry: OpenMetricsRegistry = new Registry();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: registry });
  const domains = new BoundedLabel(labelledDomains);
  const destinations = new BoundedLabel(labelledDestinations);
  const submission = submissionMetrics(registry, domains);
  const spool = spoolMetrics(registry, sources);
  const configuration = configurationMetrics(registry, sources.snapshots);
  const log = logMetrics(registry, sources.droppedLines);
  const delivery = deliveryMetrics(registry, domains, destinations);
  const unwrittenOutcomes = { spool: 0, outcome: 0 };
  let acceptedMessages = 0;
  return {
    ...submission,
    ...delivery,
    ...handoffMetrics(registry),
    ...spanMetrics(registry),
    ...administrationMetrics(registry),
    committed: (writes, seconds) => spool.committed(writes, seconds),
    checkpointed: (result) => spool.checkpointed(result),
    configurationLoaded: (result) => configuration.configurationLoaded(result),
    accepted(acceptance) {
      acceptedMessages += 1;
      submission.accepted(acceptance);
    },
    outcomesUnwritten(cause, count) {
      unwrittenOutcomes[cause] = count;
      delivery.outcomesUnwritten(cause, count);
    },
    unwrittenOutcomes,
    async render() {
      // Before rendering, not in prom-client's collect: a gauge that another one sets would be a scrape late.
      configuration.refresh();
      log.refresh();
      await spool.refresh();
      return registry.metrics();
    },
    contentType: registry.contentType,
    get acceptedMessages() {
      return acceptedMessages;
    },
  };
}
