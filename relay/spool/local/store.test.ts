import assert from "node:assert/strict";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { inlineLimitBytes } from "./bodies.ts";
import { versionRead } from "./ledger/schema.ts";
import { spoolIdOf, type SpoolId } from "../message/id.ts";
import type { Entry, NewMessage } from "../message/message.ts";
import { ClaimLostError, OutcomeRefusedError, SpoolFullError, type Spool } from "../verbs.ts";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import { spoolChance } from "../../../test/support/relayvalues.ts";

function messageWith(addresses: readonly string[], body = Buffer.from("Hello\r\n")): NewMessage {
  return {
    message: {
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
      body: { kind: "inline", bytes: body },
      bodyHash: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    },
    recipients: addresses.map((address, index) => ({
      index,
      address,
      notify: ["FAILURE", "DELAY"],
      orcpt: "rfc822;x",
      attempts: 0,
    })),
    dueAt: start,
  };
}

const accepted = { code: 250, enhanced: "2.0.0", text: "ok" };

function only(entries: readonly Entry[]): Entry {
  const [entry] = entries;
  assert.equal(entries.length, 1);
  assert.ok(entry);
  return entry;
}

test("a committed message comes back whole after the process ended", async () => {
  const directory = await freshDirectory();
  const first = await openAt(directory);
  const message = messageWith(["a@example.net", "b@example.org"]);
  await first.commit(message);
  await first.close();
  const second = await openAt(directory);
  const entry = only(await second.claim({ now: start, limit: 10 }));
  assert.deepEqual(entry.message, message.message);
  assert.deepEqual(
    entry.recipients,
    message.recipients.map((recipient) => ({ ...recipient, attempts: 1 })),
  );
  await second.close();
});

test("claim() registers the attempt and never hands the same recipient out twice", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net"]));
  const entry = only(await spool.claim({ now: start, limit: 10 }));
  assert.deepEqual(await spool.claim({ now: start + 1e9, limit: 10 }), []);
  assert.equal(await spool.nextDueAt(), undefined);
  const reply = { code: 451, text: "later" };
  const attempt = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const outcome = { kind: "deferred", index: 0, reply, dueAt: start + 5_000, delayNotified: true, attempt } as const;
  await spool.settle({ id: entry.message.id, outcomes: [outcome] });
  assert.equal(await spool.nextDueAt(), start + 5_000);
  const again = only(await spool.claim({ now: start + 5_000, limit: 10 }));
  const [recipient] = again.recipients;
  assert.ok(recipient);
  assert.equal(recipient.attempts, 2);
  assert.deepEqual(recipient.lastReply, reply);
  assert.equal(recipient.delayNotified, true);
  assert.equal(recipient.lastAttempt, attempt);
  await spool.close();
});

test("a message leaves with its last recipient, and only then", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net", "b@example.org"]));
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  await spool.settle({ id: message.id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] });
  assert.deepEqual(await queued(spool), [1, 1]);
  await spool.settle({ id: message.id, outcomes: [{ kind: "failed", index: 1, reply: { code: 550, text: "no" } }] });
  assert.deepEqual(await queued(spool), [0, 0]);
  await spool.close();
});

test("notices are committed with the outcomes that caused them", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net", "b@example.net"]));
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  const notices = [messageWith(["app@example.com"]), messageWith(["app@example.com"])];
  const outcomes = [
    { kind: "failed", index: 0, reply: { code: 550, text: "no" } },
    { kind: "deferred", index: 1, reply: { code: 451, text: "later" }, dueAt: start + 5_000, delayNotified: true },
  ] as const;
  await spool.settle({ id: message.id, outcomes, notices });
  assert.deepEqual(await queued(spool), [3, 3]);
  const claimed = await spool.claim({ now: start, limit: 10 });
  assert.deepEqual(
    claimed.map((entry) => entry.message.id),
    notices.map((notice) => notice.message.id),
  );
  await spool.close();
});

