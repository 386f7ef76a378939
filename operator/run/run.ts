/**
 * The operator in a cluster: caches first, then the lease, then work. A standby follows all that the leader follows, the
 * content of Secrets and the kinds of others apart, and does nothing; a leader that lost the lease ends, because another may
 * have begun.
 */
import { systemTimers } from "../../runtime/clock.ts";
import type { Telemetry } from "../../runtime/telemetry.ts";
import { objectFieldManager } from "../../api/labels.ts";
import { reflectorTimes } from "../kube/cache/reflector.ts";
import { Client, type RequestObserver } from "../kube/client/client.ts";
import { ClusterKube, regardedBy } from "../kube/cluster/clusterkube.ts";
import { wholeStatusOf } from "../kube/cluster/decode.ts";
import { ClusterReads } from "../kube/cluster/reads.ts";
import { resourceOf } from "../kube/cluster/resources.ts";
import { asKind } from "../kube/cluster/views.ts";
import { EventRecorder } from "../kube/events.ts";
import type { Sight } from "../kube/kube.ts";
import type { Election } from "../kube/lease.ts";
import type { WorkQueue } from "../kube/workqueue.ts";
import { Failing } from "../work/failing.ts";
import type { ClusterSettings } from "../settings.ts";
import { indexes } from "./indexes.ts";
import { lead } from "./lead.ts";
import { createMetrics, type Figures, type OperatorMetrics } from "./metrics.ts";
import {
  assignsIds,
  giveUpLease,
  idsPatienceMs,
  openElection,
  type Opened,
  type Opening,
  openServer,
  podDefaults,
} from "./opening.ts";
import { openPages } from "./pages.ts";
import { openQueue } from "./queue.ts";
import { createReconcileTracer, type ReconcileTracer } from "./reconciletrace.ts";
import { tellOnce } from "./tellonce.ts";
import { openTelemetry, startTracing } from "./tracing.ts";

export interface ClusterRun extends Opening {
  readonly settings: ClusterSettings;
  readonly stopping: AbortSignal;
}

/** A stop waits at most this long for the last events, and again for the last spans, in milliseconds. */
const flushMs = 3_000;

/** Requests at the same time, watches and the lease apart. */
const concurrency = 32;

/** Resolves to the exit code: 0 when it was asked to stop, 1 when it lost the lease. */
export async function runCluster(run: ClusterRun): Promise<number> {
  const { settings, log, stopping } = run;
  const ended = new AbortController();
  const opened = await openServer(run);
  const { host, namespace, transport, leaseTransport } = opened;
  const parts = openParts({ run, opened, ended: ended.signal });
  const { election, reads, events, kube, metrics, failing, state, telemetry, traces } = parts;
  await startTracing(telemetry, settings.tracing, log);
  const health = await openPages({
    host: settings.listenHost,
    port: settings.port,
    log,
    metrics,
    hindrance: () => (stopping.aborted ? "stopping" : state.isSynced ? undefined : "caches are not filled yet"),
  });
  log.info({ server: host, port: health.port, namespace }, "operator started");
  election.start();
  const outcome = await lead({
    reads,
    election,
    log,
    stopping,
    operatorNamespace: namespace,
    resyncMs: settings.resyncMs,
    onSynced: async () => {
      const asking = { client: parts.client, stopping, log, monotonic: run.monotonic, patienceMs: idsPatienceMs };
      state.areIdsAssigned = await assignsIds({ ...asking, present: () => haveAssignedIds(reads) });
      state.isSynced = true;
    },
    begin: () => {
      const { relayImage: image, serviceAccount, secretsRole, clusterDomain, className } = settings;
      const pods = podDefaults(settings, state.areIdsAssigned);
      const { ownImage = image } = settings;
      const installation = { className, namespace, image, ownImage, pods, clusterDomain, serviceAccount, secretsRole };
      state.queue = openQueue({
        ...run,
        kube,
        metrics,
        failing,
        traces,
        workers: settings.workers,
        maxRollouts: settings.maxRollouts,
        mayOrder: () => election.isFresh(),
        installation: { ...installation, certificateNames: [], addressBook: new Map(), podHost: undefined },
      });
      return state.queue;
    },
  });
  await state.queue?.stop();
  if (outcome === 0) await events.close(flushMs);
  await giveUpLease(election, log);
  ended.abort();
  await telemetry.close(flushMs);
  await health.close();
  transport.close();
  leaseTransport.close();
  log.info({ lost: outcome !== 0 }, "operator stopped");
  return outcome;
}

/** Where a cluster gives ids, ours are in no template of a relay, unless its owner names some. */
function haveAssignedIds(reads: ClusterReads): boolean | undefined {
  const sets = reads.list("StatefulSet", {}).map((object) => asKind<"StatefulSet">(object));
  if (sets.length === 0) return undefined;
  return sets.some(({ spec }) => spec.template.spec.securityContext.runAsUser === undefined);
}

