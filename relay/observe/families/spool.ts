/** How much waits, and how fast it is made safe. The depth is asked for at each scrape. */
import { Counter, Gauge, Histogram } from "prom-client";
import type { SnapshotSource } from "../../config/snapshot.ts";
import type { SpoolDepth } from "../../spool/spool.ts";
import { latencyBuckets, type OpenMetricsRegistry } from "./family.ts";

/** What is asked at each scrape. */
export interface MetricSources {
  readonly depth: () => Promise<SpoolDepth>;
  /** Undefined until the first configuration is loaded. */
  readonly snapshots: () => SnapshotSource | undefined;
}

export interface SpoolMetrics {
  /** Asks for the depth; rejects when the spool does not answer. */
  refresh(): Promise<void>;
  committed(writes: number, seconds: number): void;
}

export function spoolMetrics(registry: OpenMetricsRegistry, sources: MetricSources): SpoolMetrics {
  const registers = [registry];
  const commitSeconds = new Histogram({
    name: "mailboat_spool_commit_seconds",
    help: "One transaction with its sync",
    buckets: latencyBuckets,
    registers,
  });
  const commitWrites = new Counter({
    name: "mailboat_spool_committed_writes",
    help: "Writes that joined a transaction; divided by the commits it tells how large groups are",
    registers,
  });
  return {
    refresh: depthGauges(registry, sources),
    committed(writes, seconds) {
      commitWrites.inc(writes);
      commitSeconds.observe(seconds);
    },
  };
}

/** When the spool cannot be asked the scrape fails: a gauge that keeps its last value would lie. */
function depthGauges(registry: OpenMetricsRegistry, sources: MetricSources): SpoolMetrics["refresh"] {
  const registers = [registry];
  const queued = new Gauge({ name: "mailboat_spool_queued_messages", help: "Messages in the spool", registers });
  const used = new Gauge({ name: "mailboat_spool_used_bytes", help: "Live pages, log and body files", registers });
  const capacity = new Gauge({ name: "mailboat_spool_capacity_bytes", help: "What the spool may use", registers });
  const full = new Gauge({ name: "mailboat_spool_full", help: "1 while new mail is answered 452", registers });
  const oldest = new Gauge({
    name: "mailboat_spool_oldest_due_timestamp_seconds",
    help: "When the longest overdue recipient became due; 0 when none is",
    registers,
  });
  const recipients = new Gauge({
    name: "mailboat_spool_queued_recipients",
    help: "Recipients that wait for their outcome",
    registers,
  });
  return async () => {
    const now = await sources.depth();
    recipients.set(now.queuedRecipients);
    queued.set(now.queuedMessages);
    used.set(now.usedBytes);
    capacity.set(sources.snapshots()?.current().relay.spool.capacityBytes ?? 0);
    full.set(now.full ? 1 : 0);
    oldest.set(now.oldestDueAt === undefined ? 0 : now.oldestDueAt / 1000);
  };
}
