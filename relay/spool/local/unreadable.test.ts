/** Rows that cannot be read: set aside, counted, told, exportable, and in nobody's way. */
import assert from "node:assert/strict";
import { readdir, writeFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import { inlineLimitBytes } from "./bodies.ts";
import type { NewMessage } from "../message/message.ts";
import type { SpoolId } from "../message/id.ts";
import { openReader } from "./reading/reader.ts";
import type { Store } from "./store.ts";

const peer = { name: "outbound-0", host: "outbound-0.peers.mail.svc", port: 9465 };
const accepted = { code: 250, enhanced: "2.0.0", text: "ok" };

function message(...addresses: readonly string[]): NewMessage {
  return {
    ...newMessage(
      { acceptedAt: start },
      addresses.map((address) => ({ address })),
    ),
    dueAt: start,
  };
}

/** A closed spool with one message to spoil, of two recipients, and one that is whole. */
async function prepare(): Promise<{ directory: string; spoiled: NewMessage; whole: NewMessage }> {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const [spoiled, whole] = [message("one@a.example", "two@b.example"), message("three@c.example")];
  await spool.commit(spoiled);
  await spool.commit(whole);
  await spool.close();
  return { directory, spoiled, whole };
}

function damage(directory: string, sql: string): void {
  const database = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
  database.exec(sql);
  database.close();
}

async function open(t: TestContext, directory: string): Promise<Store> {
  const spool = await openAt(directory);
  t.after(() => spool.close());
  return spool;
}

async function claimedAddresses(spool: Store): Promise<readonly string[]> {
  const entries = await spool.claim({ now: start, limit: 10 });
  return entries.flatMap(({ recipients }) => recipients.map(({ address }) => address)).toSorted();
}

const everybody = ["one@a.example", "three@c.example", "two@b.example"];
const others = ["three@c.example", "two@b.example"];
const third = ["three@c.example"];

const rows = [
  {
    name: "an unknown NOTIFY",
    sql: "UPDATE recipient SET notify = 'NEVER,LATER' WHERE seq = 1 AND idx = 0",
    left: others,
  },
  {
    name: "a reply that is no JSON",
    sql: "UPDATE recipient SET last_reply = '{one@' WHERE seq = 1 AND idx = 0",
    left: others,
  },
  { name: "an address of octets", sql: "UPDATE recipient SET address = x'00' WHERE seq = 1 AND idx = 0", left: others },
  { name: "attempts in words", sql: "UPDATE recipient SET attempts = 'many' WHERE seq = 1 AND idx = 0", left: others },
  { name: "an index in words", sql: "UPDATE recipient SET idx = 'first' WHERE seq = 1 AND idx = 0", left: others },
  { name: "a message without sender", sql: "UPDATE message SET sender = x'00' WHERE seq = 1", left: third },
  {
    name: "a message with half of its content",
    sql: "UPDATE message SET content = substr(content, 1, 9) WHERE seq = 1",
    left: third,
  },
  { name: "a message without a time", sql: "UPDATE message SET accepted_at = 'noon' WHERE seq = 1", left: third },
  { name: "an id that is a path", sql: "UPDATE message SET id = '../../spool.db' WHERE seq = 1", left: third },
  { name: "recipients without a message", sql: "DELETE FROM message WHERE seq = 1", left: third },
] as const;

for (const { name, sql, left } of rows) {
  test(`${name}: all others are sent, it is counted, and the next start tries it again`, async (t) => {
    const { directory } = await prepare();
    damage(directory, sql);
    const first = await open(t, directory);
    assert.deepEqual(await claimedAddresses(first), left);
    assert.deepEqual(await first.claim({ now: start + 1e9, limit: 10 }), []);
    assert.equal(await first.nextDueAt(), undefined);
    const set = everybody.length - left.length;
    const depth = await first.depth(start + 1e9);
    assert.deepEqual([depth.queuedRecipients, depth.unreadableRecipients, depth.oldestDueAt], [3, set, undefined]);
    const waiting = (await first.census(start, 10)).senders.longest.reduce(
      (sum, { recipients }) => sum + recipients,
      0,
    );
    assert.equal(waiting, left.length);
    await first.close();
    const second = await open(t, directory);
    assert.equal((await second.depth(start)).unreadableRecipients, set);
    assert.deepEqual(await claimedAddresses(second), left);
  });
}

test("flows pass over what cannot be read", async (t) => {
  const { directory } = await prepare();
  damage(directory, "UPDATE recipient SET notify = 'LATER' WHERE seq = 1 AND idx = 0");
  const spool = await open(t, directory);
  const passOver = { senders: [], destinations: ["c.example"] };
  const [entry, ...more] = await spool.claim({ now: start, limit: 10, passOver });
  assert.deepEqual([entry?.recipients.map(({ address }) => address), more], [["two@b.example"], []]);
});

test("a due time that is none is set aside at the start, and the next start has it sent", async (t) => {
  const { directory } = await prepare();
  damage(directory, "UPDATE recipient SET due_at = 'soon' WHERE seq = 1 AND idx = 0");
  const first = await open(t, directory);
  assert.deepEqual(await claimedAddresses(first), everybody);
});

test("what a later version can read again is sent then", async (t) => {
  const { directory } = await prepare();
  damage(directory, "UPDATE recipient SET notify = 'LATER' WHERE seq = 1 AND idx = 0");
  const first = await open(t, directory);
  assert.deepEqual(await claimedAddresses(first), others);
  await first.close();
  damage(directory, "UPDATE recipient SET notify = NULL WHERE seq = 1 AND idx = 0");
  const second = await open(t, directory);
  assert.equal((await second.depth(start)).unreadableRecipients, 0);
  assert.deepEqual(await claimedAddresses(second), everybody);
});

test("a message stays as long as a recipient of it is set aside, its body as well", async (t) => {
  const directory = await freshDirectory();
  const first = await open(t, directory);
  const { message: head, recipients, dueAt } = message("one@a.example", "two@b.example");
  const writer = first.begin(head.id);
  await writer.write(Buffer.alloc(inlineLimitBytes + 1));
  await first.commit({ message: { ...head, body: await writer.finish() }, recipients, dueAt });
  await first.close();
  damage(directory, "UPDATE recipient SET notify = 'LATER' WHERE idx = 0");
  const spool = await open(t, directory);
  assert.deepEqual(await claimedAddresses(spool), ["two@b.example"]);
  await spool.settle({ id: head.id, outcomes: [{ kind: "delivered", index: 1, reply: accepted }] });
  const depth = await spool.depth(start);
  assert.deepEqual([depth.queuedMessages, depth.queuedRecipients, depth.unreadableRecipients], [1, 1, 1]);
  assert.deepEqual(await readdir(join(directory, "bodies")), [head.id]);
  await spool.close();
  damage(directory, "UPDATE message SET body_file = 'yes'");
  await (await open(t, directory)).close();
  assert.deepEqual(await readdir(join(directory, "bodies")), [head.id]);
});

test("no body is thrown away while an id cannot be read: it may be its body", async (t) => {
  const { directory, spoiled } = await prepare();
  damage(directory, "UPDATE message SET id = x'00', body_file = 1 WHERE seq = 1");
  await mkdir(join(directory, "bodies"), { recursive: true });
  await writeFile(join(directory, "bodies", spoiled.message.id), "x");
  const spool = await open(t, directory);
  assert.deepEqual(await claimedAddresses(spool), third);
  assert.deepEqual(await readdir(join(directory, "quarantine")), [spoiled.message.id]);
});

test("what cannot be read is not offered to another pod, and all others are", async (t) => {
  for (const { sql } of rows) {
    const { directory, whole } = await prepare();
    damage(directory, sql);
    const spool = await open(t, directory);
    const offered = await spool.handoff.offer({ now: start, limit: 10, peer, offer: "first", except: [] });
    assert.deepEqual(
      offered.map(({ message: { id } }) => id),
      [whole.message.id],
      sql,
    );
    assert.notEqual((await spool.depth(start)).unreadableRecipients, 0);
    assert.deepEqual(await spool.handoff.offer({ now: start, limit: 10, peer, offer: "second", except: [] }), []);
    await spool.close();
  }
});

async function offerSpoiled(): Promise<{ directory: string; id: SpoolId }> {
  const { directory, spoiled } = await prepare();
  const spool = await openAt(directory);
  await spool.handoff.offer({ now: start, limit: 1, peer, offer: "first", except: [] });
  await spool.close();
  return { directory, id: spoiled.message.id };
}

test("an offered message that cannot be read any more keeps no spool from opening, and its offer ends either way", async (t) => {
  for (const sql of [
    "UPDATE recipient SET address = x'00' WHERE seq = 1",
    "UPDATE message SET sender = x'00' WHERE seq = 1",
    "UPDATE recipient SET notify = 'LATER' WHERE seq = 1",
  ]) {
    const { directory, id } = await offerSpoiled();
    damage(directory, sql);
    const first = await open(t, directory);
    assert.deepEqual(await first.handoff.openOffers(), [{ id, offer: "first", peer }], sql);
    assert.equal(await first.handoff.offered(id), "unreadable");
    assert.deepEqual(await claimedAddresses(first), third);
    await first.handoff.takeBack(id);
    assert.deepEqual(await claimedAddresses(first), []);
    assert.equal((await first.depth(start)).unreadableRecipients, 2);
    await first.close();

    const given = await offerSpoiled();
    damage(given.directory, sql);
    const second = await open(t, given.directory);
    await second.handoff.remove(given.id);
    assert.deepEqual((await second.depth(start)).queuedMessages, 1);
    await second.close();
  }
});

test("an offer that cannot be read is none any more: its message is set aside", async (t) => {
  const { directory } = await offerSpoiled();
  damage(directory, "UPDATE offered SET peer = x'00'");
  const spool = await open(t, directory);
  assert.deepEqual(await spool.handoff.openOffers(), []);
  assert.equal((await spool.depth(start)).unreadableRecipients, 2);
  assert.deepEqual(await claimedAddresses(spool), third);
});

test("who looks into the spool sees all others, and what is wrong with this one", async (t) => {
  for (const { name, sql } of rows) {
    const { directory, whole } = await prepare();
    damage(directory, sql);
    const before = openReader(directory);
    assert.ok(
      (await before.oldest(10)).some(({ id }) => id === whole.message.id),
      name,
    );
    await before.totals(start, { messages: 10, domains: 10 });
    await before.close();
    const spool = await open(t, directory);
    await claimedAddresses(spool);
    const reader = openReader(directory);
    t.after(() => reader.close());
    assert.ok((await reader.oldest(10)).some(({ id }) => id === whole.message.id));
    const [first] = await reader.unreadable(10);
    assert.equal(first?.row, 1, name);
    assert.doesNotMatch(first.reason, /@/);
    const exported = JSON.stringify(await reader.exported(1));
    assert.match(exported, /"recipients":\[\{"seq":1,/);
    await spool.close();
  }
});
