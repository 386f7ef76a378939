import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeWords } from "./encodedwords.ts";

const rows: readonly (readonly [written: string, read: string])[] = [
  ["Your receipt", "Your receipt"],
  ["=?UTF-8?Q?Ihre_Best=C3=A4tigung?= 7", "Ihre Bestätigung 7"],
  ["=?utf-8?b?8J+Tpw==?= order", "📧 order"],
  ["=?iso-8859-1?q?caf=E9?=", "café"],
  ["=?UTF-8?Q?one?= =?UTF-8?B?dHdv?=\r\n =?UTF-8?Q?_three?=", "onetwo three"],
  ["=?utf-8*de?q?gr=C3=BCn?=", "grün"],
  ["=?no-such-set?q?as=20it=20is?=", "=?no-such-set?q?as=20it=20is?="],
  ["=?utf-8?x?abc?=", "=?utf-8?x?abc?="],
  ["=?utf-8?q?never ends", "=?utf-8?q?never ends"],
];

for (const [written, read] of rows) {
  test(`decodeWords() reads ${JSON.stringify(written)}`, () => assert.equal(decodeWords(written), read));
}

test("decodeWords() takes a line of nothing but beginnings in its stride", () => {
  const startedAt = performance.now();
  assert.ok(decodeWords("=?utf-8?q?".repeat(20_000)).length > 0);
  assert.ok(performance.now() - startedAt < 1_000);
});
