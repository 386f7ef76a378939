import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { preparePassword, preparePasswordForScram, prepareUsername } from "./login.ts";

const rows: readonly (readonly [what: string, given: string, name: string, password: string])[] = [
  ["plain text", "correct horse", "correct horse", "correct horse"],
  ["letters and marks apart", "pa\u0308ss", "p\u00e4ss", "p\u00e4ss"],
  ["a no-break space", "a\u00a0b", "a b", "a b"],
  ["an ideographic space", "a\u3000b", "a b", "a b"],
  ["a fraction, which is no spelling of 1/2", "secret\u00bd", "secret\u00bd", "secret\u00bd"],
  ["full width", "\uff41\uff10", "a0", "\uff41\uff10"],
  ["half width with its mark", "\uff76\uff9e", "\u30ac", "\uff76\uff9e"],
  ["upper case", "App", "App", "App"],
  ["nothing", "", "", ""],
];
for (const [what, given, name, password] of rows) {
  test(`prepareUsername() and preparePassword(): ${what}`, () => {
    assert.deepEqual([prepareUsername(given), preparePassword(given)], [name, password]);
  });
}

test("what is prepared is not changed by being prepared again, and every spelling of a text is one", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      for (const prepare of [prepareUsername, preparePassword]) {
        assert.equal(prepare(prepare(text)), prepare(text));
        assert.equal(prepare(text.normalize("NFD")), prepare(text));
        assert.equal(prepare(text.replaceAll(" ", "\u00a0")), prepare(text));
      }
    }),
  );
});

// RFC 4013 section 3, and what OpaqueString has in another way.
for (const [given, prepared] of [
  ["I\u00adX", "IX"],
  ["user", "user"],
  ["USER", "USER"],
  ["\u00aa", "a"],
  ["\u2168", "IX"],
  ["a\u00a0b\u3000c", "a b c"],
  ["p\u00e4ss", "p\u00e4ss"],
  ["\ufb01ne\ufeff", "fine"],
] as const) {
  test(`preparePasswordForScram() of ${JSON.stringify(given)} is ${prepared}`, () => {
    assert.equal(preparePasswordForScram(given), prepared);
  });
}
