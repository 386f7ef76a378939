import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
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
