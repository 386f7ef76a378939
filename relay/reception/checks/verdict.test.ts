import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { refusal } from "../../mail/reply.ts";
import { validated, combine, isStopped, marksOf, pass, stopped, verdictOf, type Verdict } from "./verdict.ts";

const soft = refusal(451, "4.7.1", "later");
const hard = refusal(550, "5.7.1", "no");
const mark = (name: string): Verdict => ({ kind: "mark", fields: [{ name, value: "x" }] });

const rows: readonly (readonly [string, Verdict, Verdict, Verdict])[] = [
  ["two passes", pass, pass, pass],
  ["a mark and a pass", mark("A"), pass, mark("A")],
  [
    "two marks, in order",
    mark("A"),
    mark("B"),
    {
      kind: "mark",
      fields: [
        { name: "A", value: "x" },
        { name: "B", value: "x" },
      ],
    },
  ],
  ["a mark and a deferral", mark("A"), stopped("b", soft), stopped("b", soft)],
  ["two deferrals: the first", stopped("a", soft), stopped("b", soft), stopped("a", soft)],
  ["a deferral and a refusal: the refusal", stopped("a", soft), stopped("b", hard), stopped("b", hard)],
  ["two refusals: the first", stopped("a", hard), stopped("b", hard), stopped("a", hard)],
];
for (const [name, first, second, both] of rows) {
  test(`combine() of ${name}`, () => assert.deepEqual(combine(first, second), both));
}

test("the reply's code says whether the client may come again, and nothing else does", () => {
  const bye = stopped("b", refusal(421, "4.3.2", "bye"));
  assert.deepEqual(combine(bye, stopped("c", hard)), stopped("c", hard));
  assert.deepEqual(combine(stopped("c", hard), bye), stopped("c", hard));
  assert.deepEqual(combine({ kind: "stop", by: "a", refusal: soft }, bye), stopped("a", soft));
  assert.equal(verdictOf("a", undefined), pass);
});

test("a mark with a name that no field can have is found when it is heard", () => {
  assert.throws(
    () =>
      validated({
        kind: "mark",
        fields: [
          { name: "X-Ok", value: "" },
          { name: "X Bad:", value: "" },
        ],
      }),
    /"X Bad:"/,
  );
  assert.deepEqual(validated(mark("X-Ok")), mark("X-Ok"));
  assert.deepEqual(validated(stopped("a", soft)), stopped("a", soft));
});

const name = fc.constantFrom("a", "b", "c");
const verdicts: fc.Arbitrary<Verdict> = fc.oneof(
  fc.constant(pass),
  name.map(mark),
  name.map((by) => stopped(by, soft)),
  name.map((by) => stopped(by, hard)),
);

test("verdicts may be combined in any grouping, a pass changes nothing, and no refusal is lost", () => {
  fc.assert(
    fc.property(verdicts, verdicts, verdicts, (one, two, three) => {
      assert.deepEqual(combine(combine(one, two), three), combine(one, combine(two, three)));
      assert.deepEqual(combine(pass, one), one);
      assert.deepEqual(combine(one, pass), one);
      const all = combine(combine(one, two), three);
      assert.equal(isStopped(all), [one, two, three].some(isStopped));
      if (!isStopped(all)) assert.deepEqual(marksOf(all), [one, two, three].flatMap(marksOf));
    }),
  );
});
