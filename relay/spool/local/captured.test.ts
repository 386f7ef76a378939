/** Captured mail in a real spool: kept for a while, sent by nobody, in nobody's way. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import { newMessage } from "../../../test/support/relayvalues.ts";
import type { Message, Recipient } from "../message/message.ts";
import type { SpoolId } from "../message/id.ts";
import { contentColumns, insertInto, messageColumns, messageRow } from "../message/row.ts";
import { ClaimLostError, type Outcome, type Spool } from "../verbs.ts";
import { inlineLimitBytes } from "./bodies.ts";
import { roomForCaptured } from "./captureroom.ts";
import { captureBounds, Captured } from "./ledger/captured.ts";
import { migrate } from "./ledger/schema.ts";
import { openReader } from "./reading/reader.ts";
import type { Store } from "./store.ts";

const signatures = "DKIM-Signature: v=1; d=example.com\r\n";
const reply = { code: 250, enhanced: "2.0.0", text: "captured" };

function captured(index: number): Outcome {
  return { kind: "captured", index, reply, signatures, copiedBytes: 0 };
}

function to(...addresses: readonly string[]): readonly Partial<Recipient>[] {
  return addresses.map((address) => ({ address }));
}

/** Accepted and claimed. */
async function put(spool: Spool, recipients: readonly Partial<Recipient>[], body?: Buffer): Promise<Message> {
  const made = newMessage({ acceptedAt: start }, recipients);
  const writer = spool.begin(made.message.id);
  await writer.write(body ?? Buffer.from("body\r\n"));
  const message = { ...made.message, body: await writer.finish() };
  await spool.commit({ ...made, message, claim: true });
  return message;
}

async function listed(directory: string): Promise<readonly (readonly [SpoolId | string, readonly string[]])[]> {
  const reader = openReader(directory);
  try {
    return (await reader.captured(100)).map(({ id, to: addresses }) => [id, addresses] as const);
  } finally {
    await reader.close();
  }
}

async function octetsOf(directory: string, row: number): Promise<string | undefined> {
  const reader = openReader(directory);
  try {
    return (await reader.capturedMessage(row))?.octets.toString("latin1");
  } finally {
    await reader.close();
  }
}

test("captured mail is read as it would have left, also after a restart, and is never in the queue again", async () => {
  const directory = await freshDirectory();
  const first = await openAt(directory);
  const { id, header } = await put(first, to("one@example.net", "two@example.org"));
  await first.settle({ id, outcomes: [captured(0), captured(1)] });
  assert.deepEqual(await listed(directory), [[id, ["one@example.net", "two@example.org"]]]);
  await first.close();
  const second = await openAt(directory);
  const depth = await second.depth(start);
  assert.deepEqual([depth.queuedMessages, depth.queuedRecipients, depth.capturedMessages], [0, 0, 1]);
  assert.deepEqual(await second.claim({ now: start * 2, limit: 10 }), []);
  assert.equal(await second.nextDueAt(), undefined);
  const peer = { name: "outbound-1", host: "10.0.0.2", port: 9465 };
  assert.deepEqual(await second.handoff.offer({ now: start, limit: 10, peer, offer: "o", except: [] }), []);
  assert.equal(await octetsOf(directory, 1), `${signatures}${header.toString("latin1")}\r\nbody\r\n`);
  assert.equal(await octetsOf(directory, 2), undefined);
  await second.close();
});

test("the number of a captured message that went is never another's, and a spool that kept none of that opens all the same", () => {
  const former = new DatabaseSync(":memory:");
  migrate(former);
  const made = String(former.prepare("SELECT sql FROM sqlite_schema WHERE name = 'captured'").get()?.["sql"]);
  former.exec("DROP TABLE captured");
  former.exec(made.replace(" AUTOINCREMENT", ""));
  const rows = [new DatabaseSync(":memory:"), former].map((database) => {
    migrate(database);
    const { message } = newMessage();
    const content = Buffer.concat([message.header, Buffer.from("body\r\n")]);
    const stored = { ...message, content, headerBytes: message.header.length, bodyBytes: 6, bodyFile: false };
    database
      .prepare(insertInto("message", ["id", ...messageColumns.names, ...contentColumns]))
      .run(...messageRow(stored));
    const kept = new Captured(database, () => undefined);
    kept.keep({ seq: 1, outcomes: [captured(0)], now: start });
    kept.prune({ now: start + captureBounds.forMs + 1, roomBytes: Infinity });
    kept.keep({ seq: 1, outcomes: [captured(0)], now: start });
    const found = database
      .prepare("SELECT seq FROM captured")
      .all()
      .map(({ seq }) => seq);
    database.close();
    return found;
  });
  // The number comes again in a spool of before: it is only not refused.
  assert.deepEqual(rows, [[2], [1]]);
});

test("captured mail is neither in time nor late, and counts for no domain", async () => {
  const spool = await openAt(await freshDirectory());
  const { id } = await put(spool, to("one@example.net"));
  await spool.settle({ id, outcomes: [captured(0)] });
  assert.deepEqual((await spool.waiting(start, 10)).objective, { inTime: 0, late: 0 });
  assert.deepEqual((await spool.census(start, 10)).destinations, { longest: [], others: 0 });
});

/** `f`: the body is a file. */
async function bodies(directory: string): Promise<number> {
  return (await readdir(join(directory, "bodies"))).length;
}

