/** How old what waits is, and what was late: each message once, whatever becomes of it and of the process. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import type { NewMessage } from "../message/message.ts";
import type { OlderThan } from "../queue.ts";
import type { Store } from "./store.ts";

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const peer = { name: "outbound-1", host: "10.0.0.2", port: 9465 };
const taken = { code: 250, enhanced: "2.0.0", text: "ok" };
const later = { code: 451, enhanced: "4.2.0", text: "later" };

interface Wish {
  readonly acceptedAt?: number;
  readonly domain?: string;
  readonly to?: readonly string[];
}

function messageOf({ acceptedAt = start, domain = "example.com", to = ["a@example.net"] }: Wish = {}): NewMessage {
  const entry = newMessage(
    { acceptedAt, domain },
    to.map((address) => ({ address })),
  );
  return { ...entry, dueAt: acceptedAt };
}

/** A spool whose clock the test moves. */
async function openTimed(directory: string): Promise<{ spool: Store; goTo: (time: number) => void }> {
  let time = start;
  const spool = await openAt(directory, { clock: { now: () => time }, ownerTimeoutMs: 10_000 });
  return { spool, goTo: (to) => (time = to) };
}

async function reopened(spool: Store, directory: string, now: number): Promise<Store> {
  await spool.close();
  return openAt(directory, { clock: { now: () => now }, ownerTimeoutMs: 10_000 });
}

/** In time, late. */
async function judged(spool: Store, now: number): Promise<readonly number[]> {
  const { inTime, late } = (await spool.waiting(now, 10)).objective;
  return [inTime, late];
}

/** For an hour. */
async function defer(spool: Store, { message }: NewMessage, index = 0): Promise<void> {
  const dueAt = start + hour;
  await spool.settle({ id: message.id, outcomes: [{ kind: "deferred", index, reply: later, dueAt }] });
}

async function deliver(spool: Store, { message }: NewMessage, index = 0): Promise<void> {
  await spool.settle({ id: message.id, outcomes: [{ kind: "delivered", index, reply: taken }] });
}

function older(olderThan: OlderThan): readonly number[] {
  return [olderThan["5m"], olderThan["1h"], olderThan["1d"]];
}

test("a message is in time when it is through within five minutes, and late from then on, once", async () => {
  const { spool, goTo } = await openTimed(await freshDirectory());
  const [quick, slow, refused, two] = [
    messageOf(),
    messageOf(),
    messageOf(),
    messageOf({ to: ["a@example.net", "b@example.org"] }),
  ];
  for (const each of [quick, slow, refused, two]) await spool.commit({ ...each, claim: true });
  assert.deepEqual(await judged(spool, start), [0, 0]);
  goTo(start + 5 * minute - 1);
  await deliver(spool, quick);
  await spool.settle({
    id: refused.message.id,
    outcomes: [{ kind: "failed", index: 0, reply: { code: 550, text: "no" } }],
  });
  await deliver(spool, two);
  assert.deepEqual(await judged(spool, start + 5 * minute - 1), [2, 0]);
  assert.deepEqual(await judged(spool, start + 5 * minute), [2, 2]);
  assert.deepEqual(await judged(spool, start + 6 * minute), [2, 2]);
  goTo(start + 7 * minute);
  await defer(spool, slow);
  await deliver(spool, two, 1);
  assert.deepEqual(await judged(spool, start + 9 * minute), [2, 2]);
  assert.equal((await spool.claim({ now: start + hour, limit: 1 })).length, 1);
  await deliver(spool, slow);
  assert.deepEqual(await judged(spool, start + 10 * minute), [2, 2]);
});

test("a message that goes after five minutes is late though nobody has looked", async () => {
  const { spool, goTo } = await openTimed(await freshDirectory());
  const slow = messageOf();
  await spool.commit({ ...slow, claim: true });
  goTo(start + 5 * minute);
  await deliver(spool, slow);
  assert.deepEqual(await judged(spool, start + 5 * minute), [0, 1]);
});

