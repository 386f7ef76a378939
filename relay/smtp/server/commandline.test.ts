import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CommandLines } from "./commandline.ts";

/** Runs lines of at most eight octets; `DATA` ends them, `SLOW` finishes a turn later. */
async function run(chunks: readonly Buffer[], isLenient = false): Promise<readonly string[]> {
  const seen: string[] = [];
  let data = false;
  const lines = new CommandLines({
    limitOctets: 8,
    command: (line, next) => {
      const text = line.toString("latin1");
      seen.push(text);
      if (text === "DATA") data = true;
      if (text === "SLOW") setImmediate(next);
      else next();
    },
    fault: (fault, next) => {
      seen.push(`<${fault}>`);
      next();
    },
    isLenient: () => isLenient,
    isOver: () => false,
    isData: () => data,
    data: (rest, done) => {
      if (rest.length > 0) seen.push(`data:${rest.toString("latin1")}`);
      done();
    },
  });
  for (const chunk of chunks) await new Promise<void>((resolve) => lines.read(chunk, resolve));
  return seen;
}

const cases: readonly (readonly [string, readonly string[]])[] = [
  ["A\r\nB\r\n", ["A", "B"]],
  ["A\r\nB", ["A"]],
  ["A\nB\r\n", ["<bareLineFeed>", "B"]],
  ["\n\r\n", ["<bareLineFeed>", ""]],
  ["A\rB\r\n", ["A\rB"]],
  ["12345678\r\n", ["12345678"]],
  ["123456789\r\nA\r\n", ["<long>", "A"]],
  ["123456789012345678901234567890\r\nA\r\n", ["<long>", "A"]],
  ["SLOW\r\nSLOW\r\nA\r\n", ["SLOW", "SLOW", "A"]],
  ["DATA\r\nB\r\n", ["DATA", "data:B\r\n"]],
];
for (const [text, expected] of cases) {
  test(`command lines of ${JSON.stringify(text)} are ${JSON.stringify(expected)}`, async () => {
    assert.deepEqual(await run([Buffer.from(text)]), expected);
  });
}

test("commands are the same however the octets are cut into chunks", async () => {
  const octets = fc.string({ unit: fc.constantFrom("\r", "\n", "\r\n", "a", "SLOW\r\n", "bcdefg"), maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(octets, fc.nat(40), async (text, cut) => {
      const bytes = Buffer.from(text);
      assert.deepEqual(await run([bytes.subarray(0, cut), bytes.subarray(cut)]), await run([bytes]));
    }),
  );
});

test("thousands of pipelined commands run in order", async () => {
  const many = Array.from({ length: 5000 }, (_, index) => `N${index}`);
  assert.deepEqual(await run([Buffer.from(many.map((name) => `${name}\r\n`).join(""))]), many);
});