test("notices that are claimed with their settlement are its answer, the others wait until they are claimed", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net"]));
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  const [first, second] = [messageWith(["app@example.com"]), messageWith(["app@example.com"])];
  const received = await spool.settle({
    id: message.id,
    outcomes: [{ kind: "failed", index: 0, reply: { code: 550, text: "no" } }],
    notices: [{ ...first, claim: true }, second],
  });
  assert.deepEqual(
    received.map((entry) => entry.message.id),
    [first.message.id],
  );
  assert.equal(only(await spool.claim({ now: start, limit: 10 })).message.id, second.message.id);
  await spool.close();
});

test("a settlement that is refused leaves no notice behind", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net"]));
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  const notice = messageWith(["app@example.com"]);
  const outcomes = [{ kind: "failed", index: 7, reply: { code: 550, text: "no" } }] as const;
  await assert.rejects(spool.settle({ id: message.id, outcomes, notices: [notice] }), /recipient 7 .* is not claimed/);
  assert.deepEqual(await queued(spool), [1, 1]);
  await spool.close();
});

test("commit() answers with the claimed entry of who asked for it, its first attempt registered", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const [claimed, left] = [{ ...messageWith(["a@example.net"]), claim: true }, messageWith(["b@example.net"])];
  const [entry, none] = await Promise.all([spool.commit(claimed), spool.commit(left)]);
  const [recipient] = claimed.recipients;
  assert.deepEqual(entry, { message: claimed.message, recipients: [{ ...recipient, attempts: 1 }] });
  assert.equal(none, undefined);
  assert.equal((await spool.claim({ now: start, limit: 10 })).length, 1);
  await spool.close();
  const reopened = await openAt(directory);
  assert.equal(
    (await reopened.claim({ now: start, limit: 10 })).length,
    2,
    "a first attempt that was cut off is due at once",
  );
  await reopened.close();
});

test("a later attempt that was cut off keeps its registered time", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  await spool.commit(messageWith(["a@example.net"]));
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  const outcome = { kind: "deferred", index: 0, reply: { code: 451, text: "later" }, dueAt: start } as const;
  await spool.settle({ id: message.id, outcomes: [outcome] });
  await spool.claim({ now: start, limit: 10 });
  await spool.close();
  const reopened = await openAt(directory);
  assert.equal(await reopened.nextDueAt(), start + 120_000);
  await reopened.close();
});

test("a large body becomes a file that goes with its message", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const id = spoolIdOf(start, spoolChance());
  const writer = spool.begin(id);
  const chunk = Buffer.alloc(100_000, "x");
  for (let written = 0; written <= inlineLimitBytes; written += chunk.length) await writer.write(chunk);
  const body = await writer.finish();
  assert.equal(body.kind, "file");
  const message = messageWith(["a@example.net"]);
  await spool.commit({ ...message, message: { ...message.message, id, body } });
  const entry = only(await spool.claim({ now: start, limit: 10 }));
  assert.deepEqual(entry.message.body, body);
  assert.equal(await lengthOf(spool, id), writer.sizeBytes);
  await spool.settle({ id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] });
  assert.deepEqual(await readdir(join(directory, "bodies")), []);
  await spool.close();
});

test("a settlement holds although the body cannot be removed", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const { message, recipients, dueAt } = messageWith(["a@example.net"]);
  const writer = spool.begin(message.id);
  await writer.write(Buffer.alloc(inlineLimitBytes + 1, "x"));
  await spool.commit({ message: { ...message, body: await writer.finish() }, recipients, dueAt });
  only(await spool.claim({ now: start, limit: 10 }));
  const path = join(directory, "bodies", message.id);
  await rm(path);
  await mkdir(path);
  await spool.settle({ id: message.id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] });
  assert.equal((await spool.depth(start)).queuedMessages, 0);
  await spool.close();
});

test("the body of a message that was never committed is discarded, now or at the next start", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const large = Buffer.alloc(inlineLimitBytes + 1);
  const aborted = spool.begin(spoolIdOf(start, spoolChance()));
  await aborted.write(large);
  await aborted.abort();
  assert.deepEqual(await readdir(join(directory, "bodies")), []);
  const abandoned = spool.begin(spoolIdOf(start, spoolChance()));
  await abandoned.write(large);
  await abandoned.finish();
  await spool.close();
  const reopened = await openAt(directory);
  assert.deepEqual(await readdir(join(directory, "bodies")), []);
  await reopened.close();
});

