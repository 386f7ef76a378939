import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesAsFarAsKnown, matchesSelector, type Selector } from "./selector.ts";

const labels = { team: "shop", tier: "gold" };
const rows: readonly (readonly [string, Selector, boolean])[] = [
  ["an empty selector selects everything", {}, true],
  ["an equal label", { matchLabels: { team: "shop" } }, true],
  ["another value", { matchLabels: { team: "erp" } }, false],
  ["two labels of which one differs", { matchLabels: { team: "shop", tier: "tin" } }, false],
  ["In with the value", { matchExpressions: [{ key: "tier", operator: "In", values: ["tin", "gold"] }] }, true],
  ["In without the label", { matchExpressions: [{ key: "zone", operator: "In", values: ["a"] }] }, false],
  ["NotIn without the label", { matchExpressions: [{ key: "zone", operator: "NotIn", values: ["a"] }] }, true],
  ["NotIn with the value", { matchExpressions: [{ key: "tier", operator: "NotIn", values: ["gold"] }] }, false],
  ["Exists", { matchExpressions: [{ key: "tier", operator: "Exists" }] }, true],
  ["DoesNotExist", { matchExpressions: [{ key: "tier", operator: "DoesNotExist" }] }, false],
];

test("matchesAsFarAsKnown() decides by the labels that are known, and by no others", () => {
  const known = { tier: "gold" };
  const gold = { matchLabels: { tier: "gold" } };
  const zoned = { matchExpressions: [{ key: "zone", operator: "DoesNotExist" as const }] };
  assert.equal(matchesAsFarAsKnown({}, known), true);
  assert.equal(matchesAsFarAsKnown(gold, known), true);
  assert.equal(matchesAsFarAsKnown({ ...gold, ...zoned }, known), undefined);
  assert.equal(matchesAsFarAsKnown({ matchLabels: { tier: "tin" }, ...zoned }, known), false);
});

for (const [name, selector, expected] of rows) {
  test(`matchesSelector() says ${expected} for ${name}`, () => {
    assert.equal(matchesSelector(selector, labels), expected);
  });
}
