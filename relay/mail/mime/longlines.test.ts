import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { changedFields, parseHeader, type Header } from "../header.ts";
import { entityOf } from "./entity.ts";
import { encodedHeader, LongLineSurvey, ShortLines } from "./longlines.ts";

function split(message: string): { readonly header: Header; readonly body: Buffer } {
  const end = message.indexOf("\r\n\r\n") + 2;
  const header = parseHeader(Buffer.from(message.slice(0, end), "latin1"));
  if (header.kind === "fault") throw new Error(header.reason);
  return { header, body: Buffer.from(message.slice(end + 2), "latin1") };
}

/** The message as it leaves; undefined when it stays as it is. Fed in chunks that end where `cuts` says. */
function mended(message: string, cuts: readonly number[] = []): string | undefined {
  const { header, body } = split(message);
  const root = entityOf(header, "text/plain");
  if (root.kind === "sealed") return undefined;
  const places = [0, ...cuts.map((cut) => cut % (body.length + 1)).toSorted((a, b) => a - b), body.length];
  const chunks = places.slice(1).map((end, index) => body.subarray(places[index], end));
  const survey = new LongLineSurvey(root);
  for (const chunk of chunks) survey.feed(chunk);
  const long = survey.end();
  if (!long.any) return undefined;
  const lines = new ShortLines(root, long);
  const written = Buffer.concat([...chunks.map((chunk) => lines.feed(chunk)), lines.end()]);
  const encoded = long.parts.has(0) ? encodedHeader(header, root, true) : undefined;
  const top = Buffer.concat([
    ...changedFields(header, encoded?.changes ?? new Map()),
    encoded?.added ?? Buffer.alloc(0),
  ]);
  return `${top.toString("latin1")}\r\n${written.toString("latin1")}`;
}

