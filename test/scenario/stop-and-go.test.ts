/** A relay that is asked to stop says so at once, keeps what it took, and its successor delivers it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { flood, reconcile } from "../support/flood.ts";
import { LocalMode, localLogin, localManifests } from "../support/local.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

test("an idle session hears 421, one inside DATA its 250, and the relay ends", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const listener = { name: "smtp", port: stage.relay.port("smtp") };
  const idle = await openSession(listener);
  const busy = await openSession(listener);
  for (const line of [`MAIL FROM:<${sender}>`, "RCPT TO:<someone@example.org>"]) await busy.command(line);
  assert.equal((await busy.command("DATA")).code, 354);
  busy.write(`From: ${sender}\r\nSubject: in the middle\r\n\r\nfirst line\r\n`);

  const exit = stage.relay.program.kill("SIGTERM");
  const goodbye = await idle.reply();
  assert.equal(goodbye.code, 421);
  assert.match(goodbye.text, /^4\.3\.2 /);
  busy.write("last line\r\n.\r\n");
  assert.equal((await busy.reply()).code, 250);
  assert.equal((await busy.reply()).code, 421);
  assert.equal(await exit, 0);

  await stage.restart();
  await stage.hop.waitUntil("the message", () =>
    stage.hop.mails.some((mail) => subjectOf(mail.message) === "in the middle"),
  );
});

test("nothing is lost when relays are stopped and started under load", async (t) => {
  const stage = await openStage(t, { file: import.meta.url, name: "load" });
  const port = stage.relay.port("smtp");
  const stops: Promise<void>[] = [];
  const stopAndStart = async (): Promise<void> => {
    assert.equal(await stage.relay.stop(), 0);
    await stage.restart();
  };
  const ledger = await flood({
    port: () => port,
    messages: 1_200,
    connections: 40,
    onAccepted: (accepted) => {
      if (accepted === 300 || accepted === 800) stops.push(stopAndStart());
    },
  });
  await Promise.all(stops);
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 60_000);
  const { lost, duplicates } = reconcile(ledger, stage.hop.mails);
  t.diagnostic(`${ledger.sent.size} sent, ${ledger.accepted.size} accepted, ${duplicates} duplicates`);
  assert.equal(ledger.accepted.size, 1_200);
  assert.deepEqual(lost, []);
  // An orderly stop lets deliveries end, so that nothing is repeated.
  assert.equal(duplicates, 0);
});

test("what the next hop could not take yet is delivered by the successor", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    name: "deferred",
    script: { recipient: () => "451 4.3.0 not now" },
    plan: { retry: { firstMs: 500, maxMs: 500, expireAfterMs: 600_000, notifyDelayAfterMs: 500_000 } },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage("patient"))).code, 250);
  client.destroy();
  await stage.relay.program.waitForLog("deferred");
  assert.equal(await stage.relay.stop(), 0);
  assert.equal(stage.hop.mails.length, 0);
  stage.hop.script = {};
  await stage.restart();
  await stage.hop.waitForMails(1);
  assert.equal(subjectOf(stage.hop.mails[0]?.message ?? Buffer.alloc(0)), "patient");
});

test("Ctrl-C stops local mode, and its next start goes on with the spool", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "local");
  const hop = await NextHop.start({ recipient: () => "451 4.3.0 not now" });
  t.after(() => hop.stop());
  const local = await LocalMode.start({ directory, manifests: localManifests(hop.address) });
  t.after(async () => {
    await local.program.kill("SIGINT");
  });
  const client = await openSession({ name: "submission", port: local.port("submission") }, localLogin);
  assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage("kept"))).code, 250);
  const relays = local.relayIds();
  const startedAt = performance.now();
  assert.equal(await local.program.kill("SIGINT"), 0);
  const stoppedMs = performance.now() - startedAt;
  t.diagnostic(`stopped after ${stoppedMs.toFixed(0)} ms`);
  assert.ok(stoppedMs < 5_000, `${stoppedMs} ms`);
  assert.equal(relays.length, 1);
  for (const id of relays) assert.throws(() => process.kill(id, 0), { code: "ESRCH" });
  hop.script = {};
  await local.startAgain();
  await hop.waitForMails(1);
  client.destroy();
});