interface State {
  areIdsAssigned: boolean;
  queue: WorkQueue | undefined;
  isSynced: boolean;
}

interface PartSettings {
  readonly run: ClusterRun;
  readonly opened: Opened;
  readonly ended: AbortSignal;
}

interface Parts {
  readonly client: Client;
  readonly metrics: OperatorMetrics;
  readonly telemetry: Telemetry;
  readonly traces: ReconcileTracer;
  readonly election: Election;
  readonly reads: ClusterReads;
  readonly events: EventRecorder;
  readonly kube: ClusterKube;
  readonly failing: Failing;
  readonly state: State;
}

function openParts({ run, opened, ended }: PartSettings): Parts {
  const { namespace, transport } = opened;
  const { settings, log, monotonic, now, chance } = run;
  const state: State = { areIdsAssigned: false, queue: undefined, isSynced: false };
  const metrics: OperatorMetrics = createMetrics(() => figuresOf({ state, election, reads, events, failing }));
  const telemetry = openTelemetry({ namespace, identity: settings.identity, log, counts: metrics });
  const traces = createReconcileTracer(telemetry);
  const observe: RequestObserver = (made) => {
    metrics.request(made);
    traces.request(made);
  };
  const client = new Client({ transport, concurrency, now: monotonic, stopping: ended, observe });
  const election = openElection(run, client, opened);
  const { durationMs, renewDeadlineMs } = settings.leaseTimes;
  // A write that takes longer than what is left of the lease might land after another operator has begun.
  const writer = client.with({
    mayWrite: () => election.isFresh() && !failing.isGivenUp(),
    deadlines: { readMs: 30_000, writeMs: durationMs - renewDeadlineMs },
  });
  const reads = openReads({ run, client, metrics, ended, operatorNamespace: namespace });
  const events = new EventRecorder({
    client: writer,
    controller: "mailboat.dev/operator",
    instance: settings.identity,
    fieldManager: objectFieldManager,
    regarded: regardedBy(reads),
    now,
    chance,
    onError: (error) => log.warn({ error: String(error) }, "an event could not be written"),
  });
  const kube = new ClusterKube({ reads, writer, events });
  const failing = new Failing({
    kube,
    wholeStatus: async ({ kind, ...place }) => wholeStatusOf(await client.get(resourceOf(kind), place)),
    timers: systemTimers,
    now,
    onError: (subject, error) =>
      log.warn({ ...subject, error: String(error) }, "a resource could not be told it fails"),
  });
  return { client, metrics, telemetry, traces, election, reads, events, kube, failing, state };
}

function figuresOf({
  state,
  election,
  reads,
  events,
  failing,
}: Pick<Parts, "state" | "election" | "reads" | "events" | "failing">): Figures {
  return {
    queued: state.queue?.depth ?? 0,
    running: state.queue?.running ?? 0,
    isLeading: election.isFresh(),
    cached: reads.sizes(),
    unseenNamespaces: reads.unseen().length,
    eventsLost: events.lost,
    conditions: reads.conditions(),
    podCounts: reads.podCounts(),
    failing: { MailRelay: failing.count("MailRelay"), SenderDomain: failing.count("SenderDomain") },
  };
}

interface ReadParts {
  readonly run: ClusterRun;
  readonly client: Client;
  readonly metrics: OperatorMetrics;
  readonly ended: AbortSignal;
  readonly operatorNamespace: string;
}

function openReads({ run, client, metrics, ended, operatorNamespace }: ReadParts): ClusterReads {
  const { log, settings, monotonic, chance } = run;
  const isToldBefore = tellOnce();
  return new ClusterReads({
    edge: {
      client,
      times: { ...reflectorTimes, silenceMs: settings.watchSilenceMs },
      chance,
      now: monotonic,
      stopping: ended,
      observe: (resource, event) => {
        metrics.reflected(resource, event);
        // Watches end all the time; what is worth a line is what does not come back at once.
        if (event.kind === "failed" && event.error.kind === "Gone") return;
        if (isToldBefore(resource, event) || event.kind !== "failed") return;
        log.warn({ resource, error: event.error.message, retryInMs: event.retryInMs }, "cannot follow a resource");
      },
      onError: (error) => log.error({ error: String(error) }, "a cache has ended"),
    },
    namespaces: settings.namespaces,
    operatorNamespace,
    log,
    indexes,
    onSight: (namespace, sight) => {
      if (sight.kind === "whole") log.info({ namespace }, "a watched namespace is seen whole again");
      else
        log.warn({ namespace, ...sightFields(sight) }, "a watched namespace is not seen whole: the others are served");
    },
  });
}

function sightFields(sight: Sight): Readonly<Record<string, unknown>> {
  if (sight.kind !== "part") return { why: sight.kind === "gone" ? "it does not exist" : "it is not watched" };
  return { why: "a right is missing there", hidden: [...sight.hidden] };
}
