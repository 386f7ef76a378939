import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { changedFields, fieldsNamed, fieldValue, parseHeader, type Header } from "./header.ts";

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

test("fieldValue() leaves at both ends what is no white space to mail", () => {
  const header = headerOf("From: \u00a0 a@b\u2028 \t\r\n \r\n");
  assert.deepEqual(
    header.fields.map((field) => fieldValue(header, field)),
    ["\u00a0 a@b\u2028"],
  );
});

test("fieldsNamed() finds every field of a name", () => {
  const header = headerOf("From: a\r\nTo: b\r\nfrom: c\r\n");
  assert.equal(fieldsNamed(header, "from").length, 2);
});

const faults: readonly (readonly [string, number, RegExp])[] = [
  [" folded: first\r\n", 1, /^a continuation line continues no field$/],
  [
    "From: a\r\nno colon here\r\n",
    2,
    /^it is no header field \(name: value\), and an empty line must stand before the body$/,
  ],
  ["From: a\r\n folded\r\nFrom b@c Thu Jan 1 00:00:00 1970\r\n", 3, /^a line of an mbox file/],
  ["From b@c Thu Jan 1 00:00:00 1970\r\nFrom: a\r\n", 1, /^a line of an mbox file/],
  ["From: a\r\n: no name\r\n", 2, /^it is no header field: no name stands before the colon$/],
  ["Fr\u00f6m: a\r\n", 1, /^it is no header field: the octet 0xC3 in the field's name$/],
  ["From\tx: a\r\n", 1, /the octet 0x09 in the field's name$/],
  ["X Mailer: a\r\n", 1, /: a space in the field's name$/],
  ["\ufeffFrom: a\r\n", 1, /^a byte order mark stands before the field's name, leave it out$/],
  ["A: b\r\nColonless\r\n", 2, /^it is no header field \(name: value\)/],
  ["A: b\r\nColonless\r\nC: d\r\n", 2, /^it is no header field \(name: value\)/],
];
for (const [text, line, reason] of faults) {
  test(`parseHeader() finds the fault of ${JSON.stringify(text)} in line ${line} and says which`, () => {
    const parsed = parseHeader(Buffer.from(text));
    assert.equal(parsed.kind, "fault");
    assert.equal(parsed.line, line);
    assert.match(parsed.reason, reason);
  });
}

const forms: readonly (readonly [string, string, boolean])[] = [
  ["X: a\r\n", "x", true],
  ["X : a\r\n", "x", false],
  ["From \t: a\r\n", "from", false],
  ["X: a\r\n b\r\n", "x", true],
  ["X: a\r\n \t\r\n", "x", false],
  ["X:\r\n \r\n a\r\n", "x", false],
  [`X: ${"a".repeat(995)}\r\n`, "x", true],
  [`X: ${"a".repeat(996)}\r\n`, "x", false],
  [`X: a\r\n ${"b".repeat(998)}\r\n`, "x", false],
];
for (const [text, name, tidy] of forms) {
  test(`parseHeader() finds ${name} in ${JSON.stringify(text.slice(0, 20))} of ${text.length} octets, tidy: ${tidy}`, () => {
    const [field, ...others] = headerOf(text).fields;
    assert.deepEqual({ name: field?.name, tidy: field?.tidy, others }, { name, tidy, others: [] });
  });
}

test("the tidiness of a field is its own", () => {
  const header = headerOf("A : b\r\nC: d\r\n \r\nE: f\r\n");
  assert.deepEqual(
    header.fields.map((field) => field.tidy),
    [false, false, true],
  );
});

test("changedFields() drops whole fields with their folding, writes others, and changes nothing else", () => {
  const header = headerOf(
    "Bcc: x@y,\r\n z@y\r\nFrom:  a@b\r\nReturn-Path: <q>\r\nSubject:\tkept \r\n\t as is\r\nbcc: w\r\n",
  );
  const changes = new Map(
    header.fields
      .filter(({ name }) => name !== "subject")
      .map((field) => [field, Buffer.from(field.name === "from" ? "From: c@d\r\n" : "")] as const),
  );
  const kept = Buffer.concat(changedFields(header, changes));
  assert.equal(kept.toString(), "From: c@d\r\nSubject:\tkept \r\n\t as is\r\n");
});

test("changedFields() of nothing changed is the header byte for byte", () => {
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
      assert.deepEqual(Buffer.concat(changedFields(parsed, new Map())), bytes);
    }),
  );
});
