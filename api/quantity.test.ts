import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuantity, size } from "./quantity.ts";

const texts: readonly [string, number | undefined][] = [
  ["0", 0],
  ["1024", 1024],
  ["10Gi", 10 * 2 ** 30],
  ["1.5Ki", 1536],
  [".5k", 500],
  ["1.", 1],
  ["500M", 500_000_000],
  ["1e9", 1_000_000_000],
  ["1E-1", 0.1],
  ["1E", 1e18],
  ["250m", 0.25],
  ["", undefined],
  ["10GB", undefined],
  ["-1", undefined],
  ["1K", undefined],
  ["1 Gi", undefined],
  ["Gi", undefined],
];

for (const [text, expected] of texts) {
  test(`parseQuantity() reads ${JSON.stringify(text)} as ${expected ?? "no quantity"}`, () => {
    const amount = parseQuantity(text);
    assert.equal(amount === undefined ? undefined : Number(amount.toPrecision(12)), expected);
  });
}

const written: readonly [unknown, string | undefined][] = [
  ["64Ki", "64Ki"],
  [65_536, "65536"],
  [65_535, undefined],
  ["2Gi", "2Gi"],
  ["2147483649", undefined],
  [1.5, undefined],
  [true, undefined],
];

for (const [value, expected] of written) {
  test(`size("64Ki", "2Gi") decodes ${JSON.stringify(value)} to ${expected ?? "nothing"}`, () => {
    assert.equal(size("64Ki", "2Gi").safeParse(value).data, expected);
  });
}