test("who receives a message that is here already leaves its body alone", async () => {
  const spool = await openAt(await freshDirectory());
  const { message, recipients, dueAt } = messageWith(["a@example.net"]);
  const large = Buffer.alloc(inlineLimitBytes + 1, "x");
  const first = spool.begin(message.id);
  await first.write(large);
  await spool.commit({ message: { ...message, body: await first.finish() }, recipients, dueAt });
  const second = spool.begin(message.id);
  await assert.rejects(second.write(large), /EEXIST/);
  await second.abort();
  assert.equal(await lengthOf(spool, message.id), large.length);
  await spool.close();
});

test("past the high watermark new mail is refused and what is there is kept", async () => {
  let capacityBytes = 1e9;
  const spool = await openAt(await freshDirectory(), { capacity: () => ({ capacityBytes, highWatermarkPercent: 50 }) });
  await spool.commit(messageWith(["a@example.net"]));
  capacityBytes = 1;
  await assert.rejects(spool.commit(messageWith(["b@example.net"])), SpoolFullError);
  assert.equal(only(await spool.claim({ now: start, limit: 10 })).recipients[0]?.address, "a@example.net");
  await spool.close();
});

test("writes that wait together share one transaction", async () => {
  const groups: number[] = [];
  const spool = await openAt(await freshDirectory(), { onCommit: (writes) => groups.push(writes) });
  await Promise.all(Array.from({ length: 200 }, () => spool.commit(messageWith(["a@example.net"]))));
  assert.equal(
    groups.reduce((sum, size) => sum + size, 0),
    200,
  );
  assert.ok(groups.length <= 3, `200 writes took ${groups.length} transactions`);
  await spool.close();
});

test("one operation that cannot be kept does not take its neighbours with it", async () => {
  const spool = await openAt(await freshDirectory());
  const message = messageWith(["a@example.net"]);
  await spool.commit(message);
  const results = await Promise.allSettled([
    spool.commit(messageWith(["b@example.net"])),
    spool.commit(message),
    spool.commit(messageWith(["c@example.net"])),
  ]);
  assert.deepEqual(
    results.map((result) => result.status),
    ["fulfilled", "rejected", "fulfilled"],
  );
  assert.deepEqual(await queued(spool), [3, 3]);
  await spool.close();
});

test("senders and destinations that are passed over do not stand in the way of others, however many they are", async () => {
  const spool = await openAt(await freshDirectory());
  const addressed = (domain: string, address: string): NewMessage => {
    const message = messageWith([address]);
    return { ...message, message: { ...message.message, domain } };
  };
  const crowd = Array.from({ length: 3_000 }, (_, index) => addressed("noisy.test", `a@${index % 700}.test`));
  const dead = Array.from({ length: 500 }, () => addressed("calm.test", "a@dead.test"));
  await Promise.all([...crowd, ...dead].map((message) => spool.commit(message)));
  await spool.commit(addressed("calm.test", "a@alive.test"));
  await spool.commit(addressed("zoo.test", "a@alive.test"));
  const passOver = { senders: ["noisy.test"], destinations: ["dead.test"] };
  const entries = await spool.claim({ now: start, limit: 100, passOver });
  assert.deepEqual(entries.map(({ message }) => message.domain).toSorted(), ["calm.test", "zoo.test"]);
  assert.deepEqual(await spool.claim({ now: start, limit: 100, passOver }), []);
  const rest = await spool.claim({ now: start, limit: 100, passOver: { ...passOver, destinations: [] } });
  assert.equal(rest.length, 100);
  await spool.close();
});

