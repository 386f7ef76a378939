/** A spool goes from release to release and back, with its mail: an upgrade that is taken back strands nothing. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { ReleaseBefore } from "../../../test/support/releasebefore.ts";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import type { NewMessage } from "../message/message.ts";
import { openReader } from "./reading/reader.ts";
import type { Store } from "./store.ts";

const peer = { name: "outbound-1", host: "10.0.0.2", port: 9465 };
const accepted = { code: 250, enhanced: "2.0.0", text: "ok" };
const later = { code: 451, enhanced: "4.2.0", text: "later" };

/** With a value in every field that a client can fill. */
function messageTo(...addresses: readonly string[]): NewMessage {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const facts = {
    acceptedAt: start,
    smtpUtf8: true,
    eightBit: true,
    ret: "HDRS",
    envid: "e+2B1",
    traceparent,
  } as const;
  const recipients = addresses.map((address) => ({
    address,
    notify: ["FAILURE", "DELAY"] as const,
    orcpt: `rfc822;${address}`,
  }));
  return { ...newMessage(facts, recipients), dueAt: start };
}

async function openOurs(t: TestContext, directory: string): Promise<Store> {
  const spool = await openAt(directory, { ownerTimeoutMs: 10_000 });
  t.after(() => spool.close());
  return spool;
}

async function claimedAddresses(spool: Store): Promise<readonly string[]> {
  const entries = await spool.claim({ now: start, limit: 10 });
  return entries.flatMap(({ recipients }) => recipients.map(({ address }) => address)).toSorted();
}

test("a spool of the release before is taken over with all it holds", async (t) => {
  const directory = await freshDirectory();
  const before = new ReleaseBefore(directory, start);
  const message = messageTo("a@example.net", "b@example.org");
  before.commit(message);
  before.defer(start + 5_000, start);
  before.close();
  const spool = await openOurs(t, directory);
  assert.deepEqual(await spool.claim({ now: start, limit: 10 }), []);
  const [entry] = await spool.claim({ now: start + 5_000, limit: 10 });
  assert.deepEqual(entry?.message, message.message);
  const tried = { attempts: 2, lastReply: later, delayNotified: true };
  assert.deepEqual(
    entry.recipients,
    message.recipients.map((recipient) => ({ ...recipient, ...tried })),
  );
});

test("what the release before kept in order is not kept so a second time", async (t) => {
  const directory = await freshDirectory();
  const before = new ReleaseBefore(directory, start);
  before.commit(messageTo("a@example.net"));
  before.close();
  await openOurs(t, directory);
  const database = new DatabaseSync(join(directory, "spool.db"), { readOnly: true });
  t.after(() => database.close());
  const rows = database.prepare("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL").all();
  const orders = rows.map(({ sql }) => String(sql).replace(/^CREATE INDEX \w+ ON /, ""));
  assert.deepEqual(orders.toSorted(), [...new Set(orders)].toSorted());
});

test("the release before delivers what is in our spool, adds to it, and we go on with what it left", async (t) => {
  const directory = await freshDirectory();
  const ours = await openOurs(t, directory);
  await ours.commit(messageTo("one@example.net"));
  await ours.commit({ ...messageTo("two@example.net"), claim: true });
  await ours.commit({ ...messageTo("three@example.net"), dueAt: start + 60_000 });
  await ours.close();

  const before = new ReleaseBefore(directory, start);
  assert.deepEqual(before.deliver(start).toSorted(), ["one@example.net", "two@example.net"]);
  const added = messageTo("four@example.net");
  before.commit(added);
  before.close();

  const again = await openOurs(t, directory);
  assert.deepEqual(
    await again.depth(start).then((depth) => [depth.queuedMessages, depth.unreadableRecipients]),
    [2, 0],
  );
  const [entry] = await again.claim({ now: start, limit: 10 });
  assert.deepEqual(entry?.message, added.message);
  await again.settle({ id: added.message.id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] });
  const [waiting] = await again.claim({ now: start + 60_000, limit: 10 });
  assert.deepEqual(
    waiting?.recipients.map(({ address }) => address),
    ["three@example.net"],
  );
});

