/**
 * A relay whose spool cannot be written for a while: it sends no more than it has under way and says so, and a kill -9 in this
 * state repeats no more than that.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { flood, reconcile } from "../support/flood.ts";
import { openStage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const messages = 900;
/** Deliveries that a relay has under way at most. */
const deliveriesInFlight = 64;
/** Looks in a row, 25 ms apart at least; a delivery takes some six replies of 40 ms. */
const stillLooks = 30;

test("what is sent while nothing can be written is no more than was under way, also over a kill -9", async (t) => {
  const stage = await openStage(t, { file: import.meta.url, script: { delayMs: () => 40 } });
  const port = stage.relay.port("smtp");
  // Somebody's shell holds the lock that every write needs.
  const intruder = new DatabaseSync(join(stage.directory, "spool", "spool.db"), { timeout: 10_000 });
  t.after(() => intruder.close());
  let isLocked = false;
  const flooded = flood({
    port: () => port,
    messages,
    connections: 40,
    onAccepted: (accepted) => {
      if (accepted !== 500) return;
      intruder.exec("BEGIN IMMEDIATE");
      isLocked = true;
    },
  });
  await until("the lock", () => isLocked, 60_000);
  /** Whoever is counted as queued and has arrived is sent and unwritten. */
  const report = async () => {
    const { delivery, spool } = await stage.relay.status();
    const written = Number(
      /^mailboat_submission_accepted_messages_total\S* (\d+)/m.exec(await stage.relay.metrics())?.[1],
    );
    return { delivery, unwritten: stage.hop.mails.length - (written - spool.queuedMessages) };
  };
  // A delivery that still dials or signs shows nowhere: what all have ended with stays as it is for longer than one takes.
  let [alike, arrived] = [0, 0];
  const paused = await until("a pause in which everything under way has ended", async () => {
    const now = await report();
    const isStill = now.delivery?.paused === true && now.delivery.unwrittenOutcomes === now.unwritten;
    alike = isStill && stage.hop.mails.length === arrived ? alike + 1 : 0;
    arrived = stage.hop.mails.length;
    return alike === stillLooks ? now : undefined;
  });
  assert.match(await stage.relay.metrics(), /^mailboat_delivery_unwritten_outcomes\{cause="spool"\} [1-9]/m);
  const sent = stage.hop.mails.length;
  await stage.relay.program.waitForLog("could not write an outcome; deliveries pause until it is written");
  assert.equal(stage.hop.mails.length, sent, "nothing more is sent");
  assert.equal(await stage.relay.program.kill("SIGKILL"), "SIGKILL");
  intruder.exec("ROLLBACK");
  stage.hop.script = {};
  await stage.restart();
  const ledger = await flooded;
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 60_000);
  const { lost, duplicates } = reconcile(ledger, stage.hop.mails);
  t.diagnostic(`${paused.unwritten} were sent and unwritten at the kill, ${duplicates} arrived twice`);
  assert.deepEqual(lost, []);
  assert.ok(paused.unwritten > 0 && paused.unwritten <= deliveriesInFlight, `${paused.unwritten} sent and unwritten`);
  assert.equal(duplicates, paused.unwritten);
});

test("a relay that could not write goes on by itself, and sends nothing twice", async (t) => {
  const stage = await openStage(t, { file: import.meta.url, name: "goes-on", script: { delayMs: () => 20 } });
  const intruder = new DatabaseSync(join(stage.directory, "spool", "spool.db"), { timeout: 10_000 });
  t.after(() => intruder.close());
  const flooded = flood({
    port: () => stage.relay.port("smtp"),
    messages: 300,
    connections: 20,
    onAccepted: (accepted) => {
      if (accepted === 150) intruder.exec("BEGIN IMMEDIATE");
    },
  });
  await until("a pause", async () => (await stage.relay.status()).delivery?.paused === true, 60_000);
  intruder.exec("ROLLBACK");
  const ledger = await flooded;
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 60_000);
  assert.equal((await stage.relay.status()).delivery?.paused, false);
  const { lost, duplicates } = reconcile(ledger, stage.hop.mails);
  assert.deepEqual([lost, duplicates], [[], 0]);
});
