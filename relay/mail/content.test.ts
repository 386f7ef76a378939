import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ContentScan } from "./content.ts";
import { lineOctets } from "./limit.ts";

interface Seen {
  readonly fault: string | undefined;
  readonly bodyOffset: number;
  readonly eightBit: boolean;
}

function scan(chunks: readonly Buffer[]): Seen {
  const content = new ContentScan();
  for (const chunk of chunks) {
    const fault = content.feed(chunk);
    if (fault !== undefined) return { fault: `${fault.line} ${fault.reason}`, bodyOffset: -1, eightBit: false };
  }
  const fault = content.end();
  if (fault !== undefined) return { fault: `${fault.line} ${fault.reason}`, bodyOffset: -1, eightBit: false };
  return { fault: undefined, bodyOffset: content.bodyOffset, eightBit: content.eightBit };
}

const faulty: readonly (readonly [string, string])[] = [
  ["a\nb\r\n", "1 bare LF, send CRLF"],
  ["a\r\nb\rc\r\n", "2 bare CR, send CRLF"],
  ["a\r\n\r\r\n", "2 bare CR, send CRLF"],
  ["a\r\n\n", "2 bare LF, send CRLF"],
  ["a\r\nb\r", "2 bare CR, send CRLF"],
  ["a\r\nb\r\nc\0d\r\n", "3 a NUL octet, which mail cannot carry"],
  ["a\r\0\n", "1 bare CR, send CRLF"],
];
for (const [text, fault] of faulty) {
  test(`ContentScan finds "${fault}" in ${JSON.stringify(text)} however it is cut`, () => {
    const bytes = Buffer.from(text, "latin1");
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      assert.equal(scan([bytes.subarray(0, cut), bytes.subarray(cut)]).fault, fault, `cut at ${cut}`);
    }
    const octets = Array.from(bytes, (octet) => Buffer.of(octet));
    assert.equal(scan(octets).fault, fault, "octet by octet");
  });
}

const sound: readonly (readonly [string, number, boolean])[] = [
  ["", -1, false],
  ["A: b\r\n", -1, false],
  ["A: b\r\n\r\nbody\r\n\r\n", 8, false],
  ["\r\nbody\r\n", 2, false],
  ["A: b\r\n \r\n\r\nbody", 11, false],
  ["A: \xe9\r\n\r\n", 8, true],
  ["A: b\r\n\r\n\x80", 8, true],
  ["A: b\r\n\r\n\x01\x0b\x0c\x7f", 8, false],
];
for (const [text, bodyOffset, eightBit] of sound) {
  test(`ContentScan finds the body of ${JSON.stringify(text)} at ${bodyOffset} however it is cut`, () => {
    const bytes = Buffer.from(text, "latin1");
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      assert.deepEqual(scan([bytes.subarray(0, cut), bytes.subarray(cut)]), { fault: undefined, bodyOffset, eightBit });
    }
  });
}

test("ContentScan sees the same however the octets are cut into chunks", () => {
  const octets = fc.array(fc.constantFrom(0x0d, 0x0a, 0x0d, 0x0a, 0x61, 0x2e, 0x00, 0xff), { maxLength: 40 });
  fc.assert(
    fc.property(octets, fc.array(fc.nat(39), { maxLength: 6 }), (message, cuts) => {
      const bytes = Buffer.from(message);
      const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index] ?? 0, end));
      assert.deepEqual(scan(chunks), scan([bytes]));
    }),
    { numRuns: 2000 },
  );
});

test("ContentScan lets a line of 1 MiB pass and refuses a longer one", () => {
  const line = Buffer.alloc(lineOctets, 0x61);
  assert.equal(scan([line, Buffer.from("\r\n")]).fault, undefined);
  assert.match(scan([line, Buffer.from("a\r\n")]).fault ?? "", /^1 longer than 1048576 octets$/);
  assert.match(scan([line, line]).fault ?? "", /longer/);
});
