/** The plain port's pages: what probes, Prometheus and the operator read. */
import { documentVersions } from "../../api/relayconfig.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import type { Gate } from "../administration/gate.ts";
import type { DrainProgress } from "../administration/orders.ts";
import type { Clock } from "../../runtime/clock.ts";
import type { Page, Pages } from "../../runtime/health.ts";
import type { MetricsRegistry } from "../../runtime/metrics.ts";
import { release } from "../../runtime/release.ts";
import type { SnapshotSource } from "../config/snapshot.ts";
import type { QuotaReport } from "../limits/quotas.ts";
import type { Spool } from "../spool/verbs.ts";
import type { SpoolDepth, Waiting } from "../spool/queue.ts";
import type { MessageHistory } from "../observe/history.ts";
import { storyPage } from "./storypage.ts";

export interface PagesOptions {
  readonly snapshots: SnapshotSource;
  readonly spool: Spool;
  readonly metrics: Pick<MetricsRegistry, "render" | "contentType">;
  readonly counts: () => Counts;
  /** When each Secret of a login was last used; not told when absent. */
  readonly logins?: () => readonly LoginUse[];
  readonly history: MessageHistory;
  readonly clock: Clock;
  readonly gate: Gate;
  readonly quotas: { report(): readonly QuotaReport[] };
  /** Undefined while there is no order to leave. */
  readonly drain: () => DrainProgress | undefined;
  /** Names of token issuers whose keys should be read again. */
  readonly awaitedKeys: () => readonly string[];
  readonly stopping: AbortSignal;
}

/** Of a Secret; in milliseconds since the epoch, undefined when it was not used. */
interface LoginUse {
  readonly secret: string;
  readonly lastUsedAt: number | undefined;
}

/** What rooms have counted since the start. */
export interface Counts {
  readonly acceptedMessages: number;
  /** Outcomes that could not be written so far: for want of the spool, or for themselves. */
  readonly unwrittenOutcomes: { readonly spool: number; readonly outcome: number };
}

/**
 * Ready means: configured, the spool answers, and not about to end. A full spool stays ready: it still delivers; so does a relay
 * that was told to leave: peers and the operator find it by its name only while it is ready.
 */
export function relayPages(options: PagesOptions): Pages {
  const startedAt = options.clock.now();
  const report = async (): Promise<RelayReport> => {
    // Before counting: what comes in after the count must not be reported as an empty spool that stays empty.
    const wasShut = options.gate.isShut();
    const now = options.clock.now();
    const [depth, waiting] = await Promise.all([options.spool.depth(now), options.spool.waiting(now, 0)]);
    return { ...reportOf(options, startedAt, { depth, waiting }), draining: wasShut && options.gate.isShut() };
  };
  return {
    "/metrics": async () => ({
      status: 200,
      contentType: options.metrics.contentType,
      body: await options.metrics.render(),
    }),
    "/healthz": async () => {
      await options.spool.depth(options.clock.now());
      return plain(200, "ok");
    },
    "/readyz": async () => {
      if (options.stopping.aborted) return plain(503, "stopping");
      await options.spool.depth(options.clock.now());
      return plain(200, "ready");
    },
    "/status": async () => ({
      status: 200,
      contentType: "application/json",
      body: `${JSON.stringify(await report(), undefined, 2)}\n`,
    }),
    "/trace": async (request) => storyPage(request, { history: options.history, startedAt }),
  };
}

function plain(status: number, text: string): Page {
  return { status, contentType: "text/plain; charset=utf-8", body: `${text}\n` };
}

interface Asked {
  readonly depth: SpoolDepth;
  readonly waiting: Waiting;
}

function reportOf(options: PagesOptions, startedAt: number, asked: Asked): Omit<RelayReport, "draining"> {
  const { depth, waiting } = asked;
  const { revision, relay, certificate } = options.snapshots.current();
  const { lastError } = options.snapshots;
  const { acceptedMessages, unwrittenOutcomes } = options.counts();
  const awaited = options.awaitedKeys();
  return {
    version: 1,
    documents: documentVersions,
    release,
    ...(revision === undefined ? {} : { revision }),
    ...(lastError === undefined ? {} : { configurationError: lastError }),
    ...(certificate === undefined
      ? {}
      : {
          certificate: {
            fingerprint: certificate.fingerprint,
            notAfter: new Date(certificate.notAfter).toISOString(),
            names: [...certificate.names],
          },
        }),
    spool: {
      queuedMessages: depth.queuedMessages,
      queuedRecipients: depth.queuedRecipients,
      unreadableRecipients: depth.unreadableRecipients,
      ...(depth.oldestDueAt === undefined ? {} : { oldestDueTime: new Date(depth.oldestDueAt).toISOString() }),
      ...(waiting.oldestAcceptedAt === undefined
        ? {}
        : { oldestAcceptedTime: new Date(waiting.oldestAcceptedAt).toISOString() }),
      lateMessages: waiting.olderThan["5m"],
      overHourMessages: waiting.olderThan["1h"],
      overDayMessages: waiting.olderThan["1d"],
      capturedMessages: depth.capturedMessages,
      usedBytes: depth.usedBytes,
      capacityBytes: relay.spool.capacityBytes,
      full: depth.full,
      spoolId: depth.spoolId,
    },
    ...drainOf(options.drain()),
    ...(relay.pods === undefined ? {} : { quotas: [...options.quotas.report()] }),
    delivery: deliveryOf(unwrittenOutcomes),
    ...loginsOf(options.logins?.()),
    ...(awaited.length === 0 ? {} : { unknownTokenKeys: [...awaited] }),
    acceptedMessages,
    startedAt: new Date(startedAt).toISOString(),
  };
}

function deliveryOf({ spool, outcome }: Counts["unwrittenOutcomes"]): RelayReport["delivery"] {
  return { paused: spool > 0, unwrittenOutcomes: spool + outcome };
}

function loginsOf(uses: readonly LoginUse[] | undefined): Pick<RelayReport, "logins"> {
  if (uses === undefined) return {};
  return {
    logins: uses.map(({ secret, lastUsedAt }) => ({
      secret,
      ...(lastUsedAt === undefined ? {} : { lastUsedDate: new Date(lastUsedAt).toISOString().slice(0, 10) }),
    })),
  };
}

function drainOf(progress: DrainProgress | undefined): Pick<RelayReport, "drain"> {
  if (progress === undefined) return {};
  const { handedOver, failure } = progress;
  return { drain: { handedOver, ...(failure === undefined ? {} : { failure }) } };
}
