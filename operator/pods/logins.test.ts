import assert from "node:assert/strict";
import { test } from "node:test";
import type { RelayReport } from "../../api/relayreport.ts";
import { podOf, reportOf } from "../../test/support/operatorobjects.ts";
import { loginsOf } from "./logins.ts";

type Told = NonNullable<RelayReport["logins"]>;

function pod(logins: Told | undefined) {
  return podOf("outbound-0", { report: { ...reportOf(), ...(logins === undefined ? {} : { logins }) } });
}

const one = { secret: "shop/one" };
const [early, late] = ["2026-11-29", "2026-11-30"];
const used = (lastUsedDate: string) => ({ ...one, lastUsedDate });
const rows: readonly (readonly [
  what: string,
  pods: readonly (Told | undefined)[],
  said: Told | undefined,
  now: Told | undefined,
])[] = [
  ["nothing is known", [], undefined, undefined],
  ["a pod tells of one that was not used", [[one]], undefined, [one]],
  ["a pod tells of a use", [[used(early)]], undefined, [used(early)]],
  ["two pods, the later", [[used(early)], [used(late)]], undefined, [used(late)]],
  ["a pod that started anew", [[one]], [used(early)], [used(early)]],
  ["a pod whose clock is behind", [[used(early)]], [used(late)], [used(late)]],
  ["no pod answers", [], [used(early)], [used(early)]],
  ["a pod that does not tell", [undefined], [used(early)], [used(early)]],
  ["the Secret is gone", [[]], [used(early)], undefined],
  ["another came in its place", [[{ secret: "shop/two" }]], [used(early)], [{ secret: "shop/two" }]],
  [
    "in order of their names",
    [[{ secret: "b/x" }], [{ secret: "a/x" }]],
    undefined,
    [{ secret: "a/x" }, { secret: "b/x" }],
  ],
];
for (const [what, pods, said, now] of rows) {
  test(`loginsOf(): ${what}`, () => {
    assert.deepEqual(loginsOf(pods.map(pod), said).logins, now);
  });
}

test("loginsOf() has room for the first hundred by name", () => {
  const many = Array.from({ length: 150 }, (_, index) => ({ secret: `shop/${String(index).padStart(3, "0")}` }));
  const { logins = [] } = loginsOf([pod(many)], undefined);
  assert.deepEqual([logins.length, logins.at(-1)?.secret], [100, "shop/099"]);
});
