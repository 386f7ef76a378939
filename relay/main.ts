/** The relay program: reads its settings, opens configuration, spool, listeners and delivery, and stops in reverse. */
import { hostname } from "node:os";
import { systemChance, systemClock } from "../runtime/clock.ts";
import { openHealth, type HealthServer } from "../runtime/health.ts";
import { createLifecycle, type Lifecycle } from "../runtime/lifecycle.ts";
import { createLog, standardOutput, type Log } from "../runtime/log.ts";
import { BoundedLabel, MetricsRegistry } from "../runtime/metrics.ts";
import { drainRoutes } from "./administration/drainroutes.ts";
import { Gate } from "./administration/gate.ts";
import { DrainState } from "./administration/orders.ts";
import { quotaRoutes } from "./administration/quotaroutes.ts";
import { administrationMetrics } from "./administration/metrics.ts";
import { openAdministration } from "./administration/server.ts";
import { configurationMetrics } from "./config/metrics.ts";
import type { SnapshotSource } from "./config/snapshot.ts";
import { watchConfiguration } from "./config/watch.ts";
import { deliveryMetrics } from "./delivery/metrics.ts";
import { openDelivery } from "./delivery/runner.ts";
import { openGiver } from "./handoff/giver.ts";
import { handoffMetrics } from "./handoff/metrics.ts";
import { openTaker } from "./handoff/taker.ts";
import { inspectionUsage } from "./inspect/command.ts";
import { inspect, isInspectionVerb } from "./inspect/inspect.ts";
import { retryIntervalMs } from "./delivery/policy/retry.ts";
import { MessageHistory } from "./observe/history.ts";
import { createHandoffTracer, type HandoffTracer } from "./observe/handoffspan.ts";
import { createHopTracer, type HopTracer } from "./observe/hop.ts";
import { podLimits, type Limits } from "./limits/limits.ts";
import { createJournal } from "./observe/journal.ts";
import { parentOf } from "./observe/parent.ts";
import { observationMetrics } from "./observe/metrics.ts";
import { relayPages, type PagesOptions } from "./report/pages.ts";
import { openTracing } from "./observe/tracing.ts";
import { observationPort, readSettings, type Settings } from "./settings.ts";
import { spoolMetrics, type SpoolSources } from "./spool/metrics.ts";
import { openStore, type Store, type StoreOptions } from "./spool/local/store.ts";
import { startingAtOnce } from "./spool/start.ts";
import type { Spool } from "./spool/verbs.ts";
import { noChecks } from "./reception/checks/check.ts";
import { UnknownKeys } from "./reception/identity/tokens/unknownkeys.ts";
import { openReception, type ReceptionOptions } from "./reception/listeners.ts";
import { LoginUses, type LoginUse } from "./reception/identity/uses.ts";
import { loginMetrics, receptionMetrics } from "./reception/metrics.ts";

const program = "relay";

const usage = `usage: node relay/main.ts run | spool | trace
  run
        relay mail as the files in MAILBOAT_CONFIGURATION_DIR say, with the spool in MAILBOAT_SPOOL_DIR; the administration port
        (9465, or "admin" in MAILBOAT_PORTS) opens when the directory peer of the configuration holds a certificate
${inspectionUsage}`;

/** What ended just before the stop may take this share of the time for it to reach the collector, and no more than that. */
const telemetryShare = 1 / 5;
const telemetryDeadlineMs = 3_000;

