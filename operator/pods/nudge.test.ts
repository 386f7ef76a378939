import assert from "node:assert/strict";
import { test } from "node:test";
import { now, podOf, reportOf } from "../../test/support/operatorobjects.ts";
import type { PodFact } from "./facts.ts";
import { decideNudges } from "./nudge.ts";

const fingerprint = "ab".repeat(32);
const behind = (fact: Partial<PodFact> = {}): PodFact => podOf("p0", { report: reportOf({ revision: "r1" }), ...fact });
const value = `r2.${fingerprint.slice(0, 16)}`;

type Row = readonly [name: string, pod: PodFact, written: readonly string[], againInMs: number | undefined];

const rows: readonly Row[] = [
  ["a pod of an older revision", behind(), [value], undefined],
  ["a pod that does not answer yet", behind({ report: undefined }), [value], undefined],
  ["a pod that was told just now", behind({ annotatedRevision: value, annotatedAt: now }), [], 5000],
  [
    "a pod that was told and is behind five seconds later",
    behind({ annotatedRevision: value, annotatedAt: now - 5000 }),
    [`${value}.2`],
    undefined,
  ],
  ["a pod that another operator told twice", behind({ annotatedRevision: `${value}.2` }), [`${value}.3`], undefined],
  ["a pod that was told three times", behind({ annotatedRevision: `${value}.3`, annotatedAt: 0 }), [], undefined],
  [
    "a pod that was told and does not answer",
    behind({ annotatedRevision: value, annotatedAt: 0, report: undefined }),
    [],
    undefined,
  ],
  ["a pod that was told of something older half a second ago", behind({ annotatedAt: now - 500 }), [], 500],
  ["a pod that was told of something older a second ago", behind({ annotatedAt: now - 1000 }), [value], undefined],
  [
    "a pod that runs it without having been told",
    behind({ report: reportOf({ revision: "r2", fingerprint }) }),
    [],
    undefined,
  ],
  [
    "a pod with an older certificate",
    behind({ report: reportOf({ revision: "r2", fingerprint: "old" }) }),
    [value],
    undefined,
  ],
];

test("a pod of the release before shows the first certificate alone, and is told no more", () => {
  const both = { revision: "r2", fingerprint: `${fingerprint}+${"cd".repeat(32)}` };
  const shows = (reads: number | undefined) => [
    podOf("p0", { report: reportOf({ revision: "r2", fingerprint, reads }) }),
  ];
  assert.equal(decideNudges(shows(undefined), both, now).nudges.length, 0);
  assert.equal(decideNudges(shows(2), both, now).nudges.length, 1);
});

for (const [name, pod, written, againInMs] of rows) {
  test(`decideNudges() writes ${written.length} times to ${name}`, () => {
    const decided = decideNudges([pod], { revision: "r2", fingerprint }, now);
    assert.deepEqual(
      decided.nudges.map((nudge) => nudge.value),
      written,
    );
    assert.equal(decided.againInMs, againInMs);
  });
}

test("decideNudges() writes nothing while there is nothing to run", () => {
  assert.deepEqual(decideNudges([behind()], { revision: undefined, fingerprint }, now).nudges, []);
});

test("an annotation's value is one that Kubernetes takes", () => {
  const [nudge] = decideNudges([behind()], { revision: "c".repeat(64), fingerprint }, now).nudges;
  assert.match(nudge?.value ?? "", /^[0-9a-f]{64}\.[0-9a-f]{16}$/);
});

test("a pod is told when the RSA certificate alone is another one", () => {
  const both = `${fingerprint}+${"cd".repeat(32)}`;
  const ran = { revision: "r2", fingerprint: `${fingerprint}+${"ef".repeat(32)}` };
  const told = `r2.${fingerprint.slice(0, 16)}+${"ef".repeat(8)}`;
  const pod = behind({ report: reportOf(ran), annotatedRevision: told, annotatedAt: now - 1000 });
  assert.deepEqual(decideNudges([pod], { revision: "r2", fingerprint: both }, now), {
    nudges: [{ pod, value: `r2.${fingerprint.slice(0, 16)}+${"cd".repeat(8)}` }],
    againInMs: undefined,
  });
});