test("passing over a long flow takes a step, and not one for each of its messages", async () => {
  const directory = await freshDirectory();
  await (await openAt(directory)).close();
  const database = new DatabaseSync(join(directory, "spool.db"));
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)";
  database.exec("BEGIN");
  database.exec(`INSERT INTO message (seq, id, accepted_at, sender, domain, smtputf8, eight_bit, must_sign, body_hash, header_bytes, body_bytes, body_file, content)
    ${numbers} SELECT i, printf('%021d', i), ${start}, '', 'calm.test', 0, 0, 0, '', 0, 0, 0, x'' FROM n`);
  database.exec(`INSERT INTO recipient (seq, idx, due_at, attempts, address, sender_domain, destination)
    ${numbers} SELECT i, 0, ${start}, 0, 'a@dead.test', 'calm.test', 'dead.test' FROM n`);
  database.exec("COMMIT");
  database.close();
  const spool = await openAt(directory);
  const times: number[] = [];
  for (let count = 0; count < 21; count += 1) {
    const startedAt = performance.now();
    const passOver = { senders: [], destinations: ["dead.test"] };
    assert.deepEqual(await spool.claim({ now: start, limit: 100, passOver }), []);
    times.push(performance.now() - startedAt);
  }
  // Half a millisecond in a quiet hour; reading the flow takes a hundred.
  assert.ok((times.toSorted((a, b) => a - b)[10] ?? 0) < 25, `took ${times.map(Math.round).join(", ")} ms`);
  await spool.close();
});

test("recipients of a destination that is passed over stay, the others of the message do not wait for them", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@dead.test", "b@alive.test", "c@alive.test"]));
  const passOver = { senders: [], destinations: ["dead.test"] };
  const entry = only(await spool.claim({ now: start, limit: 10, passOver }));
  assert.deepEqual(
    entry.recipients.map(({ address }) => address),
    ["b@alive.test", "c@alive.test"],
  );
  const left = only(await spool.claim({ now: start, limit: 10 }));
  assert.deepEqual(
    left.recipients.map(({ address }) => address),
    ["a@dead.test"],
  );
  await spool.close();
});

test("flows take turns while others are passed over", async () => {
  const spool = await openAt(await freshDirectory());
  const addresses = Array.from({ length: 300 }, (_, index) => `a@${index < 250 ? "busy" : `d${index}`}.test`);
  await Promise.all(addresses.map((address) => spool.commit(messageWith([address]))));
  const passOver = { senders: ["nobody.test"], destinations: [] };
  const entries = await spool.claim({ now: start, limit: 60, passOver });
  const busy = entries.filter(({ recipients }) => recipients[0]?.address === "a@busy.test");
  assert.equal(entries.length, 60);
  assert.equal(busy.length, 10);
  await spool.close();
});

test("a message that is postponed is not due before its time, and the attempt does not count", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net"]));
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  await spool.settle({ id: message.id, outcomes: [], postponed: [{ index: 0, dueAt: start + 7_000 }] });
  assert.equal(await spool.nextDueAt(), start + 7_000);
  assert.equal((await spool.depth(start + 6_999)).oldestDueAt, undefined);
  const again = only(await spool.claim({ now: start + 7_000, limit: 10 }));
  assert.equal(again.recipients[0]?.attempts, 1);
  assert.equal(again.recipients[0].lastReply, undefined);
  await spool.close();
});

test("nextDueAt() asked for later times passes over what is due", async () => {
  const spool = await openAt(await freshDirectory());
  await spool.commit(messageWith(["a@example.net"]));
  await spool.commit({ ...messageWith(["b@example.net"]), dueAt: start + 9_000 });
  assert.equal(await spool.nextDueAt(), start);
  assert.equal(await spool.nextDueAt(start), start + 9_000);
  await spool.close();
});

test("a spool of the first version is taken over with all it holds", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const message = messageWith(["a@example.net", '"b@c"@dead.test']);
  await spool.commit(message);
  await spool.close();
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec("DROP INDEX recipient_lane; DROP INDEX recipient_age; DROP INDEX recipient_domain_age");
  database.exec("DROP TABLE offered; DROP TABLE received; DROP TABLE unreadable");
  for (const column of ["sender_domain", "destination", "accepted_at"])
    database.exec(`ALTER TABLE recipient DROP COLUMN ${column}`);
  database.exec("PRAGMA user_version = 1");
  database.close();
  const reopened = await openAt(directory);
  const passOver = { senders: [], destinations: ["dead.test"] };
  const entry = only(await reopened.claim({ now: start, limit: 10, passOver }));
  assert.deepEqual(entry.message, message.message);
  assert.equal(entry.recipients.length, 1);
  await reopened.close();
});

