import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { inlineLimitBytes } from "./bodies.ts";
import { spoolIdOf } from "../message/id.ts";
import type { Message } from "../message/message.ts";
import type { ScheduledRecipient, WholeMessage } from "../message/message.ts";
import { SpoolFullError } from "../verbs.ts";
import type { Store } from "./store.ts";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import { spoolChance } from "../../../test/support/relayvalues.ts";

const peer = { name: "outbound-0", host: "outbound-0.peers.mail.svc", port: 9465 };
const reply = { code: 451, enhanced: "4.2.0", text: "later" };
const delivered = { code: 250, enhanced: "2.0.0", text: "ok" };

function messageOf(changes: Partial<Message> = {}): Message {
  return {
    id: spoolIdOf(start, spoolChance()),
    acceptedAt: start,
    sender: "app@example.com",
    smtpUtf8: false,
    eightBit: true,
    ret: "HDRS",
    envid: "QQ314159",
    domain: "example.com",
    mustSign: true,
    header: Buffer.from("From: app@example.com\r\n"),
    body: { kind: "inline", bytes: Buffer.from("Hello\r\n") },
    bodyHash: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ...changes,
  };
}

/** One that was tried twice, whose sender knows of the delay, and one that was not. */
const recipients: readonly ScheduledRecipient[] = [
  {
    index: 1,
    address: "busy@example.net",
    notify: ["FAILURE", "DELAY"],
    orcpt: "rfc822;busy@example.net",
    attempts: 2,
    lastReply: reply,
    delayNotified: true,
    lastAttempt: "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
    dueAt: start + 3_600_000,
  },
  { index: 2, address: "new@example.org", attempts: 0, dueAt: start },
];

async function commit(spool: Store, message: Message, dueAt = start): Promise<void> {
  await spool.commit({ message, recipients: [{ index: 0, address: "a@example.net", attempts: 0 }], dueAt });
}

async function offerOne(spool: Store, offer = "first"): Promise<WholeMessage> {
  const [whole, ...others] = await spool.handoff.offer({ now: start, limit: 1, peer, offer, except: [] });
  assert.ok(whole);
  assert.deepEqual(others, []);
  return whole;
}

async function counted(spool: Store): Promise<readonly number[]> {
  const { queuedMessages, queuedRecipients } = await spool.depth(start);
  return [queuedMessages, queuedRecipients];
}

async function bytesOf(spool: Store, message: Message): Promise<number> {
  let length = 0;
  for await (const chunk of spool.readBody(message.id)) length += chunk.length;
  return length;
}

test("what is offered is nobody's delivery, also after a restart, until it is taken back as it was", async () => {
  const directory = await freshDirectory();
  const first = await openAt(directory);
  const message = messageOf();
  await first.handoff.receive({ message, recipients, offer: "came", now: start });
  assert.deepEqual(await offerOne(first), { message, recipients });
  assert.deepEqual(await first.claim({ now: start + 1e9, limit: 10 }), []);
  await first.close();

  const second = await openAt(directory);
  const { id } = message;
  assert.deepEqual(await second.handoff.openOffers(), [{ id, offer: "first", peer }]);
  assert.deepEqual(await second.handoff.offered(id), { message, recipients });
  assert.deepEqual(await second.claim({ now: start + 1e9, limit: 10 }), []);
  assert.equal(await second.nextDueAt(), undefined);
  assert.equal(await second.handoff.takeBack(id), start);
  assert.deepEqual(await second.handoff.openOffers(), []);
  assert.deepEqual(await offerOne(second, "again"), { message, recipients });
  await second.handoff.takeBack(id);
  await assert.rejects(second.handoff.takeBack(id), /is not offered/);
  const [entry] = await second.claim({ now: start, limit: 10 });
  assert.deepEqual(entry?.recipients, [{ index: 2, address: "new@example.org", attempts: 1 }]);
  await second.close();
});

test("what was offered before a restart stays held when the first transaction after it is rolled back", async () => {
  const directory = await freshDirectory();
  const first = await openAt(directory);
  const message = messageOf();
  await commit(first, message);
  await offerOne(first);
  await first.close();

  const second = await openAt(directory);
  await assert.rejects(second.handoff.takeBack(messageOf().id), /is not offered/);
  assert.deepEqual(await second.claim({ now: start + 1e9, limit: 10 }), []);
  await second.handoff.takeBack(message.id);
  const [entry] = await second.claim({ now: start, limit: 10 });
  assert.equal(entry?.message.id, message.id);
  await second.settle({ id: message.id, outcomes: [{ kind: "delivered", index: 0, reply: delivered }] });
  assert.deepEqual(await counted(second), [0, 0]);
  await second.close();
});

test("what was handed over leaves nothing behind, its body file neither", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const large = messageOf();
  const writer = spool.begin(large.id);
  await writer.write(Buffer.alloc(inlineLimitBytes + 1, "x"));
  await commit(spool, { ...large, body: await writer.finish() });
  await commit(spool, messageOf(), start + 1);
  const { message } = await offerOne(spool);
  assert.equal(message.id, large.id);
  assert.equal(await bytesOf(spool, large), inlineLimitBytes + 1);
  await spool.handoff.remove(large.id);
  assert.equal(existsSync(join(directory, "bodies", large.id)), false);
  assert.deepEqual(await counted(spool), [1, 1]);
  assert.deepEqual((await spool.census(start, 5)).destinations.longest, [{ domain: "example.net", recipients: 1 }]);
  await assert.rejects(spool.handoff.remove(large.id), /is not offered/);
  await spool.close();
  const again = await openAt(directory);
  assert.deepEqual(await counted(again), [1, 1]);
  await again.close();
});

