/** What the spool does when its disk or one of its threads fails: nothing that was accepted is lost, and it goes on. */
import assert from "node:assert/strict";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { newMessage, spoolChance } from "../../../test/support/relayvalues.ts";
import { freshDirectory, openAt, start } from "../../../test/support/spoolplace.ts";
import { until } from "../../../test/support/until.ts";
import { BodyFiles, inlineLimitBytes, receptionMemoryBytes } from "./bodies.ts";
import type { CheckpointResult } from "./wal/decide.ts";
import { DiskFaults, type FaultPoint } from "./disk/faults.ts";
import { reserveBytes } from "./disk/space.ts";
import { spoolIdOf } from "../message/id.ts";
import type { Entry, NewMessage } from "../message/message.ts";
import { settleAndStart, startingAtOnce, type Starter } from "../start.ts";
import { SpoolFullError } from "../verbs.ts";
import type { Store, StoreOptions } from "./store.ts";

const mebibyte = 2 ** 20;
const accepted = { code: 250, enhanced: "2.0.0", text: "ok" };

interface Place {
  readonly directory: string;
  readonly spool: Store;
  readonly faults: DiskFaults;
  readonly checkpoints: CheckpointResult[];
}

async function openPlace(t: TestContext, change: Partial<StoreOptions> = {}): Promise<Place> {
  const [directory, faults, checkpoints] = [await freshDirectory(), new DiskFaults(), Array.of<CheckpointResult>()];
  const onCheckpoint = (result: CheckpointResult): number => checkpoints.push(result);
  const spool = await openAt(directory, { faults, onCheckpoint, ...change });
  t.after(() => spool.close());
  return { directory, spool, faults, checkpoints };
}

function message(bodyBytes = 10): NewMessage {
  const body = { kind: "inline", bytes: Buffer.alloc(bodyBytes, "x") } as const;
  return { ...newMessage({ acceptedAt: start, body }, [{ address: "a@example.net" }]), dueAt: start };
}

async function claimed(spool: Store): Promise<Entry> {
  const [entry] = await spool.claim({ now: start, limit: 1 });
  assert.ok(entry);
  return entry;
}

async function logBytes(directory: string): Promise<number> {
  return (await stat(join(directory, "spool.db-wal"))).size;
}

for (const point of ["checkpoint", "checkpointThread"] as const) {
  test(`when a ${point} fails that is counted, and the next one copies what it left`, async (t) => {
    const { directory, spool, faults, checkpoints } = await openPlace(t);
    faults.arm(point, "ENOSPC", 2);
    await spool.commit(message());
    await until("two failures and a success", () => checkpoints.length >= 3);
    assert.deepEqual(checkpoints.slice(0, 3), ["failed", "failed", "complete"]);
    // Without its log the database has the message: it was copied.
    const database = new DatabaseSync(`file:${join(directory, "spool.db")}?immutable=1`, { readOnly: true });
    assert.equal(database.prepare("SELECT count(*) AS n FROM message").get()?.["n"], 1);
    database.close();
  });

  test(`close() ends while each ${point} fails, and nothing is lost`, async (t) => {
    const { directory, spool, faults, checkpoints } = await openPlace(t);
    faults.arm(point, "EIO", 1e6);
    await spool.commit(message());
    await until("a failure", () => checkpoints.includes("failed"));
    await Promise.all([spool.close(), spool.close()]);
    const again = await openAt(directory);
    await claimed(again);
    await again.close();
  });
}

test("a writer that cannot end the log keeps the spool, says so, and ends it later", async (t) => {
  // As much as a machine writes until the writer has tried twice.
  const capacity = { capacityBytes: 1e11, highWatermarkPercent: 85 };
  const { directory, spool, faults, checkpoints } = await openPlace(t, { capacity: () => capacity });
  faults.arm("endLog", "ENOSPC", 2);
  let written = 0;
  const fill = async (): Promise<void> => {
    await Promise.all(Array.from({ length: 64 }, async () => spool.commit(message(250_000))));
    written += 64 * 250_000;
  };
  await until("the writer's second failure", async () => {
    await fill();
    return checkpoints.filter((result) => result === "failed").length === 2;
  });
  assert.equal(faults.struck("endLog"), 2);
  await until("a log that begins anew", async () => {
    await fill();
    return (await logBytes(directory)) < written / 2;
  });
});