test("a spool of a newer version is refused, and its mail is whole when that version runs again", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const message = messageWith(["a@example.net"]);
  await spool.commit(message);
  await spool.close();
  const versionBecomes = (version: number): void => {
    const database = new DatabaseSync(join(directory, "spool.db"), { timeout: 10_000 });
    database.exec(`PRAGMA user_version = ${version}`);
    database.close();
  };
  versionBecomes(versionRead + 1);
  await assert.rejects(openAt(directory), /written by a newer version/);
  versionBecomes(versionRead);
  // The thread that refused may still be ending.
  const again = await openAt(directory, { ownerTimeoutMs: 10_000 });
  const entry = only(await again.claim({ now: start, limit: 10 }));
  assert.deepEqual(entry.message, message.message);
  await again.close();
});

test("a spool has one owner", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  await assert.rejects(openAt(directory), /another process owns the spool/);
  await spool.close();
  await (await openAt(directory)).close();
});

async function queued(spool: Spool): Promise<readonly [number, number]> {
  const depth = await spool.depth(start);
  return [depth.queuedMessages, depth.queuedRecipients];
}

async function lengthOf(spool: Spool, id: SpoolId): Promise<number> {
  let length = 0;
  for await (const chunk of spool.readBody(id)) length += chunk.length;
  return length;
}

test("the census follows every coming and going, a rollback and a restart", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const line = (census: Awaited<ReturnType<Spool["census"]>>): string =>
    [census.senders, census.destinations]
      .map(({ longest, others }) => `${longest.map((one) => `${one.domain} ${one.recipients}`).join(", ")} +${others}`)
      .join(" | ");
  await spool.commit(messageWith(["a@one.example", "b@one.example", "c@two.example"]));
  const second = messageWith(["d@three.example", "e@one.example"]);
  await spool.commit({ ...second, message: { ...second.message, domain: "other.example" } });
  assert.equal(
    line(await spool.census(start, 2)),
    "example.com 3, other.example 2 +0 | one.example 3, three.example 1 +1",
  );
  assert.equal((await spool.census(start, 2)).oldest.length, 2);
  const [entry] = await spool.claim({ now: start, limit: 1 });
  assert.ok(entry);
  await spool.settle({ id: entry.message.id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] });
  // An outcome that is refused is rolled back, with what it counted.
  const twice = { kind: "failed", index: 1, reply: accepted } as const;
  await assert.rejects(spool.settle({ id: entry.message.id, outcomes: [twice, twice, { ...twice, index: 9 }] }));
  const left = "example.com 2, other.example 2 +0 | one.example 2, three.example 1 +1";
  assert.equal(line(await spool.census(start, 2)), left);
  await spool.close();
  const again = await openAt(directory);
  assert.equal(line(await again.census(start, 2)), left);
  await again.close();
});

