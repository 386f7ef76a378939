import assert from "node:assert/strict";
import { test } from "node:test";
import { quotedPrintable } from "../mime/encode.ts";
import { diagnostic, oneLine, wrap } from "./text.ts";

const quoted: readonly { readonly text: string; readonly is: string }[] = [
  { text: "", is: "" },
  { text: "plain = words\r\n", is: "plain =3D words\r\n" },
  // RFC 2045 section 6.7 (3): nothing white at the end of a line.
  { text: "end \r\nend\t", is: "end=20\r\nend=09" },
  { text: "gr\u00fcn", is: "gr=C3=BCn" },
  { text: "x".repeat(80), is: `${"x".repeat(75)}=\r\n${"x".repeat(5)}` },
  // RFC 2045 section 6.7 (5): a soft break never parts the three characters of an octet.
  { text: `${"x".repeat(74)}\u00fc`, is: `${"x".repeat(74)}=\r\n=C3=BC` },
];

for (const { text, is } of quoted) {
  test(`quotedPrintable() writes ${JSON.stringify(text)}`, () => {
    assert.equal(quotedPrintable(Buffer.from(text)).toString("latin1"), is);
  });
}

test("oneLine() leaves nothing that ends a line, hides or turns the direction of writing", () => {
  const text = " a\r\nb\u2028c\td\0\u001b[31m\u202ee\ufffd ";
  assert.equal(oneLine(text, "utf-8"), "a b c d??[31m?e?");
  assert.equal(oneLine("gr\u00fcn\u{1f4ee}", "ascii"), "gr?n?");
  assert.equal(oneLine("gr\u00fcn\u{1f4ee}", "utf-8"), "gr\u00fcn\u{1f4ee}");
});

test("diagnostic() says that it was cut", () => {
  assert.equal(diagnostic("y".repeat(1_000), "ascii"), "y".repeat(1_000));
  assert.equal(diagnostic("y".repeat(5_000), "ascii"), `${"y".repeat(1_000)} [...]`);
});

test("wrap() breaks at spaces, and inside a word only when a line could not hold it", () => {
  const lines = wrap(`Field: ${"word ".repeat(40)}${"z".repeat(2_000)}`, " ").split("\r\n");
  assert.ok(lines.slice(1).every((line) => /^ \S/.test(line)));
  assert.ok(lines.every((line) => line.length <= 76 || /^ z{1,900}$/.test(line)));
  assert.ok(
    wrap("\u4e2d".repeat(1_000), " ")
      .split("\r\n")
      .every((line) => Buffer.byteLength(line) <= 998),
  );
});
