import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Octets } from "./octets.ts";

test("what was pushed is taken, in its order, once", () => {
  const pieces = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ minLength: 4090, maxLength: 4100 })),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(pieces, pieces, (some, more) => {
      const octets = new Octets();
      for (const all of [some, more]) {
        for (const piece of all) octets.push(Buffer.from(piece));
        const expected = Buffer.concat(all);
        assert.equal(octets.length, expected.length);
        assert.ok(octets.take().equals(expected));
        assert.equal(octets.length, 0);
      }
      octets.push(Buffer.from("x"));
      octets.clear();
      assert.equal(octets.take().length, 0);
    }),
  );
});

test("many small pieces take little more memory than their octets", () => {
  const octets = new Octets();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < 2_000_000; count += 1) octets.push(Buffer.from([count % 256]));
  const grown = process.memoryUsage().heapUsed - before;
  // Kept one by one they take 200 MB.
  assert.ok(grown < 80_000_000, `${grown}`);
  assert.equal(octets.length, 2_000_000);
});