async function run(settings: Settings, log: Log, lifecycle: Lifecycle): Promise<void> {
  const clock = systemClock;
  const chance = systemChance;
  // Metrics count the configuration's loads, which come before the spool that they report the depth of.
  const spoolOpened = Promise.withResolvers<Spool>();
  const loaded: { snapshots?: SnapshotSource } = {};
  const metrics = openMetrics({
    depth: async () => (await spoolOpened.promise).depth(clock.now()),
    census: async (limit) => (await spoolOpened.promise).census(clock.now(), limit),
    waiting: async (limit) => (await spoolOpened.promise).waiting(clock.now(), limit),
    snapshots: () => loaded.snapshots,
  });
  const snapshots = await watchConfiguration({
    directory: settings.configurationDirectory,
    log,
    onLoad: (result) => metrics.configuration.configurationLoaded(result),
    stopping: lifecycle.stopping,
  });
  loaded.snapshots = snapshots;
  const opened = await openStore({
    directory: settings.spoolDirectory,
    clock,
    log,
    capacity: () => snapshots.current().relay.spool,
    // The plain schedule; jitter comes with the outcome.
    retryDelayMs: (attempt) => retryIntervalMs(attempt, snapshots.current().relay.delivery.retry),
    ownerTimeoutMs: 10_000,
    ...countedBy(metrics.spool),
    onLost: (error) => {
      log.fatal({ error: error.message }, "the spool is lost");
      process.exit(1);
    },
  });
  spoolOpened.resolve(opened);
  lifecycle.onStop({ name: "spool", close: async () => opened.close() });
  const telemetry = await openTracing({ snapshots, log, counts: metrics.observation, spanLines: settings.spanLines });
  const flushMs = Math.min(telemetryDeadlineMs, settings.stopDeadlineMs * telemetryShare);
  lifecycle.onStop({ name: "telemetry", close: async () => telemetry.close(flushMs) });
  const history = new MessageHistory();
  const journal = createJournal({ log, clock, history });
  const hops = createHopTracer(telemetry);
  const pages: { server?: HealthServer } = {};
  // Closed after mail: whoever waits for this relay's end reads its report meanwhile.
  lifecycle.onStop({ name: "http", close: async () => pages.server?.close() });
  const tracer = createHandoffTracer(telemetry);
  const limits = podLimits(clock, {
    kept: opened.quotas,
    evenShare: () => 1 / (snapshots.current().relay.pods ?? 1),
  });
  const shared = { snapshots, spool: opened, log, clock, chance, limits, metrics, journal, hops, tracer };
  const mail = await openMail(shared, settings, lifecycle);
  const { registry, counts, logins } = metrics;
  const shown = { metrics: registry, counts, logins, history, stopping: lifecycle.stopping };
  pages.server = await openHealth({
    host: settings.listenHost,
    port: settings.ports.get("http") ?? observationPort,
    pages: relayPages({ ...shown, ...mail, quotas: limits.quotas, snapshots, spool: opened, clock }),
    log,
  });
  log.info({ listener: "http", port: pages.server.port }, "listening");
  log.info("ready");
}

/** Four series each at most: 10,000 domains and 100,000 destinations are still a page of less than a MiB. */
const labelledDomains = 500;
const labelledDestinations = 200;
const labelledLogins = 500;
/** As many as a MailRelay's status has room for. */
const reportedLogins = 100;

type Metrics = ReturnType<typeof openMetrics>;

/** Each room's, on one page. */
function openMetrics(sources: SpoolSources) {
  const registry = new MetricsRegistry();
  const domains = new BoundedLabel(labelledDomains);
  const destinations = new BoundedLabel(labelledDestinations);
  const reception = receptionMetrics(registry, domains);
  const uses = new LoginUses();
  const usesOf = (most: number): readonly LoginUse[] =>
    uses.of(sources.snapshots()?.current().credentials ?? new Map(), most);
  loginMetrics(registry, () => usesOf(labelledLogins));
  const delivery = deliveryMetrics(registry, { domains, destinations });
  return {
    registry,
    reception,
    uses,
    logins: () => usesOf(reportedLogins),
    delivery,
    spool: spoolMetrics(registry, sources),
    configuration: configurationMetrics(registry, sources.snapshots),
    handoff: handoffMetrics(registry),
    administration: administrationMetrics(registry),
    observation: observationMetrics(registry, () => standardOutput(program).dropped),
    counts: () => ({
      acceptedMessages: reception.acceptedMessages,
      unwrittenOutcomes: delivery.unwrittenOutcomes,
    }),
  };
}

