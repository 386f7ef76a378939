import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DataFrame } from "./dataframe.ts";

interface Decoded {
  readonly content: string;
  /** What follows the end; undefined when there was none. */
  readonly rest: string | undefined;
}

function decode(chunks: readonly Buffer[]): Decoded {
  const frame = new DataFrame();
  const content: Buffer[] = [];
  for (const [index, chunk] of chunks.entries()) {
    const piece = frame.feed(chunk);
    content.push(...piece.content);
    if (piece.end === undefined) continue;
    const rest = Buffer.concat([chunk.subarray(piece.end), ...chunks.slice(index + 1)]);
    return { content: Buffer.concat(content).toString("latin1"), rest: rest.toString("latin1") };
  }
  return { content: Buffer.concat(content).toString("latin1"), rest: undefined };
}

/** RFC 5321 section 4.5.2 in its own words: lines, and the first dot of each deleted. */
function reference(text: string): Decoded {
  const whole = `\r\n${text}`;
  const end = whole.indexOf("\r\n.\r\n");
  const lines = (end === -1 ? whole : whole.slice(0, end + 2)).split("\r\n").slice(1);
  const content = lines.map((line) => line.replace(/^\./, "")).join("\r\n");
  return { content, rest: end === -1 ? undefined : whole.slice(end + 5) };
}

const cases: readonly (readonly [string, string, string | undefined])[] = [
  [".\r\n", "", ""],
  ["\r\n.\r\nQUIT\r\n", "\r\n", "QUIT\r\n"],
  ["a\r\n.\r\n", "a\r\n", ""],
  ["a\r\n..\r\n.\r\n", "a\r\n.\r\n", ""],
  ["..a\r\n.\r\n", ".a\r\n", ""],
  ["...\r\n.\r\n", "..\r\n", ""],
  [".a\r\n.\r\n", "a\r\n", ""],
  ["a\n.\nb\r\n.\r\n", "a\n.\nb\r\n", ""],
  ["a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n", ""],
  ["a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n", ""],
  ["a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n", ""],
  ["a\r\n.\r\r\nb\r\n.\r\n", "a\r\n\r\r\nb\r\n", ""],
  ["a\r\r\n.\r\n", "a\r\r\n", ""],
  ["a\r\n.", "a\r\n", undefined],
];
for (const [text, content, rest] of cases) {
  test(`DataFrame reads ${JSON.stringify(text)} however it is cut`, () => {
    const bytes = Buffer.from(text, "latin1");
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      assert.deepEqual(decode([bytes.subarray(0, cut), bytes.subarray(cut)]), { content, rest }, `cut at ${cut}`);
    }
    const octets = Array.from(bytes, (octet) => Buffer.of(octet));
    assert.deepEqual(decode(octets), { content, rest }, "octet by octet");
  });
}

test("DataFrame agrees with the standard's own words on any octets in any chunks", () => {
  const text = fc.string({ unit: fc.constantFrom("\r", "\n", ".", "\r\n", "\r\n.", "a"), maxLength: 24 });
  fc.assert(
    fc.property(text, fc.array(fc.nat(60), { maxLength: 5 }), (written, cuts) => {
      // What an unfinished line start withholds is settled by the end of the data.
      const bytes = Buffer.from(`${written}x\r\n.\r\nnext`, "latin1");
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index] ?? 0, end));
      assert.deepEqual(decode(chunks), reference(bytes.toString("latin1")));
    }),
    { numRuns: 5000 },
  );
});
