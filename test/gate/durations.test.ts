/** The order of tasks comes from the last run, and a run without one is a run all the same. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Durations } from "./durations.ts";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "durations-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const named = (...names: readonly string[]): readonly { readonly name: string }[] => names.map((name) => ({ name }));

test("the longest of the last run is first, before it what nobody has seen", (t) => {
  const path = folder(t);
  const before = Durations.load(path);
  before.note("short", 0.2);
  before.note("long", 25.41);
  before.save();
  const order = Durations.load(path).longestFirst(named("short", "new", "long", "newer"));
  assert.deepEqual(order, named("new", "newer", "long", "short"));
});

test("what cannot be read is not known", (t) => {
  const path = folder(t);
  for (const text of ["", "{", '{"a":"b"}']) {
    writeFileSync(join(path, "durations.json"), text);
    assert.deepEqual(Durations.load(path).longestFirst(named("a", "b")), named("a", "b"));
  }
});
