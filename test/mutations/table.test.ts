import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/results.ts";
import { mutate } from "./mutation.ts";
import { mutations } from "./table.ts";

test("every row can be tried: what it changes stands once in its file", () => {
  const faults = mutations.flatMap((row) => {
    try {
      mutate(readFileSync(join(repositoryRoot, row.file), "utf8"), row);
      return [];
    } catch (error) {
      return [`${row.what}: ${String(error)}`];
    }
  });
  assert.deepEqual(faults, []);
});
