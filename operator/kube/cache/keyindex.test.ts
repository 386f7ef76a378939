import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { KeyIndex } from "./keyindex.ts";

test("a value is found with the keys that were added and not taken away, in their order", () => {
  const word = fc.constantFrom("a", "b", "c");
  const step = fc.record({ isAdded: fc.boolean(), value: word, key: word });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const index = new KeyIndex();
      const pairs = new Set<string>();
      for (const { isAdded, value, key } of steps) {
        if (isAdded) index.add(value, key);
        else index.delete(value, key);
        if (isAdded) pairs.add(`${value}${key}`);
        else pairs.delete(`${value}${key}`);
        for (const one of ["a", "b", "c"]) {
          const keys = [...pairs].filter((pair) => pair.startsWith(one)).map((pair) => pair.slice(1));
          assert.deepEqual(index.find(one), keys.sort());
        }
      }
    }),
  );
});
