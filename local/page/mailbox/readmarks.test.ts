import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { ReadMarks } from "./readmarks.ts";

async function fileFor(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-marks-"));
  context.after(() => rm(directory, { recursive: true }));
  return join(directory, "read.json");
}

test("what was read is read in the next run, and what is unread again is not", async (context) => {
  const file = await fileFor(context);
  const marks = await ReadMarks.open(file);
  const known = new Set(["a", "b", "c"]);
  await Promise.all([
    marks.mark(["a"], true, known),
    marks.mark(["b", "c"], true, known),
    marks.mark(["b"], false, known),
  ]);
  const next = await ReadMarks.open(file);
  assert.deepEqual(
    ["a", "b", "c"].map((id) => next.has(id)),
    [true, false, true],
  );
});

test("the file holds no more names than there are messages", async (context) => {
  const file = await fileFor(context);
  const marks = await ReadMarks.open(file);
  const ids = Array.from({ length: 2_000 }, (_, index) => `id${index}`);
  await marks.mark(ids, true, new Set(ids));
  await marks.mark(["id7"], true, new Set(["id7", "id8"]));
  assert.deepEqual(JSON.parse(await readFile(file, "utf8")), ["id7", "id8"]);
});

for (const text of ["", "{", '{"a":1}', "[1]"]) {
  test(`a file with ${JSON.stringify(text)} counts as empty`, async (context) => {
    const file = await fileFor(context);
    await writeFile(file, text);
    assert.equal((await ReadMarks.open(file)).has("a"), false);
  });
}