test("a restart at minute four counts at minute five, and none is counted by two processes", async () => {
  const directory = await freshDirectory();
  const { spool } = await openTimed(directory);
  await spool.commit({ ...messageOf(), claim: true });
  await spool.commit({ ...messageOf({ acceptedAt: start + minute }) });
  const next = await reopened(spool, directory, start + 4 * minute);
  assert.deepEqual(await judged(next, start + 4 * minute), [0, 0]);
  assert.deepEqual(await judged(next, start + 5 * minute), [0, 1]);
  // Each process counts from nothing.
  const third = await reopened(next, directory, start + 5 * minute + 1);
  assert.deepEqual(await judged(third, start + 5 * minute + 2), [0, 0]);
  assert.deepEqual(await judged(third, start + 6 * minute), [0, 1]);
  const fourth = await reopened(third, directory, start + hour);
  assert.deepEqual(await judged(fourth, start + hour), [0, 0]);
});

test("what became late while no process was there is counted by the next", async () => {
  const directory = await freshDirectory();
  const { spool } = await openTimed(directory);
  await spool.commit({ ...messageOf(), claim: true });
  const again = await reopened(spool, directory, start + 3 * hour);
  assert.deepEqual(await judged(again, start + 3 * hour), [0, 1]);
});

test("a spool of the release before begins with what becomes late from now on", async () => {
  const directory = await freshDirectory();
  const { spool } = await openTimed(directory);
  await spool.commit(messageOf({ acceptedAt: start - hour }));
  await spool.commit(messageOf({ acceptedAt: start - 4 * minute }));
  await spool.close();
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec(`DELETE FROM spool WHERE key = 'judged_until';
    DROP INDEX recipient_age; DROP INDEX recipient_domain_age; ALTER TABLE recipient DROP COLUMN accepted_at`);
  database.close();
  const again = await openAt(directory, { ownerTimeoutMs: 10_000 });
  assert.deepEqual(await judged(again, start), [0, 0]);
  const { olderThan, oldestAcceptedAt } = await again.waiting(start + minute, 10);
  assert.deepEqual([older(olderThan), oldestAcceptedAt], [[2, 1, 0], start - hour]);
  assert.deepEqual(await judged(again, start + minute), [0, 1]);
});

test("ages follow every coming and going, by relay and by sender domain", async () => {
  const directory = await freshDirectory();
  const { spool, goTo } = await openTimed(directory);
  const day = 24 * hour;
  const [ancient, old, young] = [
    messageOf({ acceptedAt: start - day, domain: "a.example" }),
    messageOf({ acceptedAt: start - hour, domain: "a.example", to: ["a@example.net", "b@example.org"] }),
    messageOf({ acceptedAt: start - 5 * minute, domain: "b.example" }),
  ];
  const fresh = messageOf({ acceptedAt: start - 4 * minute, domain: "c.example" });
  for (const each of [ancient, old, young]) await spool.commit(each);
  await spool.commit({ ...fresh, claim: true });
  const told = async (store: Store, now: number): Promise<unknown> => {
    const { olderThan, oldestAcceptedAt, domains, others } = await store.waiting(now, 10);
    const lines = domains.map((line) => [line.domain, ...older(line.olderThan), line.oldestAcceptedAt]);
    return [older(olderThan), oldestAcceptedAt, ...lines, older(others)];
  };
  const first = [
    [3, 2, 1],
    start - day,
    ["a.example", 2, 2, 1, start - day],
    ["b.example", 1, 0, 0, start - 5 * minute],
    [0, 0, 0],
  ];
  assert.deepEqual(await told(spool, start), first);
  const one = await spool.waiting(start, 1);
  assert.deepEqual([one.domains.map(({ domain }) => domain), older(one.others)], [["a.example"], [1, 0, 0]]);
  assert.deepEqual(await told(spool, start + minute), [
    [4, 2, 1],
    start - day,
    ["a.example", 2, 2, 1, start - day],
    ["b.example", 1, 0, 0, start - 5 * minute],
    ["c.example", 1, 0, 0, start - 4 * minute],
    [0, 0, 0],
  ]);
  goTo(start + minute);
  assert.equal((await spool.claim({ now: start, limit: 2 })).length, 2);
  await deliver(spool, ancient);
  await deliver(spool, old);
  await defer(spool, old, 1);
  await defer(spool, fresh);
  const last = [
    [3, 1, 0],
    start - hour,
    ["a.example", 1, 1, 0, start - hour],
    ["b.example", 1, 0, 0, start - 5 * minute],
    ["c.example", 1, 0, 0, start - 4 * minute],
    [0, 0, 0],
  ];
  assert.deepEqual(await told(spool, start + minute), last);
  const again = await reopened(spool, directory, start + minute);
  assert.deepEqual(await told(again, start + minute), last);
});

