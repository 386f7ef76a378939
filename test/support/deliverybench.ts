/** Delivery over a spool in memory, towards next hops that do as they are told. */
import type { TestContext } from "node:test";
import { pino } from "pino";
import type { RelayDocument } from "../../api/relayconfig.ts";
import { domainSettingsOf, relayDocumentOf, silentMetrics, snapshotOf } from "./relayvalues.ts";
import { MemorySpool } from "./memoryspool.ts";
import { openDelivery, type DeliveryOptions, type QueueRunner } from "../../relay/delivery/runner.ts";
import type { Window } from "../../relay/delivery/job/schedule.ts";
import { startHop, type Script, type ScriptedHop } from "./scriptedhop.ts";
import type { DomainSettings, Snapshot } from "../../relay/config/snapshot.ts";
import type { HopTracer } from "../../relay/observe/hop.ts";
import { podLimits } from "../../relay/limits/limits.ts";
import { createJournal } from "../../relay/observe/journal.ts";
import { type Clock, systemChance, systemClock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";

export interface DeliveryBench {
  readonly spool: MemorySpool;
  readonly delivery: QueueRunner;
  /** `cause count` of each change. */
  readonly unwritten: string[];
  readonly lines: Record<string, unknown>[];
  readonly configure: (snapshot: Snapshot) => void;
}

/** A log whose lines are kept as values. */
function keptLog(): { readonly log: Log; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { log, lines };
}

export async function hopFor(t: TestContext, script: Script = {}): Promise<ScriptedHop> {
  const hop = await startHop(script);
  t.after(() => hop.close());
  return hop;
}

export interface BenchSettings {
  readonly delivery: Partial<RelayDocument["delivery"]>;
  readonly domains?: readonly DomainSettings[];
  readonly spool?: MemorySpool;
  readonly window?: Window;
  readonly clock?: Clock;
  readonly hops?: HopTracer;
  readonly leaseRoundMs?: number;
  readonly resolving?: DeliveryOptions["resolving"];
}

export function deliveryBench(t: TestContext, settings: BenchSettings): DeliveryBench {
  const spool = settings.spool ?? new MemorySpool();
  const { log, lines } = keptLog();
  const unwritten: string[] = [];
  let snapshot = snapshotOf(relayDocumentOf(settings.delivery), settings.domains ?? [domainSettingsOf("example.com")]);
  const delivery = openDelivery({
    snapshots: { current: () => snapshot, lastError: undefined, onChange: () => undefined },
    spool,
    log,
    clock: settings.clock ?? systemClock,
    chance: systemChance,
    limits: podLimits(settings.clock ?? systemClock),
    metrics: { ...silentMetrics, outcomesUnwritten: (cause, count) => unwritten.push(`${cause} ${count}`) },
    journal: createJournal({ log, clock: systemClock }),
    ...(settings.window === undefined ? {} : { window: settings.window }),
    ...(settings.hops === undefined ? {} : { hops: settings.hops }),
    ...(settings.leaseRoundMs === undefined ? {} : { leaseRoundMs: settings.leaseRoundMs }),
    ...(settings.resolving === undefined ? {} : { resolving: settings.resolving }),
  });
  spool.starter = delivery;
  t.after(() => delivery.close(0));
  return { spool, delivery, lines, unwritten, configure: (next) => (snapshot = next) };
}

/** Messages of the log, in order. */
export function messagesOf(lines: readonly Record<string, unknown>[]): string[] {
  return lines.map((line) => String(line["msg"]));
}
