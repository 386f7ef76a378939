import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { createLog } from "../../../../runtime/log.ts";
import { newMessage } from "../../../../test/support/relayvalues.ts";
import type { SpoolId } from "../../message/id.ts";
import type { Spool } from "../../verbs.ts";
import { openStore } from "../store.ts";
import { otherDomains } from "../../queue.ts";
import { openReader } from "./reader.ts";

const now = 1_800_000_000_000;
const directory = await mkdtemp(join(tmpdir(), "reader-"));
const spool: Spool = await openStore({
  directory: join(directory, "spool"),
  clock: { now: () => now },
  log: createLog({ level: "silent", program: "test" }),
  capacity: () => ({ capacityBytes: 1e9, highWatermarkPercent: 85 }),
  retryDelayMs: () => 60_000,
  ownerTimeoutMs: 0,
  onCommit: () => undefined,
  onLost: (error) => assert.fail(error),
});
after(async () => {
  await spool.close();
  await rm(directory, { recursive: true, force: true });
});

async function commit(header: string, addresses: readonly string[], sender = "app@example.com"): Promise<SpoolId> {
  const entry = newMessage(
    { acceptedAt: now, sender, header: Buffer.from(header), domain: "example.com" },
    addresses.map((address) => ({ address })),
  );
  await spool.commit({ ...entry, dueAt: addresses.length > 1 ? now : now + 1_000 });
  return entry.message.id;
}

const first = await commit("From: a@example.com\r\nMessage-ID: <one@example.com>\r\n", ["a@x.example", "b@y.example"]);
const second = await commit(
  "In-Reply-To: <one@example.com>\r\nMessage-ID:\r\n <two@example.com>\r\n",
  ['"c@c"@x.example'],
  "",
);
const reader = openReader(join(directory, "spool"));
after(() => reader.close());

test("a message is found by its id, beside the relay that owns the spool, and no address comes with it", async () => {
  const found = await reader.message(second);
  assert.deepEqual(
    [found?.domain, found?.fromNobody, found?.acceptedAt, found?.recipients],
    ["example.com", true, now, [{ domain: "x.example", attempts: 0, dueAt: now + 1_000, lastReply: undefined }]],
  );
  assert.equal(await reader.message("0mnothing"), undefined);
  assert.doesNotMatch(JSON.stringify(await reader.oldest(10)), /@/);
});

test("a Message-ID is found in its own field only, folded or not", async () => {
  const idsOf = async (messageId: string): Promise<readonly string[]> =>
    (await reader.withMessageId(messageId)).found.map(({ id }) => id);
  assert.deepEqual(await idsOf("<one@example.com>"), [first]);
  assert.deepEqual(await idsOf("<two@example.com>"), [second]);
  assert.deepEqual(await reader.withMessageId("<three@example.com>"), { found: [], complete: true });
});

test("the oldest come first, and no more than were asked for", async () => {
  const found = await Promise.all([1, 2, 3].map(async (limit) => reader.oldest(limit)));
  assert.deepEqual(
    found.map((messages) => messages.map(({ id }) => id)),
    [[first], [first, second], [first, second]],
  );
});

test("totals count by domain, within bounds, and say how far they went", async () => {
  const all = await reader.totals(now, { messages: 10, domains: 10 });
  assert.deepEqual([all.messages, all.covered, [...all.senders]], [2, 2, [["example.com", 2]]]);
  assert.deepEqual(
    [...all.destinations],
    [
      ["x.example", { recipients: 2, due: 1 }],
      ["y.example", { recipients: 1, due: 1 }],
    ],
  );
  const bounded = await reader.totals(now, { messages: 1, domains: 1 });
  assert.deepEqual([bounded.messages, bounded.covered], [2, 1]);
  assert.deepEqual([...bounded.destinations.keys()], ["x.example", otherDomains]);
});

test("what is no spool, or one of a newer version, is said in words", () => {
  assert.throws(() => openReader(join(directory, "nowhere")), /there is no spool in .*nowhere: name the right one/);
  const newer = new DatabaseSync(join(directory, "spool.db"));
  newer.exec("PRAGMA user_version = 99");
  newer.close();
  assert.throws(() => openReader(directory), /newer version \(schema 99\)/);
});
