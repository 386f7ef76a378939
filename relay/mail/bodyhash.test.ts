import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { RelaxedBodyHash } from "./bodyhash.ts";

/** RFC 6376 section 3.4.4, read aloud. */
function canonicalBody(body: string): string {
  const lines = body.split("\r\n").map((line) => line.replace(/[\t ]+/g, " ").replace(/ $/, ""));
  while (lines.at(-1) === "") lines.pop();
  return lines.length === 0 ? "" : `${lines.join("\r\n")}\r\n`;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("base64");
}

function hashInChunks(body: string, cuts: readonly number[]): string {
  const bytes = Buffer.from(body, "latin1");
  const hash = new RelaxedBodyHash();
  let from = 0;
  for (const cut of [...cuts.map((part) => part % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)) {
    hash.update(bytes.subarray(from, cut));
    from = cut;
  }
  return hash.digest();
}

const rows: readonly { name: string; body: string; canonical: string }[] = [
  { name: "an empty body", body: "", canonical: "" },
  { name: "a body of one empty line", body: "\r\n", canonical: "" },
  { name: "a body of white space", body: " \t \r\n\t\r\n", canonical: "" },
  { name: "the example of RFC 6376 section 3.4.5", body: " C \r\nD \t E\r\n\r\n\r\n", canonical: " C\r\nD E\r\n" },
  { name: "a last line without its end", body: "a b", canonical: "a b\r\n" },
  { name: "a last line that ends in white space", body: "a \t", canonical: "a\r\n" },
  { name: "empty lines at the start", body: "\r\n\r\na\r\n", canonical: "\r\n\r\na\r\n" },
  { name: "a CR that ends no line", body: "a\rb\r\n\r", canonical: "a\rb\r\n\r\r\n" },
  { name: "a LF that ends no line", body: "a\nb\r\n\n", canonical: "a\nb\r\n\n\r\n" },
];

for (const row of rows) {
  test(`RelaxedBodyHash hashes ${row.name}`, () => {
    assert.equal(canonicalBody(row.body), row.canonical);
    assert.equal(hashInChunks(row.body, []), hashOf(row.canonical));
  });
}

test("RelaxedBodyHash gives the hash of the canonical body however the body is cut", () => {
  const part = fc.constantFrom("\r\n", "\r", "\n", " ", "\t", "a", "bc", ".", "\xe4", "\0", "word word\r\n");
  fc.assert(
    fc.property(fc.array(part, { maxLength: 40 }), fc.array(fc.nat(200), { maxLength: 6 }), (parts, cuts) => {
      const body = parts.join("");
      assert.equal(hashInChunks(body, cuts), hashOf(canonicalBody(body)));
    }),
    { numRuns: 2_000 },
  );
});

test("RelaxedBodyHash hashes bodies longer than its scratch space", () => {
  const wide = `${"x  y".repeat(20_000)}\r\n`;
  const blank = `a${"\r\n".repeat(30_000)}b`;
  const plain = "one two three\r\n".repeat(5_000);
  for (const body of [wide, blank, plain, wide + blank + plain]) {
    assert.equal(hashInChunks(body, [1, 4_096, 70_000]), hashOf(canonicalBody(body)));
  }
});
