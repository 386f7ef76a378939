import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalMs, Refusals } from "./refusals.ts";

test("a few refusals are asked about every ten seconds, and many take turns of a second, for five minutes at most", () => {
  assert.deepEqual([0, 1, 10, 60, 300, 5_000].map(refusalMs), [10_000, 10_000, 10_000, 60_000, 300_000, 300_000]);
});

test("a refusal is believed for a while, and not when somebody has touched what it is about", () => {
  let now = 0;
  const refusals = new Refusals(() => now);
  refusals.add("shop/key", "forbidden");
  refusals.add("shop/key-2", "forbidden");
  refusals.add("other/key", "forbidden");
  assert.deepEqual([refusals.get("shop/key"), refusals.get("shop/none")], ["forbidden", undefined]);
  refusals.forget("shop/key");
  assert.deepEqual([refusals.get("shop/key"), refusals.get("shop/key-2")], [undefined, "forbidden"]);
  refusals.forgetAll("shop/");
  assert.deepEqual([refusals.get("shop/key-2"), refusals.get("other/key")], [undefined, "forbidden"]);
  now = 10_000;
  assert.equal(refusals.get("other/key"), undefined);
});

test("refusals that nobody asks about any more do not make the others wait longer", () => {
  let now = 0;
  const refusals = new Refusals(() => now);
  for (let count = 0; count < 60; count += 1) refusals.add(`gone-${count}/key`, "forbidden");
  now = 300_001;
  refusals.add("shop/key", "forbidden");
  now += 9_999;
  assert.equal(refusals.get("shop/key"), "forbidden");
  now += 1;
  assert.equal(refusals.get("shop/key"), undefined);
});
