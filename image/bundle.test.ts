import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { bundlePrograms, programNames } from "./bundle.ts";

test("bundles are ASCII, so that V8 keeps a byte a character of them", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "mailboat-bundles-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await bundlePrograms(folder);
  for (const name of programNames) {
    const source = await readFile(join(folder, name, "main.js"), "utf8");
    assert.ok(source.length > 100_000);
    assert.equal(/[\u0080-\uffff].{0,40}/.exec(source)?.[0], undefined);
  }
});