test("the log begins anew although mail never stops coming", async (t) => {
  const capacity = { capacityBytes: 1e11, highWatermarkPercent: 85 };
  const { directory, spool } = await openPlace(t, { capacity: () => capacity });
  const each = 250_000;
  let [written, longest] = [0, 0];
  // As often as it takes on a machine that has no time: a log that never begins anew is as long as all that was written.
  const isBegunAnew = (): boolean => written > 128 * mebibyte && longest < written / 2;
  const isEnough = (): boolean => isBegunAnew() || written > 1_500 * mebibyte;
  // Always some that wait, so that the checkpoint thread alone never finds the writer at rest.
  const client = async (): Promise<void> => {
    while (!isEnough()) {
      await spool.commit(message(each));
      written += each;
      longest = Math.max(longest, await logBytes(directory));
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  t.diagnostic(`${Math.round(longest / mebibyte)} MiB of log for ${Math.round(written / mebibyte)} MiB of mail`);
  assert.ok(isBegunAnew(), `${longest} octets of log for ${written} of mail`);
});

test("a database that mail has left gives its room back to the disk", async (t) => {
  const { directory, spool } = await openPlace(t);
  const count = 400;
  await Promise.all(Array.from({ length: count }, async () => spool.commit(message(250_000))));
  const entries = await spool.claim({ now: start, limit: count });
  const outcomes = [{ kind: "delivered", index: 0, reply: accepted }] as const;
  await Promise.all(entries.map(async (entry) => spool.settle({ id: entry.message.id, outcomes })));
  assert.equal((await spool.depth(start)).queuedMessages, 0);
  const size = async (): Promise<number> => (await stat(join(directory, "spool.db"))).size;
  await until("a file of less than the size that is worth it", async () => (await size()) < 70 * mebibyte, 60_000);
});

test("an outcome that a full disk refuses gets the reserve for its next attempt; the reserve is made again", async (t) => {
  const { directory, spool, faults } = await openPlace(t);
  await spool.commit(message());
  const { message: stored } = await claimed(spool);
  const reserve = async (): Promise<number> =>
    stat(join(directory, "reserve")).then(
      ({ size }) => size,
      () => 0,
    );
  const outcomes = { id: stored.id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] } as const;
  faults.arm("reserveWrite", "ENOSPC", 1);
  faults.arm("commit", "ENOSPC", 1);
  assert.equal(await reserve(), reserveBytes);
  await assert.rejects(spool.settle(outcomes), SpoolFullError);
  assert.equal(await reserve(), 0);
  await spool.settle(outcomes);
  assert.equal((await spool.depth(start)).queuedMessages, 0);
  await until("the reserve", async () => (await reserve()) === reserveBytes);
});

test("a start that a full disk refuses gets the reserve; without room it says what to do, and holds up no later one", async () => {
  const directory = await freshDirectory();
  const first = await openAt(directory);
  await first.commit(message());
  await first.close();
  const faults = new DiskFaults();
  faults.arm("reserveWrite", "ENOSPC", 1e6);
  faults.arm("start", "ENOSPC", 1);
  const second = await openAt(directory, { faults });
  assert.equal(faults.struck("start"), 1);
  await assert.rejects(stat(join(directory, "reserve")), { code: "ENOENT" });
  await second.close();
  faults.arm("start", "ENOSPC", 2);
  await assert.rejects(openAt(directory, { faults }), (error: Error) => {
    assert.match(error.message, /^no room on the disk of the spool .*: make room there or enlarge the volume;/);
    return error instanceof SpoolFullError;
  });
  assert.equal(faults.struck("start"), 3);
  const third = await openAt(directory, { faults });
  await claimed(third);
  await third.close();
});

test("an outcome that was never written is not taken for kept, and holds up no stop", async (t) => {
  const { directory, spool, faults } = await openPlace(t);
  await spool.commit(message());
  const { message: stored } = await claimed(spool);
  faults.arm("commit", "ENOSPC", 1e6);
  const outcomes = { id: stored.id, outcomes: [{ kind: "delivered", index: 0, reply: accepted }] } as const;
  await assert.rejects(spool.settle(outcomes), SpoolFullError);
  await spool.close();
  const again = await openAt(directory);
  await claimed(again);
  await again.close();
});

test("new mail on a full disk is refused, and what is refused leaves nothing", async (t) => {
  const { directory, spool, faults } = await openPlace(t);
  faults.arm("commit", "ENOSPC", 1);
  await assert.rejects(spool.commit(message()), SpoolFullError);
  await spool.commit(message());
  const points: readonly FaultPoint[] = ["bodyWrite", "bodySync", "directorySync"];
  for (const point of points) {
    faults.arm(point, "ENOSPC", 1);
    const writer = spool.begin(spoolIdOf(start, spoolChance()));
    const receive = async (): Promise<unknown> => {
      await writer.write(Buffer.alloc(inlineLimitBytes + 1));
      return writer.finish();
    };
    await assert.rejects(receive(), { code: "ENOSPC" }, point);
    await writer.abort();
    assert.equal(faults.struck(point), 1);
  }
  assert.deepEqual(await readdir(join(directory, "bodies")), []);
  const { usedBytes, queuedMessages } = await spool.depth(start);
  assert.equal(queuedMessages, 1);
  assert.ok(usedBytes < mebibyte, `${usedBytes} octets are counted`);
});

test("a body that grows past the watermark is refused while it is received, and not at its end", async (t) => {
  const capacity = (): { capacityBytes: number; highWatermarkPercent: number } => ({
    capacityBytes: 4 * mebibyte,
    highWatermarkPercent: 100,
  });
  const { spool } = await openPlace(t, { capacity });
  const writer = spool.begin(spoolIdOf(start, spoolChance()));
  await assert.rejects(async () => {
    for (let count = 0; count < 100; count += 1) await writer.write(Buffer.alloc(mebibyte));
  }, SpoolFullError);
  assert.ok(writer.sizeBytes <= 6 * mebibyte, `${writer.sizeBytes} octets were taken`);
  await writer.abort();
});

test("files that can be neither removed nor moved are no reason not to open", async (t) => {
  const directory = await freshDirectory();
  await mkdir(join(directory, "bodies"));
  const orphan = spoolIdOf(start, spoolChance());
  for (const name of [orphan, "lost+found"]) await writeFile(join(directory, "bodies", name), "x");
  const faults = new DiskFaults();
  faults.arm("bodyRemove", "EIO");
  faults.arm("quarantine", "EIO");
  const spool = await openAt(directory, { faults });
  t.after(() => spool.close());
  await spool.commit(message());
  assert.deepEqual((await readdir(join(directory, "bodies"))).toSorted(), [orphan, "lost+found"].toSorted());
});

test("all bodies that are received hold a bounded memory together: the next ones go to files", async (t) => {
  const { spool } = await openPlace(t);
  const each = 200_000;
  const writers = Array.from({ length: 400 }, () => {
    const whole = message();
    return { whole, writer: spool.begin(whole.message.id) };
  });
  for (const { writer } of writers) await writer.write(Buffer.alloc(each, "x"));
  const bodies = await Promise.all(writers.map(async ({ writer }) => writer.finish()));
  const inline = bodies.filter(({ kind }) => kind === "inline").length;
  t.diagnostic(`${inline} of ${bodies.length} in memory`);
  assert.equal(inline, Math.floor(receptionMemoryBytes / each));
  await Promise.all(
    writers.map(async ({ whole: { message: head, recipients, dueAt } }, index) => {
      const body = bodies[index];
      assert.ok(body);
      await spool.commit({ message: { ...head, body }, recipients, dueAt });
    }),
  );
  const entries = await spool.claim({ now: start, limit: 400 });
  assert.equal(entries.length, 400);
  for (const { message: kept } of entries) {
    let length = kept.body.kind === "inline" ? kept.body.bytes.length : 0;
    if (kept.body.kind === "file") for await (const chunk of spool.readBody(kept.id)) length += chunk.length;
    assert.equal(length, each);
  }
});

test("memory of receptions is free again after a commit, a refusal and an abort", async (t) => {
  const directory = await freshDirectory();
  await mkdir(join(directory, "bodies"));
  const bodies = new BodyFiles({ directory, hasRoom: () => true, onWritten: () => undefined });
  const writer = bodies.writer(spoolIdOf(start, spoolChance()));
  await writer.write(Buffer.alloc(1_000));
  assert.equal(bodies.heldBytes, 1_000);
  await writer.abort();
  await writer.abort();
  assert.equal(bodies.heldBytes, 0);

  const { spool, faults } = await openPlace(t);
  // In turn far more than receptions may hold together.
  for (let count = 0; count < (2 * receptionMemoryBytes) / inlineLimitBytes; count += 1) {
    const { message: head, recipients, dueAt } = message();
    const received = spool.begin(head.id);
    await received.write(Buffer.alloc(inlineLimitBytes));
    const body = await received.finish();
    assert.equal(body.kind, "inline", `body ${count}`);
    const whole = { message: { ...head, body }, recipients, dueAt };
    if (count % 2 === 0) faults.arm("commit", "ENOSPC");
    if (count % 2 === 0) await assert.rejects(spool.commit(whole), SpoolFullError);
    else if (count % 4 === 1) await spool.commit(whole);
    else {
      const scheduled = recipients.map((recipient) => ({ ...recipient, dueAt }));
      await spool.handoff.receive({ message: whole.message, recipients: scheduled, offer: "one", now: start });
    }
  }
});

test("what is durable was taken, also when delivery fails at it: a client that heard otherwise would send it twice", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  const [cancelled, lines]: [string[], unknown[]] = [[], []];
  const starter: Starter = {
    reserve: (reserved) => ({
      start: () => {
        throw new Error("no route");
      },
      cancel: () => cancelled.push(reserved.message.id),
    }),
    arrived: () => assert.fail("it had a place"),
  };
  const starting = { spool, starter, log: { error: (facts: object) => lines.push(facts) } };
  const kept = message();
  await startingAtOnce(starting).commit(kept);
  assert.deepEqual(cancelled, [kept.message.id]);
  assert.deepEqual(lines, [{ spoolId: kept.message.id, error: "Error: no route" }]);
  const notice = message();
  const outcomes = [{ kind: "failed" as const, index: 0, reply: accepted }];
  await settleAndStart(starting, { id: kept.message.id, outcomes, notices: [notice] });
  assert.deepEqual(cancelled, [kept.message.id, notice.message.id]);
  // Nobody names it, so that it comes back.
  await spool.renew(1, []);
  assert.equal((await spool.renew(2, [])).messages, 1);
});

test("a body that is given up in the middle of a write leaves no file and takes no room", async () => {
  const directory = await freshDirectory();
  const files = new BodyFiles({ directory, hasRoom: () => true, onWritten: () => undefined });
  await mkdir(join(directory, "bodies"));
  for (const before of [0, 2 * inlineLimitBytes]) {
    const writer = files.writer(message().message.id);
    if (before > 0) await writer.write(Buffer.alloc(before));
    const writing = writer.write(Buffer.alloc(2 * inlineLimitBytes));
    await writer.abort();
    await Promise.allSettled([writing]);
    assert.deepEqual(await readdir(join(directory, "bodies")), []);
    assert.deepEqual([files.totalBytes, files.heldBytes], [0, 0]);
  }
});
