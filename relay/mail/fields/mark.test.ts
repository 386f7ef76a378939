import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseHeader } from "../header.ts";
import { renderMarks } from "./mark.ts";

const rows: readonly (readonly [string, string, string])[] = [
  ["plain text", "Yes, score=7.2", "X-Spam-Status: Yes, score=7.2\r\n"],
  [
    "a line end and another field",
    "Yes\r\nBcc: all@example.net\r\n\r\nbody",
    "X-Spam-Status: Yes Bcc: all@example.net body\r\n",
  ],
  ["what is not ASCII", "ja, prüfen", "X-Spam-Status: ja, pr?fen\r\n"],
  ["nothing", "", "X-Spam-Status:\r\n"],
  ["a word that no line holds", "y".repeat(1200), "X-Spam-Status: (too long)\r\n"],
];
for (const [name, value, text] of rows) {
  test(`a mark with ${name}`, () => {
    assert.equal(
      renderMarks([{ name: "X-Spam-Status", value }])
        .toString("latin1")
        .replace(": \r", ":\r"),
      text,
    );
  });
}

test("a long mark is folded where it has spaces", () => {
  const lines = renderMarks([{ name: "X-Why", value: "because ".repeat(300) }])
    .toString("latin1")
    .trimEnd()
    .split("\r\n");
  assert.ok(lines.length > 1);
  assert.ok(lines.every((line) => line.length <= 998 && line.trim() !== ""));
});

for (const name of ["", "X Spam", "X-Spam:", "X\r\nBcc", "é"]) {
  test(`${JSON.stringify(name)} is no field's name`, () => {
    assert.throws(() => renderMarks([{ name, value: "x" }]), /impossible name/);
  });
}

test("whatever a check says, a mark stays one field of lines that no host breaks", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (value) => {
      const bytes = renderMarks([{ name: "X-Check", value }]);
      const header = parseHeader(bytes);
      const names = header.kind === "header" ? header.fields.map((field) => field.name) : header.reason;
      assert.deepEqual(names, ["x-check"]);
      assert.ok(
        bytes
          .toString("latin1")
          .split("\r\n")
          .every((line) => line.length <= 998),
      );
    }),
  );
});
