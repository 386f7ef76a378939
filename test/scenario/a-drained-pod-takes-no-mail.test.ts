/** An order to drain: what is under way ends with its 250, nothing comes in after that, and an order taken back lets mail flow again. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { relayReport } from "../../api/relayreport.ts";
import { placePeer } from "../support/configuration.ts";
import { flood, reconcile } from "../support/flood.ts";
import { askPort, InternalAuthority, orderDrain, type PeerFiles } from "../support/peers.ts";
import { openSession, WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";
import { join } from "node:path";

interface DrainStage extends Stage {
  readonly authority: InternalAuthority;
  readonly operator: PeerFiles;
}

async function stageOf(
  t: TestContext,
  name: string,
  options: Partial<Parameters<typeof openStage>[1]> = {},
): Promise<DrainStage> {
  const authority = await InternalAuthority.make();
  const peer = await authority.relay();
  const stage = await openStage(t, { file: import.meta.url, name, ...options, plan: { peer, ...options.plan } });
  return Object.assign(stage, { authority, operator: await authority.operator() });
}

/** Inside DATA, with a part of the message sent. */
async function beginMessage(stage: Stage, subject: string): Promise<WireClient> {
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  for (const line of [`MAIL FROM:<${sender}>`, "RCPT TO:<someone@example.org>"]) await client.command(line);
  assert.equal((await client.command("DATA")).code, 354);
  client.write(`From: ${sender}\r\nSubject: ${subject}\r\n\r\nfirst line\r\n`);
  return client;
}

test("under a flood a message inside DATA is kept and counted before the pod says that it drains", async (t) => {
  const stage = await stageOf(t, "flood");
  const port = stage.relay.port("smtp");
  const begun = Promise.withResolvers<void>();
  const flooding = flood({
    port: () => port,
    messages: 1_500,
    connections: 30,
    onAccepted: (accepted) => {
      if (accepted === 400) begun.resolve();
    },
  });
  const busy = await beginMessage(stage, "in the middle");
  await begun.promise;
  assert.equal((await orderDrain(stage.relay, stage.operator, [])).status, 200);

  // The flood's own messages under way have their replies when only this one is left; no new client gets further than 421.
  const late = await WireClient.open(port);
  const greeting = await late.reply();
  assert.equal(greeting.code, 421);
  assert.match(greeting.text, /^4\.3\.2 /);
  const before = await stage.relay.status();
  assert.deepEqual([before.draining, before.drain], [false, { handedOver: 0 }]);
  busy.write("last line\r\n.\r\n");
  assert.equal((await busy.reply()).code, 250);
  assert.equal((await busy.reply()).code, 421);
  const drained = await until("draining", async () => {
    const status = await stage.relay.status();
    return status.draining ? status : undefined;
  });
  const ready = await fetch(`http://127.0.0.1:${stage.relay.port("http")}/readyz`);
  assert.equal(ready.status, 200);

  // What the relay says is the last word: nothing more is accepted, and everything accepted is delivered or counted.
  const empty = await until("an empty spool", async () => {
    const status = await stage.relay.status();
    return status.spool.queuedMessages === 0 ? status : undefined;
  });
  assert.equal(empty.draining, true);
  assert.equal(empty.acceptedMessages, drained.acceptedMessages);
  assert.equal(stage.hop.mails.length, drained.acceptedMessages);
  assert.ok(stage.hop.mails.some((mail) => subjectOf(mail.message) === "in the middle"));

  assert.equal((await orderDrain(stage.relay, stage.operator, undefined)).status, 200);
  const ledger = await flooding;
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedMessages === 0, 60_000);
  const after = await stage.relay.status();
  assert.deepEqual([after.draining, after.drain], [false, undefined]);
  const others = stage.hop.mails.filter((mail) => subjectOf(mail.message) !== "in the middle");
  const { lost, duplicates } = reconcile(ledger, others);
  assert.deepEqual([ledger.accepted.size, lost, duplicates], [1_500, [], 0]);
  const orders = stage.relay.program.logs("drain ordered");
  assert.deepEqual(
    orders.map(({ fields }) => [fields["change"], fields["peers"]]),
    [["new", []]],
  );
  assert.equal(stage.relay.program.logs("drain taken back").length, 1);
});

test("a pod that stops says that it drains only when the message inside DATA is in its spool", async (t) => {
  const stage = await stageOf(t, "stop", { script: { recipient: () => "451 4.3.0 not now" } });
  const busy = await beginMessage(stage, "at the end");
  const status = `http://127.0.0.1:${stage.relay.port("http")}/status`;
  const exit = stage.relay.program.kill("SIGTERM");
  await stage.relay.program.waitForLog("stopping");
  const before = relayReport.parse(await (await fetch(status)).json());
  assert.deepEqual([before.draining, before.spool.queuedMessages], [false, 0]);
  busy.write("last line\r\n.\r\n");
  assert.equal((await busy.reply()).code, 250);
  busy.destroy();
  // What was read after the end tells nothing; before it the two belong together.
  const proofs: boolean[] = [];
  const gone = exit.then(() => true);
  for (let isGone = false; !isGone; isGone = await Promise.race([gone, Promise.resolve(false)])) {
    const answer = await fetch(status).then(
      (response) => response.json(),
      () => undefined,
    );
    if (answer === undefined) break;
    const { draining, spool } = relayReport.parse(answer);
    proofs.push(draining && spool.queuedMessages === 0);
  }
  assert.equal(await exit, 0);
  assert.ok(!proofs.includes(true), `${proofs.length} reports`);
});

test("an order does not outlive the process, and a certificate that cannot be used leaves the last good one", async (t) => {
  const stage = await stageOf(t, "restart");
  assert.equal((await orderDrain(stage.relay, stage.operator, [])).status, 200);
  await stage.relay.program.kill("SIGKILL");
  await stage.restart();
  const { drain, draining } = await stage.relay.status();
  assert.deepEqual([drain, draining], [undefined, false]);
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  assert.equal((await client.send(sender, ["someone@example.org"], simpleMessage("after"))).code, 250);
  client.destroy();

  const configuration = join(stage.directory, "config");
  placePeer(configuration, await stage.authority.relay({ namespace: "mail", name: "inbound" }));
  const error = await until("the fault", async () => (await stage.relay.status()).configurationError);
  assert.match(
    error,
    /^peer: tls\.crt is for URI:mailboat:\/\/relay\/mail\/inbound: it must be for URI:mailboat:\/\/relay\/mail\/outbound/,
  );
  assert.equal((await orderDrain(stage.relay, stage.operator, undefined)).status, 200);
  const other = await InternalAuthority.make();
  placePeer(configuration, await other.relay());
  await until("the new certificate", async () => (await stage.relay.status()).configurationError === undefined);
  assert.equal((await orderDrain(stage.relay, await other.operator(), undefined)).status, 200);
  const old = { ...stage.operator, authorities: other.certificate };
  await assert.rejects(askPort(stage.relay.port("admin"), old, { method: "DELETE", path: "/drain" }));
  const refused = await stage.relay.program.waitForLog("administration handshake failed");
  assert.notEqual(refused.fields["error"], "socket hang up");
  t.diagnostic(String(refused.fields["error"]));
});