test("a claim takes as many recipients as were asked for, and the rest of the message by the next ones", async (t) => {
  const spool = await openAt(await freshDirectory());
  t.after(() => spool.close());
  const many = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}@example.net`);
  await spool.commit(messageWith(many(25)));
  await spool.commit(messageWith(many(10)));
  const taken: (readonly number[])[] = [];
  for (let round = 0; round < 5; round += 1) {
    const entries = await spool.claim({ now: start, limit: 10, recipients: 10 });
    taken.push(entries.map(({ recipients }) => recipients.length));
  }
  assert.deepEqual(taken, [[10], [10], [5, 5], [5], []]);
  const selective = { senders: ["nobody.example"], destinations: [] };
  await spool.commit(messageWith(many(25)));
  const [entry] = await spool.claim({ now: start, limit: 10, recipients: 10, passOver: selective });
  assert.equal(entry?.recipients.length, 10);
});

test("a claim ends with the message that exceeds the octets that were asked for", async (t) => {
  const spool = await openAt(await freshDirectory());
  t.after(() => spool.close());
  for (let count = 0; count < 4; count += 1) await spool.commit(messageWith(["a@example.net"], Buffer.alloc(1_000)));
  assert.equal((await spool.claim({ now: start, limit: 10, octets: 1_500 })).length, 2);
  assert.equal((await spool.claim({ now: start, limit: 10 })).length, 2);
});

test("what is small does not wait behind messages of a thousand recipients, and the spool closes after them", async () => {
  const groups: number[] = [];
  const spool = await openAt(await freshDirectory(), { onCommit: (writes) => groups.push(writes) });
  const many = Array.from({ length: 1_000 }, (_, index) => `r${index}@example.net`);
  const ended: string[] = [];
  const kept = Array.from({ length: 20 }, async () => {
    await spool.commit(messageWith(many));
    ended.push("large");
  });
  const small = spool.commit(messageWith(["a@example.net"])).then(() => ended.push("small"));
  const asked = spool.depth(start).then(() => ended.push("depth"));
  const closed = spool.close();
  await Promise.all([...kept, small, asked, closed]);
  assert.ok(ended.indexOf("small") <= 3 && ended.indexOf("depth") <= 3, ended.join(" "));
  assert.ok(Math.max(...groups) <= 3, `${groups.join(", ")} writes a transaction`);
});

test("a claim that delivery does not name in two rounds comes back at its registered time, one that it names stays", async (t) => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  t.after(() => spool.close());
  await spool.commit(messageWith(["a@example.net"]));
  const forgotten = only(await spool.claim({ now: start, limit: 10 })).message.id;
  await spool.commit(messageWith(["b@example.net"]));
  const named = only(await spool.claim({ now: start, limit: 10 })).message.id;
  assert.deepEqual(await spool.renew(1, [named]), { messages: 0, dueAt: undefined });
  assert.deepEqual(await spool.renew(2, [named]), { messages: 1, dueAt: start + 60_000 });
  assert.deepEqual(await spool.renew(3, [named]), { messages: 0, dueAt: undefined });
  const late = { id: forgotten, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] } as const;
  await assert.rejects(spool.settle(late), ClaimLostError);
  assert.deepEqual(await spool.claim({ now: start, limit: 10 }), []);
  const again = only(await spool.claim({ now: start + 1e9, limit: 10 }));
  assert.equal(again.message.id, forgotten);
  assert.equal(again.recipients[0]?.attempts, 2);
});

test("a message that went straight to delivery and was forgotten there is found by who passes others over", async (t) => {
  const spool = await openAt(await freshDirectory());
  t.after(() => spool.close());
  await spool.commit({ ...messageWith(["a@example.net"]), claim: true });
  for (const round of [1, 2]) await spool.renew(round, []);
  const passOver = { senders: ["nobody.example"], destinations: [] };
  assert.equal((await spool.claim({ now: start + 60_000, limit: 10, passOver })).length, 1);
});

test("a settlement that is wrong in itself is told from one that cannot be kept now", async (t) => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  t.after(() => spool.close());
  const first = messageWith(["a@example.net"]);
  await spool.commit(first);
  const { message } = only(await spool.claim({ now: start, limit: 10 }));
  const outcomes = [{ kind: "failed", index: 0, reply: { code: 550, text: "no" } }] as const;
  // Its notice has the name of a message that is there.
  await assert.rejects(spool.settle({ id: message.id, outcomes, notices: [first] }), OutcomeRefusedError);
  const intruder = new DatabaseSync(join(directory, "spool.db"));
  t.after(() => intruder.close());
  intruder.exec("BEGIN IMMEDIATE");
  const locked = await spool.settle({ id: message.id, outcomes }).catch((error: unknown) => error);
  assert.ok(locked instanceof Error && !(locked instanceof OutcomeRefusedError), String(locked));
  intruder.exec("ROLLBACK");
  await spool.settle({ id: message.id, outcomes });
  assert.deepEqual(await queued(spool), [0, 0]);
});

test("what is offered to another pod is no lease of delivery's", async (t) => {
  const spool = await openAt(await freshDirectory());
  t.after(() => spool.close());
  await spool.commit(messageWith(["a@example.net"]));
  const peer = { name: "outbound-1", host: "10.0.0.2", port: 9465 };
  assert.equal((await spool.handoff.offer({ now: start, limit: 1, peer, offer: "o1", except: [] })).length, 1);
  for (const round of [1, 2, 3]) assert.equal((await spool.renew(round, [])).messages, 0);
  assert.deepEqual(await spool.claim({ now: start + 1e9, limit: 10 }), []);
});
