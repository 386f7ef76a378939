import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { newMessage } from "../../test/support/relayvalues.ts";
import { openAt, start } from "../../test/support/spoolplace.ts";
import { heldIn, peekSpool, spoolOf, spoolsIn } from "./spoolpeek.ts";

async function stateFor(context: TestContext): Promise<string> {
  const state = await mkdtemp(join(tmpdir(), "mailboat-peek-"));
  context.after(() => rm(state, { recursive: true }));
  return state;
}

test("a spool that cannot be read is believed to hold what it is asked for, one that is not there holds nothing", async (context) => {
  const state = await stateFor(context);
  const directory = spoolOf(state, "mail.outbound-0");
  await mkdir(directory, { recursive: true });
  assert.deepEqual(heldIn(directory, ["a", "b"]), []);
  await writeFile(join(directory, "spool.db"), "no database of anybody's, but longer than a header of one".repeat(100));
  assert.deepEqual(heldIn(directory, ["a", "b"]), ["a", "b"]);
  assert.deepEqual(heldIn(directory, ["a", "b"], ["b"]), ["b"], "or what the log says of it");
  assert.equal(peekSpool(directory, "a"), undefined);
  assert.deepEqual(await spoolsIn(state), [{ pod: "mail.outbound-0", directory }]);
  assert.deepEqual(await spoolsIn(join(state, "none")), []);
});

test("what a relay's delivery.mode kept is seen as it would have left, with all whom it was for", async (context) => {
  const directory = spoolOf(await stateFor(context), "mail.outbound-0");
  await mkdir(directory, { recursive: true });
  const spool = await openAt(directory);
  const made = newMessage({ acceptedAt: start }, [{}, {}]);
  const { id, header } = made.message;
  await spool.commit({ ...made, claim: true });
  assert.equal(peekSpool(directory, id)?.isCaptured, false);
  const reply = { code: 250, text: "kept" };
  for (const index of [0, 1]) {
    const signatures = "DKIM-Signature: v=1\r\n";
    await spool.settle({ id, outcomes: [{ kind: "captured", index, reply, signatures, copiedBytes: 0 }] });
  }
  const seen = peekSpool(directory, id);
  assert.ok(seen?.isCaptured === true);
  assert.deepEqual([seen.from, seen.to], ["sender@example.com", ["rcpt0@example.net", "rcpt1@example.net"]]);
  assert.deepEqual(seen.header, header);
  assert.ok(Buffer.isBuffer(seen.octets));
  assert.match(seen.octets.toString("latin1"), /^DKIM-Signature: v=1\r\nFrom: [^]*\r\n\r\nmessage \d+\r\n$/);
  assert.deepEqual(heldIn(directory, [id]), [], "it does not wait");
  await spool.close();
});