test("a message that came by an offer is whole, comes once, and its offer is known after it has left", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const message = messageOf();
  const { id } = message;
  const received = { message, recipients, offer: "first", now: start };
  assert.equal(await spool.handoff.knows({ id, offer: "first" }), false);
  assert.equal(await spool.handoff.receive(received), "taken");
  assert.equal(await spool.handoff.receive(received), "known");
  assert.equal(await spool.handoff.receive({ ...received, offer: "second" }), "known");
  assert.deepEqual(await counted(spool), [1, 2]);
  assert.deepEqual(await offerOne(spool, "on"), { message, recipients });
  await spool.handoff.remove(id);
  await spool.close();

  const again = await openAt(directory);
  assert.deepEqual(await counted(again), [0, 0]);
  assert.equal(await again.handoff.receive(received), "known");
  // It may come back by another way later: that is a new offer.
  assert.equal(await again.handoff.knows({ id, offer: "second" }), false);
  assert.equal(await again.handoff.receive({ ...received, offer: "second", now: start + 1_000 }), "taken");
  assert.equal(await again.handoff.forgetReceived(start + 1_000), 1);
  assert.equal(await again.handoff.forgetReceived(start + 1_000), 0);
  await again.close();
});

test("what delivery holds and what should stay is not offered; the others go as they are due", async () => {
  const spool = await openAt(await freshDirectory());
  const [held, late, early, kept] = [messageOf(), messageOf(), messageOf(), messageOf()];
  await commit(spool, held, start - 1);
  assert.equal((await spool.claim({ now: start, limit: 10 })).length, 1);
  for (const [message, dueAt] of [
    [late, start + 2_000],
    [early, start + 1_000],
    [kept, start],
  ] as const) {
    await commit(spool, message, dueAt);
  }
  const offered = await spool.handoff.offer({ now: start, limit: 10, peer, offer: "one", except: [kept.id] });
  assert.deepEqual(
    offered.map(({ message }) => message.id),
    [early.id, late.id],
  );
  await spool.close();
});

test("a postponement without a time puts a recipient back where it stood", async () => {
  const spool = await openAt(await freshDirectory());
  const message = messageOf();
  await spool.handoff.receive({ message, recipients, offer: "came", now: start });
  const now = start + 3_600_000;
  assert.equal((await spool.claim({ now, limit: 10 }))[0]?.recipients.length, 2);
  await spool.settle({ id: message.id, outcomes: [], postponed: [{ index: 1 }, { index: 2 }] });
  assert.deepEqual(await offerOne(spool), { message, recipients });
  await spool.close();
});

test("a first attempt that is not made after all is due as at acceptance", async () => {
  const spool = await openAt(await freshDirectory());
  const message = messageOf();
  const first = { index: 0, address: "a@example.net", attempts: 0 };
  await spool.commit({ message, recipients: [first], dueAt: start, claim: true });
  await spool.settle({ id: message.id, outcomes: [], postponed: [{ index: 0 }] });
  const whole = await offerOne(spool);
  assert.deepEqual(whole.recipients, [{ index: 0, address: "a@example.net", attempts: 0, dueAt: start }]);
  await spool.close();
});

test("a full spool refuses what peers bring, and still gives away", async () => {
  let capacityBytes = 1e9;
  const spool = await openAt(await freshDirectory(), {
    capacity: () => ({ capacityBytes, highWatermarkPercent: 85 }),
  });
  await commit(spool, messageOf());
  capacityBytes = 1;
  const received = { message: messageOf(), recipients, offer: "first", now: start };
  await assert.rejects(spool.handoff.receive(received), SpoolFullError);
  await spool.handoff.remove((await offerOne(spool)).message.id);
  assert.deepEqual(await counted(spool), [0, 0]);
  await spool.close();
});

test("what is refused in a transaction of many undoes nothing else", async () => {
  const spool = await openAt(await freshDirectory());
  const [one, other] = [messageOf(), messageOf()];
  await commit(spool, one);
  await commit(spool, other);
  // The first operation leaves at once; those that follow share the next transaction, which fails as a whole and then in part.
  const results = await Promise.allSettled([
    spool.nextDueAt(),
    spool.handoff.offer({ now: start, limit: 1, peer, offer: "first", except: [other.id] }),
    spool.handoff.remove(other.id),
    spool.handoff.remove(one.id),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(await counted(spool), [1, 1]);
  assert.equal((await spool.claim({ now: start, limit: 10 }))[0]?.message.id, other.id);
  await spool.settle({ id: other.id, outcomes: [{ kind: "delivered", index: 0, reply: delivered }] });
  assert.deepEqual(await counted(spool), [0, 0]);
  await spool.close();
});

test("a spool of the second version is taken over with all it holds", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const message = messageOf();
  await spool.handoff.receive({ message, recipients, offer: "came", now: start });
  await spool.close();
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec("DROP TABLE offered; DROP TABLE received; DROP TABLE unreadable; PRAGMA user_version = 2");
  database.close();
  const reopened = await openAt(directory);
  assert.deepEqual(await offerOne(reopened), { message, recipients });
  await reopened.close();
});
