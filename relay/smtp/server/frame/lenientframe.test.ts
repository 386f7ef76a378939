import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DataFrame } from "./dataframe.ts";
import { LenientDataFrame } from "./lenientframe.ts";

/** What came out, and what was left behind the end; undefined when the end was not there. */
function read(
  frame: LenientDataFrame | DataFrame,
  text: string,
  size = text.length || 1,
): readonly [string, string | undefined] {
  const content: Buffer[] = [];
  for (let at = 0; at < text.length; at += size) {
    const { content: pieces, end } = frame.feed(Buffer.from(text.slice(at, at + size), "latin1"));
    content.push(...pieces);
    if (end !== undefined) return [Buffer.concat(content).toString("latin1"), text.slice(at + end)];
  }
  return [Buffer.concat(content).toString("latin1"), undefined];
}

/** After a line DATA that ended with CRLF. */
const standard: readonly (readonly [string, string, string | undefined])[] = [
  ["a\r\nb\r\n.\r\nQUIT", "a\r\nb\r\n", "QUIT"],
  [".\r\n", "", ""],
  ["a\nb\n\r\n.\r\n", "a\r\nb\r\n\r\n", ""],
  ["..a\r\n..b\n..c\r\n.\r\n", ".a\r\n.b\r\n.c\r\n", ""],
  // None of these ends a message: who sends CRLF may pass on what others wrote.
  ["a\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", ""],
  ["a\n.\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", ""],
  ["a\r\n.\nb\r\n.\r\n", "a\r\n.\r\nb\r\n", ""],
  [".\nb\r\n.\r\n", ".\r\nb\r\n", ""],
  ["a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", ""],
  ["a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n", ""],
  ["a\r\n.", "a\r\n", undefined],
  ["a\n.\n", "a\r\n.\r\n", undefined],
];
/** After one that ended with a line feed alone. */
const bare: readonly (readonly [string, string, string | undefined])[] = [
  ["a\nb\n.\nQUIT", "a\r\nb\r\n", "QUIT"],
  [".\n", "", ""],
  ["a\r\nb\r\n.\r\nQUIT", "a\r\nb\r\n", "QUIT"],
  ["a\n..b\n.\n", "a\r\n.b\r\n", ""],
  ["a\r\n.\nb\n.\n", "a\r\n.\r\nb\r\n", ""],
  ["a\n.\r\nb\n.\n", "a\r\n.\r\nb\r\n", ""],
];

for (const [endsBare, cases] of [
  [false, standard],
  [true, bare],
] as const) {
  for (const [text, content, rest] of cases) {
    test(`LenientDataFrame(${endsBare}) makes ${JSON.stringify(content)} of ${JSON.stringify(text)}, however it is cut`, () => {
      for (let size = 1; size <= text.length; size += 1) {
        assert.deepEqual(read(new LenientDataFrame(endsBare), text, size), [content, rest], `pieces of ${size}`);
      }
    });
  }
}

const lines = fc.array(fc.constantFrom("a", ".", "..", "\r", "\n", "\r\n", "\r\n.\r\n", "\n.\n", "From: x"), {
  maxLength: 40,
});

test("of a message with CRLF alone LenientDataFrame makes what DataFrame makes", () => {
  fc.assert(
    fc.property(lines, fc.boolean(), (parts, endsBare) => {
      const text = `${parts.join("").replace(/\r\n|\r|\n/g, "\r\n")}\r\n.\r\nQUIT\r\n`;
      assert.deepEqual(read(new LenientDataFrame(endsBare), text), read(new DataFrame(), text));
    }),
  );
});

test("no line feed comes out of LenientDataFrame without its CR, and it ends no message where CRLF was said and DataFrame does not", () => {
  fc.assert(
    fc.property(lines, fc.integer({ min: 1, max: 7 }), (parts, size) => {
      const text = parts.join("");
      const [content, rest] = read(new LenientDataFrame(false), text, size);
      assert.doesNotMatch(content, /(?<!\r)\n/);
      assert.equal(rest, read(new DataFrame(), text)[1]);
    }),
  );
});
