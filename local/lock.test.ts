import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { lockState, StateInUseError } from "./lock.ts";

async function stateDirectory(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mailboat-lock-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("a second holder is told to choose another directory, until the first lets go", async (t) => {
  const directory = await stateDirectory(t);
  const unlock = lockState(directory);
  assert.throws(() => lockState(directory), StateInUseError);
  unlock();
  lockState(directory)();
});

test("a damaged lock is not taken for another local mode", async (t) => {
  const directory = await stateDirectory(t);
  await writeFile(join(directory, "owner.db"), "no database ".repeat(100));
  assert.throws(() => lockState(directory), /owner\.db cannot be locked: .*not a database/);
});
