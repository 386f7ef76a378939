/** 3,000 messages over 40 connections while the program is killed three times: what was answered 250 arrives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { flood, reconcile } from "../support/flood.ts";
import { LocalMode, localLogin, localManifests } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openStage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const messages = 3_000;
const killsAfter = [600, 1_400, 2_200];
/** Deliveries that a relay has under way at most: each may be repeated after a kill. */
const deliveriesInFlight = 64;

test("every message that the relay answered 250 arrives though it is killed three times", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const port = stage.relay.port("smtp");
  const kills: Promise<void>[] = [];
  const killAndRestart = async (): Promise<void> => {
    assert.equal(await stage.relay.program.kill("SIGKILL"), "SIGKILL");
    await stage.restart();
  };
  const ledger = await flood({
    port: () => port,
    messages,
    connections: 40,
    onAccepted: (accepted) => {
      if (killsAfter[kills.length] === accepted) kills.push(killAndRestart());
    },
  });
  await Promise.all(kills);
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 60_000);
  const { lost, duplicates } = reconcile(ledger, stage.hop.mails);
  t.diagnostic(
    `${ledger.sent.size} sent, ${ledger.accepted.size} accepted, ${stage.hop.mails.length} arrived, ${duplicates} duplicates`,
  );
  assert.equal(kills.length, 3);
  assert.equal(ledger.accepted.size, messages);
  assert.deepEqual(lost, []);
  assert.ok(duplicates <= deliveriesInFlight * kills.length, `${duplicates} duplicates`);
});

test("every message that local mode answered 250 arrives though it and its relay are killed", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "local");
  const hop = await NextHop.start();
  t.after(() => hop.stop());
  const local = await LocalMode.start({ directory, manifests: localManifests(hop.address) });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const killRelay = (): void => local.relayIds().forEach((id) => process.kill(id, "SIGKILL"));
  const killLocal = async (): Promise<void> => {
    await local.program.kill("SIGKILL");
    await local.startAgain();
  };
  // The relay alone, local mode alone, and both at once.
  const blows = [
    async () => killRelay(),
    killLocal,
    async () => {
      killRelay();
      await killLocal();
    },
  ];
  const kills: Promise<void>[] = [];
  const ledger = await flood({
    port: () => local.port("submission"),
    login: localLogin,
    messages,
    connections: 40,
    onAccepted: (accepted) => {
      const blow = blows[kills.length];
      if (killsAfter[kills.length] === accepted && blow !== undefined) kills.push(blow());
    },
  });
  await Promise.all(kills);
  const missing = (): readonly string[] => reconcile(ledger, hop.mails).lost;
  await hop.waitUntil("every accepted message", () => hop.mails.length >= messages && missing().length === 0, 60_000);
  const { lost, duplicates } = reconcile(ledger, hop.mails);
  t.diagnostic(
    `${ledger.sent.size} sent, ${ledger.accepted.size} accepted, ${hop.mails.length} arrived, ${duplicates} duplicates`,
  );
  assert.equal(kills.length, 3);
  assert.equal(ledger.accepted.size, messages);
  assert.deepEqual(lost, []);
  assert.ok(duplicates <= deliveriesInFlight * kills.length, `${duplicates} duplicates`);
});
