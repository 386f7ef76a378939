import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialOf } from "../../../test/support/submission.ts";
import { LoginUses } from "./uses.ts";

const shop = [credentialOf("shop", "b/two"), credentialOf("shop", "a/one")];
const both = new Map([
  ["shop", shop],
  ["erp", [credentialOf("erp", "c/erp")]],
]);

test("each Secret that there is has its last use, in order of their names", () => {
  const uses = new LoginUses();
  uses.used(["a/one", "c/erp"], 1);
  uses.used(["a/one"], 2);
  assert.deepEqual(uses.of(both, 9), [
    { secret: "a/one", lastUsedAt: 2 },
    { secret: "b/two", lastUsedAt: undefined },
    { secret: "c/erp", lastUsedAt: 1 },
  ]);
  assert.deepEqual(
    uses.of(both, 2).map(({ secret }) => secret),
    ["a/one", "b/two"],
  );
});

test("what is gone is forgotten, and begins anew when it comes back", () => {
  const uses = new LoginUses();
  uses.used(["c/erp"], 1);
  uses.of(new Map([["shop", shop]]), 9);
  assert.deepEqual(uses.of(both, 9).at(-1), { secret: "c/erp", lastUsedAt: undefined });
});
