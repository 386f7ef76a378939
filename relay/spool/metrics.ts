/** How much waits, and how fast it is made safe. The depth is asked for at each scrape. */
import { otherValues, type MetricsRegistry } from "../../runtime/metrics.ts";
import type { SnapshotSource } from "../config/snapshot.ts";
import { dropReasons, type DropReason } from "./local/captureroom.ts";
import type { CheckpointResult } from "./local/wal/decide.ts";
import type { Census, SpoolDepth, Waiting } from "./queue.ts";
import { waitingMetrics } from "./waitingmetrics.ts";

/** What is asked at each scrape. */
export interface SpoolSources {
  readonly depth: () => Promise<SpoolDepth>;
  /** The `limit` longest queues of each kind. */
  readonly census: (limit: number) => Promise<Census>;
  /** The `limit` sender domains that have most messages over five minutes. */
  readonly waiting: (limit: number) => Promise<Waiting>;
  /** Undefined until the first configuration is loaded. */
  readonly snapshots: () => SnapshotSource | undefined;
}

export interface SpoolMetrics {
  committed(writes: number, seconds: number): void;
  checkpointed(result: CheckpointResult): void;
  /** Captured mail that nobody can read any more. */
  dropped(reason: DropReason, messages: number): void;
}

export function spoolMetrics(registry: MetricsRegistry, sources: SpoolSources): SpoolMetrics {
  const commitSeconds = registry.latency({
    name: "mailboat_spool_commit_seconds",
    help: "One transaction with its sync",
  });
  const commitWrites = registry.counter({
    name: "mailboat_spool_committed_writes",
    help: "Writes that joined a transaction; divided by the commits it tells how large groups are",
  });
  const checkpoints = registry.counter({
    name: "mailboat_spool_checkpoints",
    help: "Copies of the log into the database: complete, partial (usual under load), blocked by a reader, or failed",
    labelNames: ["result"],
  });
  // An increase from nothing is seen only where the nothing was.
  for (const result of ["complete", "partial", "blocked", "failed"] as const) checkpoints.inc({ result }, 0);
  const dropped = registry.counter({
    name: "mailboat_spool_dropped_captured_messages",
    help: "Captured messages that went: for their age, their number, or because the volume has no room for them",
    labelNames: ["reason"],
  });
  for (const reason of dropReasons) dropped.inc({ reason }, 0);
  const refreshDepth = depthGauges(registry, sources);
  const refreshCensus = censusGauges(registry, sources);
  const refreshWaiting = waitingMetrics(registry, sources.waiting);
  registry.onScrape(async () => {
    await Promise.all([refreshDepth(), refreshCensus(), refreshWaiting()]);
  });
  return {
    committed(writes, seconds) {
      commitWrites.inc(writes);
      commitSeconds.observe(seconds);
    },
    checkpointed: (result) => checkpoints.inc({ result }),
    dropped: (reason, messages) => dropped.inc({ reason }, messages),
  };
}

function depthGauges(registry: MetricsRegistry, sources: SpoolSources): () => Promise<void> {
  const queued = registry.gauge({ name: "mailboat_spool_queued_messages", help: "Messages in the spool" });
  const used = registry.gauge({ name: "mailboat_spool_used_bytes", help: "Live pages, log and body files" });
  const log = registry.gauge({
    name: "mailboat_spool_log_bytes",
    help: "The write-ahead log; it grows while checkpoints fail or are blocked",
  });
  const capacity = registry.gauge({ name: "mailboat_spool_capacity_bytes", help: "What the spool may use" });
  const full = registry.gauge({ name: "mailboat_spool_full", help: "1 while new mail is answered 452" });
  const oldest = registry.gauge({
    name: "mailboat_spool_oldest_due_timestamp_seconds",
    help: "When the longest overdue recipient became due; 0 when none is",
  });
  const recipients = registry.gauge({
    name: "mailboat_spool_queued_recipients",
    help: "Recipients that wait for their outcome",
  });
  const unreadable = registry.gauge({
    name: "mailboat_spool_unreadable_recipients",
    help: "Recipients that are set aside because their rows cannot be read",
  });
  const captured = registry.gauge({
    name: "mailboat_spool_captured_messages",
    help: "Messages that delivery.mode kept from leaving and that can be read; the oldest are dropped",
  });
  return async () => {
    const now = await sources.depth();
    unreadable.set(now.unreadableRecipients);
    captured.set(now.capturedMessages);
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

function censusGauges(registry: MetricsRegistry, sources: SpoolSources): () => Promise<void> {
  const senders = registry.gauge({
    name: "mailboat_spool_domain_queued_recipients",
    help: "Recipients that wait, by sender domain: the longest queues, and (other)",
    labelNames: ["domain"],
  });
  const destinations = registry.gauge({
    name: "mailboat_spool_destination_queued_recipients",
    help: "Recipients that wait, by their domain: the longest queues, and (other)",
    labelNames: ["destination"],
  });
  const oldest = registry.gauge({
    name: "mailboat_spool_domain_oldest_due_timestamp_seconds",
    help: "When the longest overdue recipient of a sender domain became due; of the senders that wait longest",
    labelNames: ["domain"],
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
