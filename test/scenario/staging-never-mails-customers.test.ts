/** delivery.mode: what is captured leaves by no way at no time, and a person can read it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { z } from "zod";
import type { RelayDocument } from "../../api/relayconfig.ts";
import { flood } from "../support/flood.ts";
import { besideRelay, inspectWith, type Inspected } from "../support/inspection.ts";
import { verifyWithDkimpy } from "../support/python.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

type Delivery = Partial<RelayDocument["delivery"]>;

const capture: Delivery = { mode: "Capture" };
const later = "451 4.3.0 not now";

/** Resolves when the relay runs with it. */
async function change(stage: Stage, revision: string, delivery: Delivery): Promise<void> {
  stage.relay.reconfigure({ ...stage.plan, revision, delivery });
  await until(`revision ${revision}`, async () => (await stage.relay.status()).revision === revision);
}

async function untilNothingWaits(stage: Stage): Promise<void> {
  await until("an empty queue", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 60_000);
}

async function look(stage: Stage, ...args: readonly string[]): Promise<Inspected> {
  const seen = await inspectWith(besideRelay(stage.relay), args);
  assert.equal(seen.status, 0, seen.err);
  return seen;
}

const listing = z.object({
  captured: z.array(
    z.object({
      row: z.int(),
      spoolId: z.string(),
      from: z.string(),
      to: z.array(z.string()),
      subject: z.string(),
      sizeBytes: z.int(),
    }),
  ),
});

/** The newest first. */
async function capturedIn(stage: Stage): Promise<z.infer<typeof listing>["captured"]> {
  return listing.parse(JSON.parse((await look(stage, "spool", "--captured", "--json", "--limit", "10000")).out))
    .captured;
}

interface Gate {
  readonly count: () => void;
  readonly passed: Promise<void>;
}

/** Passed when so much was counted. */
function gate(wanted: number): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  let counted = 0;
  const count = (): void => {
    counted += 1;
    if (counted === wanted) resolve();
  };
  return { count, passed: promise };
}

async function submit(
  client: WireClient,
  to: readonly string[],
  ...words: [subject: string, body?: string]
): Promise<void> {
  const [subject, body] = words;
  const reply = await client.send(sender, to, simpleMessage(subject, sender, body));
  assert.equal(reply.code, 250, reply.text);
}

async function sessionOf(t: TestContext, stage: Stage): Promise<WireClient> {
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  t.after(() => client.destroy());
  return client;
}

test("mode Capture: accepted and signed as usual, read by a person, seen by no next hop", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    plan: { delivery: capture, capacityBytes: 48 * 2 ** 20 },
  });
  const { hop } = stage;

  await t.test("it is signed, told of, listed and saved as it would have left", async () => {
    const client = await sessionOf(t, stage);
    await submit(client, ["anna@customer.example", "bob@customer.example"], "your receipt");
    await untilNothingWaits(stage);
    const [mail, ...others] = await capturedIn(stage);
    assert.ok(mail);
    assert.equal(others.length, 0);
    assert.deepEqual(
      [mail.from, mail.to, mail.subject],
      [sender, ["anna@customer.example", "bob@customer.example"], "your receipt"],
    );
    const { out } = await look(stage, "spool", "--eml", String(mail.row));
    assert.equal(Buffer.byteLength(out), mail.sizeBytes);
    const path = join(stage.directory, "captured.eml");
    writeFileSync(path, out);
    assert.deepEqual(await verifyWithDkimpy(stage.records, [path]), [{ rsa: "pass", ed: "pass" }]);
    const table = (await look(stage, "spool", "--captured")).out;
    assert.match(table, /^1 captured message, the newest first/);
    assert.match(table, /app@example\.com +anna@customer\.example, bob@customer\.example +[\d,]+ +your receipt$/m);
    assert.match(
      (await look(stage, "trace", mail.spoolId)).out,
      /captured +2 recipients at customer\.example, attempt 1: 250 2\.0\.0 captured, not sent/,
    );
    const metrics = await stage.relay.metrics();
    assert.match(metrics, /^mailboat_spool_captured_messages 1$/m);
    assert.match(metrics, /^mailboat_delivery_attempts_total\{outcome="captured",code="250"\} 2$/m);
    assert.doesNotMatch(metrics, /outcome="(?:delivered|deferred|failed)"/);
  });

  await t.test("more than the spool can hold of it is taken, and the oldest makes way", async () => {
    const client = await sessionOf(t, stage);
    const body = `${"x".repeat(70)}\r\n`.repeat(14_000);
    for (let count = 0; count < 60; count += 1) await submit(client, ["anna@customer.example"], `large ${count}`, body);
    await untilNothingWaits(stage);
    const kept = await capturedIn(stage);
    // 7.5 % of 48 MiB, and each has about one; those that come together may pass each other.
    assert.equal(kept.length, 3);
    for (const { subject } of kept) assert.match(subject, /^large 5\d$/);
    const { spool } = await stage.relay.status();
    assert.equal(spool.full, false);
    const whole = await look(stage, "spool", "--eml", String(kept[0]?.row));
    assert.ok(whole.out.endsWith(body), "a large body is whole");
    client.destroy();
  });

  await t.test("a kill -9 brings nothing back into the queue", async () => {
    const before = await capturedIn(stage);
    assert.equal(await stage.relay.program.kill("SIGKILL"), "SIGKILL");
    await stage.restart();
    await untilNothingWaits(stage);
    assert.deepEqual(await capturedIn(stage), before);
  });

  await t.test("mode AllowList splits a message by its recipients, and a bounce obeys it, too", async () => {
    assert.equal(hop.connections, 0, "nothing has left so far");
    hop.script = { recipient: (address) => (address.startsWith("gone") ? "550 5.1.1 no such user" : undefined) };
    await change(stage, "2", { mode: "AllowList", allowRecipients: ["qa@example.com", "*@test.example"] });
    const client = await sessionOf(t, stage);
    await submit(client, ["anna@customer.example", "QA@example.com", "gone@test.example", "any@test.example"], "mixed");
    await untilNothingWaits(stage);
    client.destroy();
    const asked = new Set(hop.recipientCommands.map(({ address }) => address));
    assert.deepEqual(asked, new Set(["QA@example.com", "gone@test.example", "any@test.example"]));
    const [notice, mixed] = await capturedIn(stage);
    assert.deepEqual([mixed?.subject, mixed?.to], ["mixed", ["anna@customer.example"]]);
    assert.deepEqual([notice?.from, notice?.to], ["", [sender]]);
    // Whoever wants to see bounces puts their reader on the list.
    await change(stage, "3", { mode: "AllowList", allowRecipients: [sender, "*@test.example"] });
    const again = await sessionOf(t, stage);
    await submit(again, ["gone@test.example"], "bounces");
    await until("the notice", () => hop.mails.some(({ sender: from }) => from === ""));
    again.destroy();
  });
});

