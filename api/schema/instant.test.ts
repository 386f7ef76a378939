import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInstant } from "./instant.ts";

const rows: readonly (readonly [text: string, at: string | undefined])[] = [
  ["2027-01-31T00:00:00Z", "2027-01-31T00:00:00.000Z"],
  ["2027-01-31T01:00:00+01:00", "2027-01-31T00:00:00.000Z"],
  ["2028-02-29T00:00:00.5Z", "2028-02-29T00:00:00.500Z"],
  ["2027-02-29T00:00:00Z", undefined],
  ["2027-01-31", undefined],
  ["2027-01-31T00:00:00", undefined],
  ["31.1.2027", undefined],
  ["never", undefined],
  ["", undefined],
];
for (const [text, at] of rows) {
  test(`parseInstant() of ${JSON.stringify(text)} is ${at ?? "nothing"}`, () => {
    const read = parseInstant(text);
    assert.equal(read === undefined ? undefined : new Date(read).toISOString(), at);
  });
}
