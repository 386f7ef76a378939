/** The reconciles of a leader: what to look at, in which order, and what comes of it. */
import type { Chance } from "../../runtime/clock.ts";
import { systemTimers } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { Kube } from "../kube/kube.ts";
import { workBackoff, workPace, WorkQueue } from "../kube/workqueue.ts";
import { createCredentialSource } from "../credentials/source.ts";
import { createIssuerSource } from "../issuers/source.ts";
import type { Failing } from "../work/failing.ts";
import type { RelaySources } from "../mailrelay/gather.ts";
import { glanceAtRelay, reconcileRelay } from "../mailrelay/reconcile.ts";
import { openOrders } from "../pods/giveorder.ts";
import { readReport } from "../pods/reports.ts";
import { RelayMemory } from "../work/memory.ts";
import type { Installation } from "../installation/installation.ts";
import { reconcileDomain } from "../senderdomain/reconcile.ts";
import type { OperatorMetrics } from "./metrics.ts";
import type { ReconcileTracer } from "./reconciletrace.ts";

export interface QueueSettings {
  readonly kube: Kube;
  readonly installation: Installation;
  readonly workers: number;
  /** Relays that replace their pods at the same time. */
  readonly maxRollouts: number;
  /** Whether this operator leads beyond doubt. */
  readonly mayOrder: () => boolean;
  readonly metrics: OperatorMetrics;
  readonly failing: Failing;
  readonly traces: ReconcileTracer;
  readonly log: Log;
  readonly now: () => number;
  readonly monotonic: () => number;
  readonly chance: Chance;
}

export function openQueue(settings: QueueSettings): WorkQueue {
  const { kube, installation, workers, mayOrder, metrics, failing, traces, log, now, monotonic, chance } = settings;
  const sources: RelaySources = {
    kube,
    credentials: createCredentialSource(),
    issuers: createIssuerSource({ kube, now }),
    readReport,
    giveOrder: openOrders({ mayOrder, now }),
    memory: new RelayMemory(settings.maxRollouts),
    now,
    installation,
  };
  return new WorkQueue({
    workers,
    backoff: workBackoff,
    timers: systemTimers,
    chance,
    now: monotonic,
    pace: workPace,
    waited: (key, ms) => metrics.waited(kindIn(key), ms / 1000),
    work: async (key, isOwnTime) => {
      const [, namespace = "", name = ""] = key.split("/");
      const kind = kindIn(key);
      const reconcile = async (): Promise<number | undefined> => {
        if (kind === "SenderDomain") return reconcileDomain(sources, { namespace, name });
        const pause = isOwnTime ? await glanceAtRelay(sources, { namespace, name }) : undefined;
        return pause ?? reconcileRelay(sources, { namespace, name });
      };
      const startedAt = monotonic();
      const told = (result: "success" | "failure"): void =>
        metrics.reconciled(kind, result, (monotonic() - startedAt) / 1000);
      try {
        const subject = { kind, namespace, name };
        const again = await failing.follow(subject, () => traces.follow(subject, reconcile));
        told("success");
        return again;
      } catch (error) {
        told("failure");
        throw error;
      }
    },
    onError: (key, error) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      log.error({ key, error: text }, "reconcile failed and is tried again");
    },
  });
}

function kindIn(key: string): "MailRelay" | "SenderDomain" {
  return key.startsWith("MailRelay/") ? "MailRelay" : "SenderDomain";
}
