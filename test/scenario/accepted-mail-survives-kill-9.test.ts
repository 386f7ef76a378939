/** 3,000 messages over 40 connections while the program is killed three times: what was answered 250 arrives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { flood, reconcile } from "../support/flood.ts";
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