function decodeQuotedPrintable(text: string): string {
  return text
    .replace(/[ \t]+(?=\r\n|$)/g, "")
    .replace(/=\r\n/g, "")
    .replace(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

function assertShort(message: string): void {
  for (const line of message.split("\r\n"))
    assert.ok(line.length <= 998, `${line.length} octets: ${line.slice(0, 60)}`);
}

const from = "From: a@example.com\r\n";
const mime = "MIME-Version: 1.0\r\n";
const quoted = "Content-Transfer-Encoding: quoted-printable\r\n";
const longLine = `${"0123456789 = \xe9\t".repeat(100)} `;
const longWord = "y".repeat(1500);

const singles: readonly { readonly name: string; readonly fields: string; readonly leaves: string }[] = [
  { name: "no MIME fields", fields: from, leaves: `${from}${mime}${quoted}` },
  {
    name: "a type without version",
    fields: `${from}Content-Type: text/html\r\n`,
    leaves: `${from}Content-Type: text/html\r\n${mime}${quoted}`,
  },
  { name: "7bit", fields: `${mime}Content-Transfer-Encoding: 7bit\r\n${from}`, leaves: `${mime}${quoted}${from}` },
  {
    name: "8bit with a comment",
    fields: `${mime}content-transfer-encoding: 8BIT (as it is)\r\n${from}`,
    leaves: `${mime}${quoted}${from}`,
  },
  {
    name: "two encodings",
    fields: `${mime}Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: 8bit\r\n${from}`,
    leaves: `${mime}${quoted}${from}`,
  },
  {
    name: "an application type",
    fields: `${mime}Content-Type: application/x-log\r\n${from}`,
    leaves: `${mime}Content-Type: application/x-log\r\n${from}${quoted}`,
  },
  {
    name: "a type that is none",
    fields: `${mime}Content-Type: text\r\n${from}`,
    leaves: `${mime}Content-Type: text\r\n${from}${quoted}`,
  },
];
for (const { name, fields, leaves } of singles) {
  test(`a body with ${name} becomes quoted-printable, and its header says so`, () => {
    const body = `first \r\n.\r\n${longLine}\r\n\r\nlast\t\r\n`;
    const result = mended(`${fields}\r\n${body}`) ?? "";
    const end = result.indexOf("\r\n\r\n") + 2;
    assert.equal(result.slice(0, end), leaves);
    assert.equal(decodeQuotedPrintable(result.slice(end + 2)), body);
    for (const line of result.slice(end + 2).split("\r\n")) assert.ok(line.length <= 76);
  });
}

const kept: readonly (readonly [string, string])[] = [
  ["no long line", `${from}\r\n${"x".repeat(998)}\r\nshort\r\n`],
  ["no long line, and no line end", `${from}\r\n${"x".repeat(998)}`],
  ["DKIM", `DKIM-Signature: v=1\r\n${from}\r\n${longLine}\r\n`],
  ["ARC", `ARC-Message-Signature: i=1\r\n${from}\r\n${longLine}\r\n`],
  [
    "PGP/MIME",
    `${from}Content-Type: multipart/signed; boundary=b; protocol="application/pgp-signature"\r\n\r\n--b\r\n\r\n${longLine}\r\n--b--\r\n`,
  ],
  ["S/MIME", `${from}Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n\r\n${longLine}\r\n`],
  ["an encoding that nobody knows", `${from}Content-Transfer-Encoding: x-uuencode\r\n\r\n${longLine}\r\n`],
  ["a multipart without boundary", `${from}Content-Type: multipart/mixed\r\n\r\n${longLine}\r\n`],
  ["a part of a message (message/partial)", `${from}Content-Type: message/partial; id=1\r\n\r\n${longLine}\r\n`],
  [
    "a signed part",
    `${from}Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n${longLine}\r\n--b--\r\n--o--\r\n`,
  ],
  [
    "a signed message within",
    `${from}Content-Type: message/rfc822\r\n\r\nDKIM-Signature: v=1\r\n${from}\r\n${longLine}\r\n`,
  ],
];
for (const [name, message] of kept) {
  test(`a message with ${name} stays as it is`, () => assert.equal(mended(message), undefined));
}

test("only the part with the long line is encoded anew, at any depth", () => {
  const message = (middle: string, inner: string): string =>
    `${from}${mime}Content-Type: multipart/mixed;\r\n boundary="outer (1)"\r\n\r\npreamble\r\n` +
    `--outer (1)\r\nContent-Type: text/plain\r\n\r\nshort\r\n` +
    `--outer (1)  \r\nContent-Type: multipart/alternative; boundary=outer\r\n\r\n` +
    `--outer\r\n\r\nno header\r\n` +
    `--outer\r\nContent-Type: text/html; charset=utf-8\r\n${middle}\r\n` +
    `--outer--\r\nepilogue\r\n` +
    `--outer (1)\r\nContent-Type: message/rfc822\r\n\r\n${from}${inner}\r\n` +
    `--outer (1)--\r\n`;
  const html = `<p>${longWord}`;
  const result = mended(message(`\r\n${html}`, `Subject: x\r\n\r\n${longWord}`)) ?? "";
  const [htmlBody, innerBody] = [...result.matchAll(/quoted-printable\r\n\r\n([\s\S]*?)\r\n--outer/g)].map(
    (match) => match[1] ?? "",
  );
  assert.deepEqual(
    [htmlBody, innerBody].map((body) => decodeQuotedPrintable(body ?? "")),
    [html, longWord],
  );
  assert.equal(result, message(`${quoted}\r\n${htmlBody}`, `Subject: x\r\n${mime}${quoted}\r\n${innerBody}`));
});

test("a part of a digest is a message", () => {
  const result = mended(
    `${from}Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n${from}\r\n${longWord}\r\n--b--\r\n`,
  );
  assert.match(
    result ?? "",
    /--b\r\n\r\nFrom: a@example.com\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ny/,
  );
});

test("a long line of base64 becomes lines, the others and the header stay", () => {
  const octets = Buffer.from(Array.from({ length: 3000 }, (_, index) => index % 256));
  const body = `${octets.toString("base64")}\r\n`;
  const fields = `${from}Content-Transfer-Encoding: base64\r\n`;
  const result = mended(`${fields}\r\nAAAA\r\n${body}`, [1000, 2500]) ?? "";
  assert.ok(result.startsWith(`${fields}\r\nAAAA\r\n`));
  const lines = result.slice(fields.length + 2).split("\r\n");
  assert.ok(lines.every((line) => line.length <= 76 && line.length % 4 === 0));
  assert.deepEqual(Buffer.from(lines.slice(1).join(""), "base64"), octets);
});

test("a long line of quoted-printable is broken between its codes, the others and the header stay", () => {
  const fields = `${from}Content-Transfer-Encoding: Quoted-Printable\r\n`;
  const body = `short = \r\n${"=C3=A9--".repeat(200)}\xe9=\r\nend=20\r\n`;
  const result = mended(`${fields}\r\n${body}`, [500, 501, 502, 1200]) ?? "";
  assertShort(result);
  assert.ok(result.startsWith(`${fields}\r\nshort = \r\n`));
  assert.ok(result.endsWith("=\r\nend=20\r\n"));
  const decoded = (text: string): string =>
    decodeQuotedPrintable(text.slice(fields.length + 2 + "short = \r\n".length));
  assert.equal(decoded(result), decoded(`${fields}\r\n${body}`));
});

test("what stands around parts is broken, and never looks like a boundary", () => {
  const around = `${"x".repeat(900)}--b--${"z".repeat(3000)}`;
  const message = `${from}Content-Type: multipart/mixed; boundary=b\r\n\r\n${around}\r\n--b\r\n\r\ntext\r\n--b--\r\n${around}`;
  const result = mended(message) ?? "";
  assertShort(result);
  assert.equal(result.match(/^--b/gm)?.length, 2);
  assert.equal(result.replaceAll("\r\n ", ""), message);
});

test("a soft line break makes no boundary", () => {
  const line = `${"x".repeat(75)}--b${"y".repeat(1000)}`;
  const message = `${from}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n${line}\r\n--b--\r\n`;
  const result = mended(message) ?? "";
  assert.equal(result.match(/^--b/gm)?.length, 2);
  assert.equal(decodeQuotedPrintable(/printable\r\n\r\n([\s\S]*)\r\n--b--/.exec(result)?.[1] ?? ""), line);
});

test("the header of a part is folded", () => {
  const name = `Content-Disposition: attachment;\r\n filename="${"long name ".repeat(150)}"\r\n`;
  const message = `${from}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${name}\r\ntext\r\n--b--\r\n`;
  const result = mended(message) ?? "";
  assertShort(result);
  assert.equal(result.replace(/\r\n(?= name)/g, ""), message.replace(/\r\n(?= name)/g, ""));
});

test("the header of a part that is no header, or too large, seals the part", () => {
  for (const header of ["no field\r\n", `${"X: y\r\n".repeat(20_000)}`]) {
    const message = `${from}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n${header}\r\n${longLine}\r\n--b\r\n\r\n${longWord}\r\n--b--\r\n`;
    const result = mended(message) ?? "";
    assert.ok(result.includes(`--b\r\n${header}\r\n${longLine}\r\n--b\r\n${quoted}\r\n`));
  }
});

test("parts within parts past any use stay as they are", () => {
  const depth = 5000;
  const opening = Array.from(
    { length: depth },
    (_, level) => `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`,
  );
  const result = mended(`${from}${opening.join("")}\r\n${longWord}`);
  assert.equal(result, undefined);
});

test("the same leaves however the octets come", () => {
  const pieces = fc.constantFrom(
    "--o\r\n",
    "--i\r\n",
    "--i--\r\n",
    "--o--\r\n",
    "\r\n",
    "text\r\n",
    longLine,
    `${longWord}\r\n`,
    "Content-Type: multipart/mixed; boundary=i\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    quoted,
    "Content-Type: text/html\r\n",
    "=\r\n",
    " \t\r\n",
    "-",
    "=C3",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), fc.array(fc.nat(60_000), { maxLength: 12 }), (body, cuts) => {
      const message = `${from}Content-Type: multipart/mixed; boundary=o\r\n\r\n${body.join("")}`;
      const whole = mended(message);
      assert.equal(mended(message, cuts), whole);
      if (whole === undefined) return;
      const again = mended(whole);
      assert.equal(again, undefined, "once is enough");
    }),
    { numRuns: 1000 },
  );
});
