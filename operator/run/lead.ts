/** From filled caches and a lease to work, until the stop or the loss of the lease. */
import { shardLabel } from "../../api/labels.ts";
import type { Log } from "../../runtime/log.ts";
import type { ClusterChange } from "../kube/cluster/news.ts";
import type { ClusterReads } from "../kube/cluster/reads.ts";
import { keyOf } from "../kube/kube.ts";
import type { Election } from "../kube/lease.ts";
import type { WorkQueue } from "../kube/workqueue.ts";
import { affectedBy, type Lookup } from "./affected.ts";
import { keepWarm } from "./warm.ts";

export interface LeadSettings {
  readonly reads: ClusterReads;
  readonly election: Election;
  readonly log: Log;
  readonly stopping: AbortSignal;
  readonly operatorNamespace: string;
  /** Every resource is looked at this often even when nothing changed, in milliseconds. */
  readonly resyncMs: number;
  readonly onSynced: () => Promise<void>;
  /** Called once this process leads. */
  readonly begin: () => WorkQueue;
}

/** While documents of domains are written without a pause, their relay has its turn this often. */
const longestBatchMs = 5_000;

/** Resolves to the exit code: 0 when it was asked to stop, 1 when it lost the lease. */
export async function lead(settings: LeadSettings): Promise<number> {
  const { reads, election, log, stopping, operatorNamespace } = settings;
  let isLeading = false;
  const stopped = aborted(stopping).then(() => 0);
  const lost = election.lost.then((reason) => {
    log.fatal({ reason }, "the lease is lost");
    return 1;
  });
  const prepared = async (): Promise<undefined> => {
    await reads.open();
    await settings.onSynced();
    log.info({ cached: reads.sizes(), holder: election.holder }, "caches are filled");
    keepWarm({ reads, operatorNamespace, isOver: () => isLeading });
    await election.elected;
    return undefined;
  };
  const early = await Promise.race([prepared(), stopped, lost]);
  if (early !== undefined) return early;
  isLeading = true;
  log.info("leading");
  const queue = settings.begin();
  follow(settings, queue);
  addAll(reads, queue);
  const resync = setInterval(() => addAll(reads, queue), settings.resyncMs);
  const outcome = await Promise.race([stopped, lost]);
  clearInterval(resync);
  return outcome;
}

function follow({ reads, operatorNamespace }: LeadSettings, queue: WorkQueue): void {
  const lookup: Lookup = {
    find: (kind, index, value) => reads.find(kind, index, value),
    all: (kind) => reads.list(kind, {}),
  };
  reads.onChange((change) => {
    const isShard = change.what === "spoilt" || isOfShard(change);
    for (const key of affectedBy({ change, lookup, operatorNamespace })) {
      // One look at a relay covers all documents that were written before it: while many are, it waits for them.
      if (isShard && key.startsWith("MailRelay/")) queue.addLast(key, longestBatchMs);
      else queue.add(key);
    }
  });
}

function isOfShard(change: ClusterChange): boolean {
  if (change.what !== "object" || change.kind !== "Secret") return false;
  return (change.after ?? change.before)?.metadata.labels?.[shardLabel] !== undefined;
}

function addAll(reads: ClusterReads, queue: WorkQueue): void {
  // Relays first: their pods come up while the domains are looked at.
  for (const kind of ["MailRelay", "SenderDomain"] as const) {
    for (const { metadata } of reads.list(kind, {})) {
      queue.addLast(keyOf({ kind, namespace: metadata.namespace ?? "", name: metadata.name }));
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => signal.addEventListener("abort", () => done(), { once: true }));
}
