/** A relay that is stopped in the middle of its retries: what it had not begun is as it was, in the spool that it leaves. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { newMessage } from "../support/relayvalues.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openAt } from "../support/spoolplace.ts";
import { openStage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const messages = 300;

/** A spool in which each message was put off once and is due again since then. */
async function fillSpool(directory: string, dueAt: number): Promise<void> {
  const spool = await openAt(directory, { clock: { now: () => dueAt } });
  for (let count = 0; count < messages; count += 1) await spool.commit(newMessage({ acceptedAt: dueAt }));
  const reply = { code: 451, enhanced: "4.3.0", text: "not now" };
  for (const { message } of await spool.claim({ now: dueAt, limit: messages })) {
    await spool.settle({ id: message.id, outcomes: [{ kind: "deferred", index: 0, reply, dueAt }] });
  }
  await spool.close();
}

interface QueuedRow {
  readonly attempts: number;
  readonly dueAt: number;
}

function openQueue(t: TestContext, directory: string): () => readonly QueuedRow[] {
  const database = new DatabaseSync(join(directory, "spool.db"), { readOnly: true, timeout: 5_000 });
  t.after(() => database.close());
  const rows = database.prepare("SELECT attempts, due_at FROM recipient");
  return () => rows.all().map((row) => ({ attempts: Number(row["attempts"]), dueAt: Number(row["due_at"]) }));
}

test("due retries that were not begun stand in the queue as they stood before", async (t) => {
  const spoolDirectory = join(makeResultsDirectory(import.meta.url, "stopped"), "spool");
  const dueAt = Date.now() - 1_000;
  await fillSpool(spoolDirectory, dueAt);
  const stage = await openStage(t, {
    file: import.meta.url,
    script: { recipient: () => "451 4.3.0 not now", delayMs: () => 200 },
    relay: { spoolDirectory },
  });
  const queue = openQueue(t, spoolDirectory);
  await until("retries in delivery", () => queue().filter(({ attempts }) => attempts === 2).length >= 200);
  await stage.relay.program.waitForLog("deferred");
  assert.equal(await stage.relay.stop(), 0);
  const attempted = stage.relay.program.logs("deferred").length;
  const left = queue();
  const asBefore = left.filter((row) => row.attempts === 1 && row.dueAt === dueAt);
  t.diagnostic(`${attempted} retries were made, ${asBefore.length} are as they were`);
  assert.equal(left.length, messages);
  assert.equal(left.filter(({ attempts }) => attempts === 2).length, attempted, "an attempt counts when it was made");
  assert.equal(asBefore.length, messages - attempted);
  assert.ok(asBefore.length > 100, `${asBefore.length} had not begun`);
});
