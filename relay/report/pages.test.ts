import assert from "node:assert/strict";
import { test } from "node:test";
import { relayReport, type RelayReport } from "../../api/relayreport.ts";
import { systemClock } from "../../runtime/clock.ts";
import { MetricsRegistry } from "../../runtime/metrics.ts";
import { MemorySpool, snapshotOf, TestSnapshots } from "../../test/support/submission.ts";
import { Gate } from "../administration/gate.ts";
import { DrainState } from "../administration/orders.ts";
import { MessageHistory } from "../observe/history.ts";
import { relayPages, type PagesOptions } from "./pages.ts";

interface Desk {
  readonly orders: DrainState;
  readonly gate: Gate;
  readonly spool: MemorySpool;
  readonly stop: AbortController;
  status(): Promise<RelayReport>;
  ready(): Promise<number | undefined>;
}

function deskOf(change: Partial<PagesOptions> = {}): Desk {
  const orders = new DrainState();
  const stop = new AbortController();
  const gate = new Gate({ orders, stopping: stop.signal });
  const spool = new MemorySpool();
  const snapshots = new TestSnapshots(snapshotOf({ listeners: [] }));
  const history = new MessageHistory();
  const drain = (): undefined => undefined;
  const stopping = stop.signal;
  const pages = relayPages({
    snapshots,
    spool,
    metrics: new MetricsRegistry(),
    counts: () => ({ acceptedMessages: 0, unwrittenOutcomes: { spool: 0, outcome: 0 } }),
    history,
    clock: systemClock,
    gate,
    drain,
    quotas: { report: () => [] },
    awaitedKeys: () => [],
    stopping,
    ...change,
  });
  const request = { query: new URLSearchParams(), isLocal: true };
  return {
    orders,
    gate,
    spool,
    stop,
    status: async () => relayReport.parse(JSON.parse((await pages["/status"]?.(request))?.body ?? "")),
    ready: async () => (await pages["/readyz"]?.(request))?.status,
  };
}

test("it says draining only when the last message that was on its way in is in the spool", async () => {
  for (const leave of [
    (desk: Desk) => desk.orders.give({ version: 1, peers: [] }),
    (desk: Desk) => desk.stop.abort(),
  ]) {
    const desk = deskOf();
    assert.equal((await desk.status()).draining, false);
    const arriving = Promise.withResolvers<void>();
    const inside = desk.gate.pass(() => arriving.promise);
    leave(desk);
    assert.equal((await desk.status()).draining, false);
    arriving.resolve();
    await inside;
    assert.equal((await desk.status()).draining, true);
  }
});

test("a message that is kept while the report is made is never an empty spool that stays empty", async () => {
  const counting = Promise.withResolvers<void>();
  const spool = new MemorySpool();
  spool.depth = async () => {
    const counted = await MemorySpool.prototype.depth.call(spool);
    await counting.promise;
    return counted;
  };
  const desk = deskOf({ spool });
  const arriving = Promise.withResolvers<void>();
  const inside = desk.gate.pass(() => arriving.promise);
  desk.orders.give({ version: 1, peers: [] });
  const status = desk.status();
  arriving.resolve();
  await inside;
  counting.resolve();
  const { draining, spool: counted } = await status;
  assert.deepEqual([draining, counted.queuedMessages], [false, 0]);
});

test("logins are told by the day on which they were last used", async () => {
  assert.equal((await deskOf().status()).logins, undefined);
  const lastUsedAt = Date.parse("2026-11-30T23:59:59.999Z");
  const logins = () => [
    { secret: "shop/app", lastUsedAt },
    { secret: "shop/spare", lastUsedAt: undefined },
  ];
  assert.deepEqual((await deskOf({ logins }).status()).logins, [
    { secret: "shop/app", lastUsedDate: "2026-11-30" },
    { secret: "shop/spare" },
  ]);
});

test("readiness goes with the stop and not with an order", async () => {
  const desk = deskOf();
  desk.orders.give({ version: 1, peers: [] });
  assert.equal(await desk.ready(), 200);
  desk.stop.abort();
  assert.equal(await desk.ready(), 503);
});

test("the order's progress is there while the order is", async () => {
  const failure = "outbound-0: connection refused";
  assert.equal((await deskOf().status()).drain, undefined);
  const given = await deskOf({ drain: () => ({ handedOver: 3, failure: undefined }) }).status();
  assert.deepEqual(given.drain, { handedOver: 3 });
  const failing = await deskOf({ drain: () => ({ handedOver: 3, failure }) }).status();
  assert.deepEqual(failing.drain, { handedOver: 3, failure });
});

test("it says how much captured mail can be read", async () => {
  const spool = new MemorySpool();
  const depth = await spool.depth();
  spool.depth = async () => ({ ...depth, capturedMessages: 12 });
  assert.equal((await deskOf({ spool }).status()).spool.capturedMessages, 12);
});

test("it says how many messages wait for five minutes, an hour and a day, and since when the oldest does", async () => {
  const spool = new MemorySpool();
  const none = await spool.waiting();
  const olderThan = { "5m": 5, "1h": 2, "1d": 1 };
  spool.waiting = async () => ({ ...none, olderThan, oldestAcceptedAt: Date.UTC(2026, 10, 23, 12) });
  const told = (await deskOf({ spool }).status()).spool;
  assert.deepEqual([told.lateMessages, told.overHourMessages, told.overDayMessages], [5, 2, 1]);
  assert.equal(told.oldestAcceptedTime, "2026-11-23T12:00:00.000Z");
});
