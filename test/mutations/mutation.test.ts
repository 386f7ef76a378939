import assert from "node:assert/strict";
import { test } from "node:test";
import { isGood, mutate, type Mutation, report } from "./mutation.ts";

const row: Mutation = { what: "w", file: "a.ts", old: "if (x)", new: "if (true)", test: "a.test.ts" };

test("the old text is replaced where it stands once", () => {
  assert.equal(mutate("a; if (x) b();", row), "a; if (true) b();");
  assert.equal(mutate("a; if (x) b();", { ...row, new: "$&$1" }), "a; $&$1 b();");
});

const faults: readonly (readonly [what: string, text: string, row: Mutation, said: RegExp])[] = [
  ["is not there", "a", row, /^a\.ts: this text must occur once and occurs 0 times:\nif \(x\)$/],
  ["is there twice", "if (x) if (x)", row, /occurs 2 times/],
  ["is empty", "a", { ...row, old: "" }, /occurs 0 times/],
  ["is not changed", "if (x)", { ...row, new: "if (x)" }, /changes nothing/],
];

for (const [what, text, faulty, said] of faults) {
  test(`a row whose text ${what} is refused`, () => assert.throws(() => mutate(text, faulty), { message: said }));
}

test("a row is good whose test fails with the change and passes without", () => {
  const verdicts = (["killed", "hung", "survived", "pointless"] as const).map((kind) => ({
    mutation: row,
    outcome: { kind, seconds: 1.25 },
  }));
  assert.deepEqual(verdicts.map(isGood), [true, true, false, false]);
  assert.match(
    report(verdicts),
    /^killed {7}1\.3 s {2}w\n +a\.ts, a\.test\.ts\n[^]*\n1 killed, 1 hung, 1 survived, 1 pointless\n$/,
  );
});
