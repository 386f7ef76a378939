import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { attribute, reconcileSpan, writeSpan } from "./spannames.ts";

test("docs/tracing.md has every span and attribute of the operator, and none that does not exist", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/tracing.md"), "utf8");
  const [, section = ""] = page.split("## What the operator does\n");
  const [text = ""] = section.split("\n## ");
  const rows = new Set([...text.matchAll(/^\| `([^`]+)`/gm)].map((match) => match[1]));
  assert.deepEqual(rows, new Set(Object.values(attribute)));
  for (const name of [reconcileSpan, ...["apply", "patch", "create", "delete", "status"].map(writeSpan)]) {
    assert.ok(text.includes(name), name);
  }
});
