/** What delivery has open is closed with it: the questions to the DNS, and the connections that it keeps. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemChance, systemClock } from "../../runtime/clock.ts";
import { createLog } from "../../runtime/log.ts";
import { until } from "../../test/support/until.ts";
import type { Answer } from "../dns/answer.ts";
import { podLimits } from "../limits/limits.ts";
import { createJournal } from "../observe/journal.ts";
import {
  domainSettingsOf,
  newMessage,
  relayDocumentOf,
  silentMetrics,
  smarthostAt,
  snapshotOf,
} from "../../test/support/relayvalues.ts";
import { MemorySpool } from "../../test/support/memoryspool.ts";
import { openDelivery, type DeliveryOptions, type QueueRunner } from "./runner.ts";
import { startHop } from "../../test/support/scriptedhop.ts";

function deliveryOver(
  spool: MemorySpool,
  relay: ReturnType<typeof relayDocumentOf>,
  resolving: DeliveryOptions["resolving"] = {},
): QueueRunner {
  const log = createLog({ level: "silent", program: "test" });
  const snapshot = snapshotOf(relay, [domainSettingsOf("example.com")]);
  const delivery = openDelivery({
    snapshots: { current: () => snapshot, lastError: undefined, onChange: () => undefined },
    spool,
    log,
    clock: systemClock,
    chance: systemChance,
    limits: podLimits(systemClock),
    metrics: silentMetrics,
    journal: createJournal({ log, clock: systemClock }),
    resolving,
  });
  spool.starter = delivery;
  return delivery;
}

test("delivery that is closed closes its resolver, whose question then has an answer", async (t) => {
  const spool = new MemorySpool();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Answer>();
  let closed = 0;
  const openLookup = () => ({
    ask: () => {
      asked.resolve();
      return answer.promise;
    },
    close: () => {
      closed += 1;
      answer.resolve({ kind: "trouble", detail: "closed" });
    },
  });
  const delivery = deliveryOver(spool, relayDocumentOf(), { openLookup });
  t.after(() => delivery.close(0));
  await spool.commit(newMessage());
  await asked.promise;
  await delivery.close(0);
  assert.equal(closed, 1);
});

test("delivery that is closed says QUIT on the connections that it keeps", async (t) => {
  const spool = new MemorySpool();
  const hop = await startHop();
  t.after(() => hop.close());
  const delivery = deliveryOver(spool, relayDocumentOf({ smarthosts: [smarthostAt(hop.port)] }));
  t.after(() => delivery.close(0));
  await spool.commit(newMessage());
  await spool.settled(1);
  await delivery.close(1_000);
  await until("QUIT", () => hop.sessions[0]?.lines.at(-1) === "QUIT");
});