test("what is set aside stops the release before no more than us, and is set aside still after it", async (t) => {
  const directory = await freshDirectory();
  const ours = await openOurs(t, directory);
  await ours.commit({ ...messageTo("one@example.net"), claim: true });
  await ours.commit(messageTo("two@example.net"));
  await ours.close();
  const database = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
  database.exec("UPDATE recipient SET notify = 'LATER' WHERE seq = 1");
  database.close();
  const aside = await openOurs(t, directory);
  assert.deepEqual(await claimedAddresses(aside), ["two@example.net"]);
  await aside.close();

  const before = new ReleaseBefore(directory, start);
  assert.deepEqual(before.deliver(start), ["two@example.net"]);
  before.close();

  const again = await openOurs(t, directory);
  assert.deepEqual(await claimedAddresses(again), []);
  assert.equal((await again.depth(start)).unreadableRecipients, 1);
  const reader = openReader(directory);
  t.after(() => reader.close());
  assert.equal((await reader.unreadable(10))[0]?.reason, "column notify holds what this version does not know");
  await again.close();
  const mended = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
  mended.exec("UPDATE recipient SET notify = NULL WHERE seq = 1");
  mended.close();
  const last = await openOurs(t, directory);
  const [entry] = await last.claim({ now: start, limit: 10 });
  assert.deepEqual(
    entry?.recipients.map(({ address, lastReply }) => [address, lastReply]),
    [["one@example.net", undefined]],
  );
});

test("what a later release adds is passed over and left as it is", async (t) => {
  const directory = await freshDirectory();
  await (await openAt(directory)).close();
  const after = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
  after.exec(`
    ALTER TABLE message ADD COLUMN checked TEXT;
    ALTER TABLE recipient ADD COLUMN alias TEXT;
    CREATE TABLE outbox (seq INTEGER PRIMARY KEY, event TEXT NOT NULL);
    CREATE INDEX message_checked ON message (checked);
    INSERT INTO outbox (event) VALUES ('accepted')`);
  after.close();
  const spool = await openOurs(t, directory);
  const message = messageTo("one@example.net");
  await spool.commit(message);
  await spool.close();
  const laterAgain = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
  laterAgain.exec("UPDATE message SET checked = 'by the later release'; UPDATE recipient SET alias = 'info'");
  laterAgain.close();
  const again = await openOurs(t, directory);
  const [whole] = await again.handoff.offer({ now: start, limit: 1, peer, offer: "one", except: [] });
  assert.deepEqual(whole?.message, message.message);
  await again.handoff.takeBack(message.message.id);
  const [entry] = await again.claim({ now: start, limit: 10 });
  assert.deepEqual(entry?.message, message.message);
  await again.settle({
    id: message.message.id,
    outcomes: [{ kind: "deferred", index: 0, reply: later, dueAt: start + 1 }],
  });
  await again.close();
  const left = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
  t.after(() => left.close());
  const kept = left.prepare("SELECT checked, alias, event FROM message JOIN recipient USING (seq), outbox").get();
  assert.deepEqual({ ...kept }, { checked: "by the later release", alias: "info", event: "accepted" });
});

test("who looks into a spool that only the release before has opened sees its mail", async (t) => {
  const directory = await freshDirectory();
  const before = new ReleaseBefore(directory, start);
  t.after(() => before.close());
  before.commit(messageTo("one@example.net"));
  const reader = openReader(directory);
  t.after(() => reader.close());
  const [message] = await reader.oldest(10);
  assert.deepEqual(
    message?.recipients.map(({ domain, attempts }) => [domain, attempts]),
    [["example.net", 0]],
  );
  assert.deepEqual(await reader.unreadable(10), []);
});
