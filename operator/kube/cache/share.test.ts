import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Sharing } from "./share.ts";

test("nothing that is shared differs from what it was", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue(), { maxLength: 20 }), (values) => {
      const sharing = new Sharing();
      for (const value of values) assert.deepEqual(sharing.of(value), value);
    }),
  );
});

test("members that are undefined stay so, and are not taken for null", () => {
  const sharing = new Sharing();
  assert.deepEqual(sharing.of({ a: null }), { a: null });
  assert.deepEqual(sharing.of({ a: undefined }), { a: undefined });
  assert.deepEqual(sharing.of([undefined, null]), [undefined, null]);
  assert.deepEqual(sharing.of({ a: Number.NaN }), { a: Number.NaN });
});

test("equal parts become one, larger ones only in their own parts", () => {
  const sharing = new Sharing();
  const made = () => ({ owner: { kind: "MailRelay", name: "outbound" }, note: "n".repeat(500), list: [["a"], {}] });
  const [first, second] = [sharing.of(made()), sharing.of(made())];
  assert.notEqual(first, second);
  assert.equal(first.owner, second.owner);
  assert.equal(first.list, second.list);
  assert.deepEqual(second, made());
});

test("what is met again and again stays shared, whatever comes in between", () => {
  const sharing = new Sharing();
  const first = sharing.of({ a: ["often"] });
  for (let index = 0; index < 20_000; index += 1) {
    sharing.of({ once: `value ${index}` });
    if (index % 1000 === 0) assert.equal(sharing.of({ a: ["often"] }), first);
  }
});
