import assert from "node:assert/strict";
import { test } from "node:test";
import { renderGenerated, staleFiles } from "./generate.ts";

test("the generated files are what the schemas give: if not, run `make generate`", async () => {
  assert.deepEqual(await staleFiles(), []);
});

test("renderGenerated() gives the same bytes twice", async () => {
  assert.deepEqual(await renderGenerated(), await renderGenerated());
});
