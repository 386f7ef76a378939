import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { longestReplyOctets, ReplyReader } from "./replyreader.ts";

function codesOf(chunks: readonly string[]): string {
  const reader = new ReplyReader();
  const words = chunks.flatMap((chunk) => {
    const { replies, fault } = reader.read(Buffer.from(chunk));
    return [...replies.map(({ code }) => String(code)), ...(fault === undefined ? [] : ["fault"])];
  });
  return [...words, ...(reader.isInside ? ["inside"] : [])].join(" ");
}

const rows: readonly (readonly [chunks: readonly string[], codes: string])[] = [
  [["250 ok\r\n"], "250"],
  [["250 ok\n"], "250"],
  [["250\r\n"], "250"],
  [["250-a\r\n250-b\r\n250 c\r\n"], "250"],
  [["250-a\r\n550 b\r\n"], "550"],
  [["250 a\r\n354 b\r\n"], "250 354"],
  [["25", "0 o", "k\r", "\n"], "250"],
  [["\r\n250 ok\r\n"], "250"],
  [["250-a\r\n"], "inside"],
  [["250 a"], "inside"],
  [["250 a\r\n2"], "250 inside"],
  [["250-a\r\nb\r\n250 c\r\n"], "fault inside"],
  [["hello\r\n250 ok\r\n"], "fault inside"],
  [["250 ok\r\nhello\r\n"], "250 fault inside"],
  [["199 a\r\n"], "fault inside"],
  [["2500 a\r\n"], "fault inside"],
];

for (const [chunks, codes] of rows) {
  test(`ReplyReader reads ${JSON.stringify(chunks)} as ${codes}`, () => assert.equal(codesOf(chunks), codes));
}

test("ReplyReader reads the same replies however the octets are cut", () => {
  const line = fc.tuple(
    fc.constantFrom("250-", "250 ", "354 ", "550-", "451 "),
    fc.string(),
    fc.constantFrom("\n", "\r\n"),
  );
  const said = fc
    .array(line, { maxLength: 8 })
    .map((lines) => lines.map(([code, text, end]) => `${code}${text.replaceAll("\n", "")}${end}`).join(""));
  fc.assert(
    fc.property(said, fc.integer({ min: 1, max: 7 }), (text, size) => {
      const octets = Buffer.from(text);
      const whole = new ReplyReader().read(octets).replies;
      const reader = new ReplyReader();
      const cut = [];
      for (let at = 0; at < octets.length; at += size) cut.push(...reader.read(octets.subarray(at, at + size)).replies);
      assert.deepEqual(cut, whole);
    }),
  );
});

test("ReplyReader gives up a line, and a reply, that has no end", () => {
  for (const piece of ["x".repeat(1_000), "250-scanning\r\n"]) {
    const reader = new ReplyReader();
    let octets = 0;
    while (reader.read(Buffer.from(piece)).fault === undefined) octets += piece.length;
    assert.ok(octets <= longestReplyOctets, `${octets} octets`);
    assert.notEqual(reader.read(Buffer.from("250 ok\r\n")).fault, undefined, "nothing is read after a fault");
  }
});