/** What the spool does, as metrics count it. */
function countedBy(spool: Metrics["spool"]): Pick<StoreOptions, "onCommit" | "onCheckpoint" | "onDropped"> {
  return {
    onCommit: (writes, seconds) => spool.committed(writes, seconds),
    onCheckpoint: (result) => spool.checkpointed(result),
    onDropped: (reason, messages) => spool.dropped(reason, messages),
  };
}

/** Every way in and out; closed together. */
async function openMail(
  shared: Omit<ReceptionOptions, "gate" | "checks" | "listenHost" | "ports" | "metrics"> & {
    readonly spool: Store;
    readonly limits: Limits;
    readonly hops: HopTracer;
    readonly tracer: HandoffTracer;
    readonly metrics: Metrics;
  },
  settings: Settings,
  lifecycle: Lifecycle,
): Promise<Pick<PagesOptions, "gate" | "drain" | "awaitedKeys">> {
  const { listenHost, ports, stopDeadlineMs } = settings;
  const { snapshots, log, metrics } = shared;
  const orders = new DrainState();
  orders.onChange((order) => metrics.administration.drainOrdered(order !== undefined));
  const gate = new Gate({ orders, stopping: lifecycle.stopping });
  const resolving = { mxPort: settings.mxPort, ownPorts: [...ports.values()] };
  const delivery = openDelivery({ ...shared, metrics: metrics.delivery, resolving });
  const spool = startingAtOnce({ spool: shared.spool, starter: delivery, log });
  const unknownKeys = new UnknownKeys();
  const reception = await openReception({
    ...shared,
    unknownKeys,
    spool,
    metrics: metrics.reception,
    uses: metrics.uses,
    parent: parentOf(process),
    gate,
    checks: () => noChecks,
    listenHost,
    ports,
  });
  const taker = openTaker({ ...shared, metrics: metrics.handoff, gate, delivery });
  const giver = await openGiver({ ...shared, metrics: metrics.handoff, orders, delivery, name: hostname() });
  const administration = await openAdministration({
    snapshots,
    routes: [...drainRoutes({ orders, log }), ...quotaRoutes(shared.limits.quotas), ...taker.routes],
    log,
    listenHost,
    ports,
    onAnswer: (caller, code) => metrics.administration.administered(caller, code),
  });
  const edges = [administration, reception, giver, delivery];
  lifecycle.onStop({
    name: "mail",
    close: async () => {
      taker.close();
      await Promise.all(edges.map(async (edge) => edge.close(stopDeadlineMs)));
    },
  });
  return { gate, drain: () => giver.progress(), awaitedKeys: () => unknownKeys.awaited(shared.clock.now()) };
}

async function main([verb, ...args]: readonly string[]): Promise<number> {
  if (verb === "--help" || args.includes("--help")) {
    await print(process.stdout, usage);
    return 0;
  }
  if (isInspectionVerb(verb)) {
    const { status, out, octets, err } = await inspect({ verb, args, environment: process.env, clock: systemClock });
    await print(process.stdout, octets ?? out);
    await print(process.stderr, err);
    return status;
  }
  if (verb !== "run") {
    process.stderr.write(usage);
    return 2;
  }
  const settings = readSettings(process.env);
  const log = createLog({ level: settings.logLevel, program });
  const lifecycle = createLifecycle(log);
  // In local mode the parent holds a channel: when it is gone, so is the reason to run.
  process.on("disconnect", () => lifecycle.stop("parent ended"));
  if (process.send !== undefined && !process.connected) lifecycle.stop("parent ended");
  process.on("unhandledRejection", (error) => {
    log.fatal({ error: String(error), stack: error instanceof Error ? error.stack : undefined }, "a promise was lost");
    process.exit(1);
  });
  await Promise.race([run(settings, log, lifecycle), lifecycle.done]);
  await lifecycle.done;
  if (process.connected) process.disconnect();
  log.info("stopped");
  return 0;
}

/** Resolves when all of it is handed over, or when who reads it has seen enough and left. */
async function print(stream: NodeJS.WriteStream, text: string | Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    stream.once("error", () => resolve());
    stream.write(text, () => resolve());
  });
}

try {
  // Everything is closed; an export that a dead collector does not answer would hold the process up.
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  process.stderr.write(`relay: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
