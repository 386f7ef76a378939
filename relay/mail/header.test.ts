import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fieldsNamed, fieldValue, keptFields, parseHeader, type Header } from "./header.ts";

function headerOf(text: string): Header {
  const parsed = parseHeader(Buffer.from(text));
  if (parsed.kind === "fault") throw new Error(`line ${parsed.line}: ${parsed.reason}`);
  return parsed;
}

test("parseHeader() names fields in lower case and keeps their order", () => {
  const header = headerOf("From: a@b\r\nSUBJECT:x\r\nX-Empty:\r\n");
  assert.deepEqual(
    header.fields.map((field) => field.name),
    ["from", "subject", "x-empty"],
  );
});

test("parseHeader() takes an empty header for one without fields", () => {
  assert.deepEqual(headerOf("").fields, []);
});

test("fieldValue() unfolds and keeps what is inside", () => {
  const header = headerOf("Subject: one\r\n two\r\n\tthree  four \r\nFrom: jörg@b\r\n");
  const values = header.fields.map((field) => fieldValue(header, field));
  assert.deepEqual(values, ["one two\tthree  four", "jörg@b"]);
});

test("fieldsNamed() finds every field of a name", () => {
  const header = headerOf("From: a\r\nTo: b\r\nfrom: c\r\n");
  assert.equal(fieldsNamed(header, "from").length, 2);
});

const faults: readonly (readonly [string, number])[] = [
  [" folded: first\r\n", 1],
  ["From: a\r\nno colon here\r\n", 2],
  ["From: a\r\n folded\r\nFrom b@c Thu Jan 1 00:00:00 1970\r\n", 3],
  ["From: a\r\n: no name\r\n", 2],
  ["From : a\r\n", 1],
  ["Fröm: a\r\n", 1],
  ["From\tx: a\r\n", 1],
  ["A: b\r\nColonless\r\n", 2],
];
for (const [text, line] of faults) {
  test(`parseHeader() finds the fault of ${JSON.stringify(text)} in line ${line}`, () => {
    const parsed = parseHeader(Buffer.from(text));
    assert.equal(parsed.kind, "fault");
    assert.equal(parsed.line, line);
  });
}

test("keptFields() drops whole fields with their folding, and nothing else", () => {
  const header = headerOf(
    "Bcc: x@y,\r\n z@y\r\nFrom:  a@b\r\nReturn-Path: <q>\r\nSubject:\tkept \r\n\t as is\r\nbcc: w\r\n",
  );
  const kept = Buffer.concat(keptFields(header, new Set(["bcc", "return-path"])));
  assert.equal(kept.toString(), "From:  a@b\r\nSubject:\tkept \r\n\t as is\r\n");
});

test("keptFields() of nothing dropped is the header byte for byte", () => {
  const field = fc.tuple(
    fc.stringMatching(/^[!-9;-~]{1,20}$/),
    fc.array(fc.stringMatching(/^[ -~é]{0,30}$/), { minLength: 1, maxLength: 3 }),
  );
  fc.assert(
    fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
      const bytes = Buffer.from(fields.map(([name, lines]) => `${name}:${lines.join("\r\n ")}\r\n`).join(""));
      const parsed = parseHeader(bytes);
      assert.equal(parsed.kind, "header");
      assert.equal(parsed.fields.length, fields.length);
      assert.deepEqual(Buffer.concat(keptFields(parsed, new Set())), bytes);
    }),
  );
});
