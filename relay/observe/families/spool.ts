/** How much waits, and how fast it is made safe. The depth is asked for at each scrape. */
import { Counter, Gauge, Histogram } from "prom-client";
import type { SnapshotSource } from "../../config/snapshot.ts";
import type { CheckpointResult } from "../../spool/checkpointing.ts";
import type { Census, SpoolDepth } from "../../spool/spool.ts";
import { otherValues } from "../labels.ts";
import { latencyBuckets, type OpenMetricsRegistry } from "./family.ts";

/** What is asked at each scrape. */
export interface MetricSources {
  readonly depth: () => Promise<SpoolDepth>;
  /** The `limit` longest queues of each kind. */
  readonly census: (limit: number) => Promise<Census>;
  /** Undefined until the first configuration is loaded. */
  readonly snapshots: () => SnapshotSource | undefined;
}

export interface SpoolMetrics {
  /** Asks for the depth; rejects when the spool does not answer. */
  refresh(): Promise<void>;
  committed(writes: number, seconds: number): void;
  checkpointed(result: CheckpointResult): void;
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
  const checkpoints = new Counter({
    name: "mailboat_spool_checkpoints",
    help: "Copies of the log into the database: complete, partial (usual under load), blocked by a reader, or failed",
    labelNames: ["result"],
    registers,
  });
  // An increase from nothing is seen only where the nothing was.
  for (const result of ["complete", "partial", "blocked", "failed"] as const) checkpoints.inc({ result }, 0);
  const refreshDepth = depthGauges(registry, sources);
  const refreshCensus = censusGauges(registry, sources);
  return {
    async refresh() {
      await Promise.all([refreshDepth(), refreshCensus()]);
    },
    committed(writes, seconds) {
      commitWrites.inc(writes);
      commitSeconds.observe(seconds);
    },
    checkpointed: (result) => checkpoints.inc({ result }),
  };
}

/** When the spool cannot be asked the scrape fails: a gauge that keeps its last value would lie. */
function depthGauges(registry: OpenMetricsRegistry, sources: MetricSources): SpoolMetrics["refresh"] {
  const registers = [registry];
  const queued = new Gauge({ name: "mailboat_spool_queued_messages", help: "Messages in the spool", registers });
  const used = new Gauge({ name: "mailboat_spool_used_bytes", help: "Live pages, log and body files", registers });
  const log = new Gauge({
    name: "mailboat_spool_log_bytes",
    help: "The write-ahead log; it grows while checkpoints fail or are blocked",
    registers,
  });
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
  const unreadable = new Gauge({
    name: "mailboat_spool_unreadable_recipients",
    help: "Recipients that are set aside because their rows cannot be read",
    registers,
  });
  return async () => {
    const now = await sources.depth();
    unreadable.set(now.unreadableRecipients);
    recipients.set(now.queuedRecipients);
    queued.set(now.queuedMessages);
    used.set(now.usedBytes);
    log.set(now.logBytes);
    capacity.set(sources.snapshots()?.current().relay.spool.capacityBytes ?? 0);
    full.set(now.full ? 1 : 0);
    oldest.set(now.oldestDueAt === undefined ? 0 : now.oldestDueAt / 1000);
  };
}

/** Longest queues that have a series of their own; the rest is one. */
const listedQueues = 100;

function censusGauges(registry: OpenMetricsRegistry, sources: MetricSources): SpoolMetrics["refresh"] {
  const registers = [registry];
  const senders = new Gauge({
    name: "mailboat_spool_domain_queued_recipients",
    help: "Recipients that wait, by sender domain: the longest queues, and (other)",
    labelNames: ["domain"],
    registers,
  });
  const destinations = new Gauge({
    name: "mailboat_spool_destination_queued_recipients",
    help: "Recipients that wait, by their domain: the longest queues, and (other)",
    labelNames: ["destination"],
    registers,
  });
  const oldest = new Gauge({
    name: "mailboat_spool_domain_oldest_due_timestamp_seconds",
    help: "When the longest overdue recipient of a sender domain became due; of the senders that wait longest",
    labelNames: ["domain"],
    registers,
  });
  return async () => {
    const census = await sources.census(listedQueues);
    senders.reset();
    for (const { domain, recipients } of census.senders.longest) senders.set({ domain }, recipients);
    senders.set({ domain: otherValues }, census.senders.others);
    destinations.reset();
    for (const { domain, recipients } of census.destinations.longest)
      destinations.set({ destination: domain }, recipients);
    destinations.set({ destination: otherValues }, census.destinations.others);
    oldest.reset();
    for (const { domain, dueAt } of census.oldest.slice(0, listedQueues)) oldest.set({ domain }, dueAt / 1000);
  };
}
