import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { duration, parseDuration } from "./duration.ts";

const texts: readonly [string, number | undefined][] = [
  ["1h30m", 5_400_000],
  ["0s", 0],
  ["500ms", 500],
  ["1m30ms", 60_030],
  ["2160h", 7_776_000_000],
  ["1h1m1s1ms", 3_661_001],
  ["", undefined],
  ["5", undefined],
  ["5d", undefined],
  ["-1s", undefined],
  ["1.5h", undefined],
  ["1 h", undefined],
  ["100000h", undefined],
  ["1h1h1h1h1h", undefined],
];

for (const [text, expected] of texts) {
  test(`parseDuration() reads ${JSON.stringify(text)} as ${expected ?? "no duration"}`, () => {
    assert.equal(parseDuration(text), expected);
  });
}

test("parseDuration() of parts is the sum of the parts", () => {
  const count = fc.integer({ min: 0, max: 99_999 });
  fc.assert(
    fc.property(fc.tuple(count, count, count, count), ([h, m, s, ms]) => {
      assert.equal(parseDuration(`${h}h${m}m${s}s${ms}ms`), h * 3_600_000 + m * 60_000 + s * 1000 + ms);
    }),
  );
});

for (const [text, isWithin] of [
  ["1s", true],
  ["24h", true],
  ["999ms", false],
  ["24h1ms", false],
] as const) {
  test(`duration("1s", "24h") ${isWithin ? "takes" : "refuses"} ${text}`, () => {
    assert.equal(duration("1s", "24h").safeParse(text).success, isWithin);
  });
}