const large = Buffer.alloc(inlineLimitBytes + 1, "x");
const deferred: Outcome = { kind: "deferred", index: 0, reply: { code: 451, text: "later" }, dueAt: start };

test("a large body stays as long as a recipient waits or captured mail has it, and no longer", async () => {
  for (const last of ["delivered", "handed over", "too old"] as const) {
    const directory = await freshDirectory();
    let now = start;
    const open = async (): Promise<Store> => openAt(directory, { clock: { now: () => now } });
    const first = await open();
    const { id, header } = await put(first, to("qa@example.net", "customer@example.net"), large);
    await first.settle({ id, outcomes: [captured(1), deferred] });
    assert.equal(await bodies(directory), 1, "both need it");
    const deliver = async (spool: Store): Promise<void> => {
      await spool.claim({ now, limit: 1 });
      await spool.settle({ id, outcomes: [{ kind: "delivered", index: 0, reply }] });
    };
    if (last === "delivered") await deliver(first);
    if (last === "handed over") {
      const peer = { name: "outbound-1", host: "10.0.0.2", port: 9465 };
      assert.equal((await first.handoff.offer({ now, limit: 10, peer, offer: "o", except: [] })).length, 1);
      await first.handoff.remove(id);
    }
    assert.equal(await bodies(directory), 1, `one ${last}`);
    assert.equal(
      await octetsOf(directory, 1),
      `${signatures}${header.toString("latin1")}\r\n${large.toString("latin1")}`,
    );
    await first.close();
    now += captureBounds.forMs + 1;
    // A start drops what is too old, and its end waits for that.
    await (await open()).close();
    assert.deepEqual(await listed(directory), []);
    assert.equal(await bodies(directory), last === "too old" ? 1 : 0, `captured and ${last}`);
    if (last !== "too old") continue;
    const third = await open();
    await deliver(third);
    assert.equal(await bodies(directory), 0);
    await third.close();
  }
});

test("an outcome that is refused leaves nothing captured", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const { id } = await put(spool, to("one@example.net"));
  await assert.rejects(spool.settle({ id, outcomes: [captured(0), captured(7)] }), ClaimLostError);
  const { capturedMessages, queuedRecipients } = await spool.depth(start);
  assert.deepEqual([capturedMessages, queuedRecipients], [0, 1]);
  assert.deepEqual(await listed(directory), []);
});

test("new mail is never refused for captured mail: the oldest of that goes", async () => {
  const directory = await freshDirectory();
  const volume = { capacityBytes: 80e6, highWatermarkPercent: 85 };
  const dropped: (readonly [string, number])[] = [];
  const onDropped = (...told: readonly [string, number]): void => void dropped.push(told);
  const spool = await openAt(directory, { capacity: () => volume, onDropped });
  const body = Buffer.alloc(2_600_000, "x");
  // What waits leaves room for one more message, and not for two.
  const fill = 68e6 - 4e6 - body.length;
  while ((await spool.depth(start)).usedBytes < fill) await put(spool, to("waiting@example.net"), body);
  const ids: SpoolId[] = [];
  for (let count = 0; count < 6; count += 1) {
    const { id } = await put(spool, to(`rcpt${count}@example.net`), body);
    ids.push(id);
    await spool.settle({ id, outcomes: [captured(0)] });
    assert.equal(spool.isFull(), false, `after ${count}`);
  }
  // 7.5 % of the volume.
  assert.deepEqual(
    (await listed(directory)).map(([id]) => id),
    ids.slice(-2).toReversed(),
  );
  assert.deepEqual(
    dropped,
    ids.slice(0, -2).map(() => ["room", 1]),
  );
  await spool.close();
});

test("of more than ten thousand messages the oldest go", () => {
  const database = new DatabaseSync(":memory:");
  migrate(database);
  const { message } = newMessage();
  const body = Buffer.from("body\r\n");
  const content = Buffer.concat([message.header, body]);
  const stored = { ...message, content, headerBytes: message.header.length, bodyBytes: body.length, bodyFile: false };
  database
    .prepare(insertInto("message", ["id", ...messageColumns.names, ...contentColumns]))
    .run(...messageRow(stored));
  const kept = new Captured(database, () => undefined);
  for (let count = 0; count < captureBounds.messages + 3; count += 1)
    kept.keep({ seq: 1, outcomes: [captured(0)], now: start });
  assert.deepEqual(kept.prune({ now: start, roomBytes: Infinity }), {
    dropped: { age: 0, number: 3, room: 0 },
    bodies: [],
  });
  assert.equal(database.prepare("SELECT min(seq) AS oldest FROM captured").get()?.["oldest"], 4);
  database.close();
});

test("roomForCaptured() lies above the watermark, and is nothing on a disk that is nearly full", () => {
  const gib = 1024 ** 3;
  for (const [highWatermarkPercent, isNearlyFull, room] of [
    [85, false, 0.075 * gib],
    [99, false, 0.005 * gib],
    [50, false, 0.1 * gib],
    [85, true, 0],
  ] as const) {
    const found = roomForCaptured({ capacityBytes: gib, highWatermarkPercent, isNearlyFull });
    assert.ok(Math.abs(found - room) < 1, `${highWatermarkPercent} %: ${found}`);
  }
});
