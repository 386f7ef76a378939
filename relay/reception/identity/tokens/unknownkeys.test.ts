import assert from "node:assert/strict";
import { test } from "node:test";
import { UnknownKeys } from "./unknownkeys.ts";

test("ids that somebody invents cost neither memory nor another issuer's patience", () => {
  const keys = new UnknownKeys();
  assert.equal(keys.seen("staff", "real", 0), "awaited");
  for (let index = 0; index < 10_000; index += 1) assert.equal(keys.seen("", `invented ${index}`, 1_000), "awaited");
  assert.deepEqual(keys.awaited(1_000), ["staff", ""]);
  assert.equal(keys.seen("staff", "real", 600_000), "refused");
  // The flood made it forget this one, which is then waited for once more: nobody is refused for good for want of room.
  assert.equal(keys.seen("", "invented 0", 650_000), "awaited");
});

test("a key that was refused is waited for again after a while: it may have come into being since", () => {
  const keys = new UnknownKeys();
  assert.equal(keys.seen("", "k", 0), "awaited");
  assert.equal(keys.seen("", "k", 599_999), "awaited");
  assert.equal(keys.seen("", "k", 600_000), "refused");
  assert.equal(keys.seen("", "k", 3_599_999), "refused");
  assert.equal(keys.seen("", "k", 3_600_000), "awaited");
});
