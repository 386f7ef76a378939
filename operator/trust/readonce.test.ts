import assert from "node:assert/strict";
import { test } from "node:test";
import { readOnce } from "./readonce.ts";

function reader(limit: number) {
  const asked: string[] = [];
  const read = readOnce(limit, (...texts: readonly string[]) => {
    asked.push(texts.join("|"));
    return texts.length === 0 ? undefined : texts.join("");
  });
  return { asked, read };
}

test("what was read is not read again, also where it came to nothing", () => {
  const { asked, read } = reader(4);
  for (const texts of [["a"], ["a"], ["a", "b"], ["ab"], ["a", "b"], [], []])
    assert.equal(read(...texts), texts.join("") || undefined);
  assert.deepEqual(asked, ["a", "a|b", "ab", ""]);
});

test("what was not asked for the longest is forgotten first", () => {
  const { asked, read } = reader(2);
  for (const text of ["a", "b", "a", "c", "a", "b"]) read(text);
  assert.deepEqual(asked, ["a", "b", "c", "b"]);
});