test("what is taken back with its transaction is counted as it was", async () => {
  const { spool, goTo } = await openTimed(await freshDirectory());
  const [late, quick] = [messageOf({ acceptedAt: start - hour }), messageOf()];
  await spool.commit({ ...late, claim: true });
  await spool.commit({ ...quick, claim: true });
  const before = await spool.waiting(start, 10);
  goTo(start + minute);
  // The first leaves at once; those that follow share a transaction, which fails as a whole and then in part.
  const results = await Promise.allSettled([
    spool.nextDueAt(),
    deliver(spool, late),
    spool.commit({ ...messageOf({ acceptedAt: start - 2 * hour }), message: late.message }),
    deliver(spool, quick),
    deliver(spool, quick),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["fulfilled", "fulfilled", "fulfilled", "fulfilled", "rejected"],
  );
  assert.deepEqual(older(before.olderThan), [1, 1, 0]);
  const { objective, olderThan } = await spool.waiting(start + minute, 10);
  assert.deepEqual([objective, older(olderThan)], [{ inTime: 1, late: 2 }, [1, 1, 0]]);
});

test("a message on its way from pod to pod is judged by one of them", async () => {
  const acceptances = [start - 5 * minute, start - 5 * minute + second, start - minute];
  const [giving, taking] = [await openTimed(await freshDirectory()), await openTimed(await freshDirectory())];
  for (const acceptedAt of acceptances) await giving.spool.commit(messageOf({ acceptedAt }));
  const offered = await giving.spool.handoff.offer({ now: start, limit: 10, peer, offer: "one", except: [] });
  assert.equal(offered.length, 3);
  // The second one crosses its five minutes on the way, while both have it.
  const now = start + 2 * second;
  for (const whole of offered) await taking.spool.handoff.receive({ ...whole, offer: "one", now, offeredAt: start });
  assert.deepEqual(await judged(giving.spool, now), [0, 1]);
  assert.deepEqual(await judged(taking.spool, now), [0, 1]);
  for (const { message } of offered) await giving.spool.handoff.remove(message.id);
  assert.deepEqual(await judged(giving.spool, start + hour), [0, 1]);
  assert.deepEqual(await judged(taking.spool, start + hour), [0, 2]);
  const { olderThan } = await giving.spool.waiting(start + hour, 10);
  assert.deepEqual(older(olderThan), [0, 0, 0]);
});

test("who has taken a late message does not judge it after a restart either, and neither does who offers it", async () => {
  const [from, to] = [await freshDirectory(), await freshDirectory()];
  const [giving, taking] = [await openTimed(from), await openTimed(to)];
  await giving.spool.commit(messageOf({ acceptedAt: start - hour }));
  await giving.spool.commit(messageOf({ acceptedAt: start - minute }));
  const offered = await giving.spool.handoff.offer({ now: start, limit: 10, peer, offer: "one", except: [] });
  const [late, young] = offered;
  assert.ok(late !== undefined && young !== undefined);
  await taking.spool.handoff.receive({ ...late, offer: "one", now: start, offeredAt: start });
  const taker = await reopened(taking.spool, to, start + second);
  assert.deepEqual(await judged(taker, start + hour), [0, 0]);
  // The offer of the other one has no end yet, and none is known to the next process.
  const giver = await reopened(giving.spool, from, start + hour);
  assert.deepEqual(await judged(giver, start + hour), [0, 0]);
  await giver.handoff.takeBack(young.message.id);
  assert.deepEqual(await judged(giver, start + hour), [0, 1]);
  await giver.handoff.takeBack(late.message.id);
  assert.deepEqual(await judged(giver, start + hour), [0, 1]);
});

test("a message from a pod that does not say when it offered it was judged there when it is late", async () => {
  const { spool } = await openTimed(await freshDirectory());
  for (const acceptedAt of [start - 5 * minute, start - 4 * minute]) {
    const { message, recipients } = messageOf({ acceptedAt });
    const scheduled = recipients.map((recipient) => ({ ...recipient, dueAt: start }));
    await spool.handoff.receive({ message, recipients: scheduled, offer: "one", now: start });
  }
  assert.deepEqual(await judged(spool, start), [0, 0]);
  assert.deepEqual(await judged(spool, start + minute), [0, 1]);
});

test("what is set aside is late once and waits no more; the rest of its message does", async () => {
  const directory = await freshDirectory();
  const { spool } = await openTimed(directory);
  const [one, both] = [messageOf(), messageOf({ to: ["a@example.net", "b@example.org"] })];
  await spool.commit(one);
  await spool.commit(both);
  await spool.close();
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec("UPDATE recipient SET notify = 'LATER' WHERE idx = 0");
  database.close();
  const damaged = await openAt(directory, { clock: { now: () => start + minute }, ownerTimeoutMs: 10_000 });
  const claimed = await damaged.claim({ now: start + minute, limit: 10 });
  assert.deepEqual(
    claimed.map(({ recipients }) => recipients.map(({ index }) => index)),
    [[1]],
  );
  assert.deepEqual(await judged(damaged, start + minute), [0, 1]);
  assert.equal((await damaged.waiting(start + minute, 10)).oldestAcceptedAt, start);
  await deliver(damaged, both, 1);
  assert.deepEqual(await judged(damaged, start + minute), [0, 2]);
  const { oldestAcceptedAt, olderThan, objective } = await damaged.waiting(start + hour, 10);
  assert.deepEqual([oldestAcceptedAt, older(olderThan), objective.late], [undefined, [0, 0, 0], 2]);
});

test("a clock that was set back begins anew, and a small step is waited out", async () => {
  const { spool } = await openTimed(await freshDirectory());
  await spool.commit(messageOf({ acceptedAt: start - hour }));
  assert.deepEqual(await judged(spool, start), [0, 1]);
  assert.deepEqual(await judged(spool, start - 30 * second), [0, 1]);
  const { olderThan, objective } = await spool.waiting(start - 57 * minute, 10);
  assert.deepEqual([older(olderThan), objective.late], [[0, 0, 0], 1]);
});

test("to ask what waits takes no more of a processor with many that wait than a commit may", async () => {
  const { spool } = await openTimed(await freshDirectory());
  const messages = Array.from({ length: 20_000 }, (_, index) =>
    messageOf({ acceptedAt: start - (index % 7_000) * second, domain: `d${index % 2_000}.example` }),
  );
  await Promise.all(messages.map(async (message) => spool.commit(message)));
  await spool.waiting(start, 100);
  // The cheapest of some: another thread may write what was committed above in the middle of one.
  const costsMs: number[] = [];
  for (let look = 1; look <= 5; look += 1) {
    const before = process.cpuUsage();
    const { domains, olderThan } = await spool.waiting(start + look * 15 * second, 100);
    const { user, system } = process.cpuUsage(before);
    costsMs.push((user + system) / 1_000);
    assert.ok(domains.length === 100 && olderThan["5m"] > 15_000);
  }
  assert.ok(Math.min(...costsMs) < 50, costsMs.join(", "));
});
