import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestOf } from "./nearest.ts";

const cases: readonly (readonly [written: string, known: readonly string[], near: string | undefined])[] = [
  ["manifest", ["state", "manifests"], "manifests"],
  ["STATE", ["state", "manifests"], "state"],
  ["stat", ["state", "start"], "state"],
  ["colour", ["state", "manifests"], undefined],
  // Of a short name not everything is a slip.
  ["xy", ["id"], undefined],
  ["", ["id"], undefined],
  ["a", [], undefined],
];
for (const [written, known, near] of cases) {
  test(`of ${known.join(", ") || "nothing"} the nearest to ${written || "nothing"} is ${near ?? "none"}`, () =>
    assert.equal(nearestOf(written, known), near));
}