test("a mode that changes while mail waits and comes holds for all of it", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    name: "changes",
    script: { recipient: () => later },
    plan: { retry: { firstMs: 300, maxMs: 300, expireAfterMs: 3_600_000, notifyDelayAfterMs: 3_000_000 } },
  });
  const { hop } = stage;
  const port = (): number => stage.relay.port("smtp");

  await t.test("of what was queued under Send nothing leaves once Capture is loaded", async () => {
    await flood({ port, messages: 200, connections: 10 });
    assert.equal((await stage.relay.status()).spool.queuedMessages, 200);
    await change(stage, "2", capture);
    hop.script = {};
    await untilNothingWaits(stage);
    assert.equal(hop.mails.length, 0);
    assert.equal((await capturedIn(stage)).length, 200);
  });

  await t.test("what is captured stays captured when the mode is Send again", async () => {
    await change(stage, "3", {});
    await flood({ port, messages: 1, connections: 1, recipientOf: () => "send@example.org" });
    await untilNothingWaits(stage);
    assert.deepEqual(
      hop.mails.map(({ recipients }) => recipients),
      [["send@example.org"]],
    );
  });

  await t.test("to and fro under load every message is sent or captured, and none both", async () => {
    const before = hop.mails.length;
    const [some, more, enough] = [gate(200), gate(200), gate(200)];
    let counting: Gate | undefined = some;
    const changes = async (): Promise<void> => {
      await some.passed;
      await change(stage, "4", capture);
      counting = more;
      await more.passed;
      await change(stage, "5", {});
      counting = enough;
      await enough.passed;
      counting = undefined;
    };
    const changed = changes();
    const ledger = await flood({
      port,
      messages: 100_000,
      connections: 10,
      recipientOf: (number) => `load${number}@example.org`,
      onAccepted: () => counting?.count(),
      isOver: () => counting === undefined,
    });
    await changed;
    await untilNothingWaits(stage);
    const arrived = new Set(hop.mails.slice(before).map(({ message }) => subjectOf(message)));
    const captured = new Set(
      (await capturedIn(stage)).filter(({ to }) => to[0]?.startsWith("load")).map(({ subject }) => subject),
    );
    t.diagnostic(`${ledger.accepted.size} accepted, ${arrived.size} arrived, ${captured.size} captured`);
    assert.equal(arrived.size + captured.size, ledger.accepted.size);
    assert.deepEqual(
      [...arrived].filter((subject) => captured.has(subject)),
      [],
    );
    assert.ok(arrived.size > 0 && captured.size > 0);
    assert.equal(hop.mails.length - before, arrived.size, "nothing twice");
  });
});
