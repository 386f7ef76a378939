import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { now, podOf, reportOf } from "../../../test/support/operatorobjects.ts";
import type { Recommendation } from "../../pods/facts.ts";
import { type AutoscalingTargets, decideReplicas, stabilizationMs } from "./autoscaling.ts";
import type { PodFact } from "../../pods/facts.ts";

const targets: AutoscalingTargets = {
  minReplicas: 1,
  maxReplicas: 10,
  targetDueAgeMs: 30_000,
  targetMessagesPerSecond: 100,
};

/** Pods that all answer; `overdueMs` is that of the first. */
function pods(count: number, load: { readonly perSecond?: number; readonly overdueMs?: number } = {}): PodFact[] {
  return Array.from({ length: count }, (_, index) => {
    const due = index === 0 && load.overdueMs !== undefined ? new Date(now - load.overdueMs).toISOString() : undefined;
    const report = reportOf(due === undefined ? {} : { oldestDueTime: due });
    return podOf(`outbound-${index}`, { acceptedPerSecond: load.perSecond ?? 0, report });
  });
}

/** Every look of the last five minutes called for the same. */
function steady(replicas: number): readonly Recommendation[] {
  return [{ at: now - stabilizationMs + 1, replicas }];
}

type Row = readonly [
  name: string,
  current: number | undefined,
  pods: readonly PodFact[],
  recommendations: readonly Recommendation[],
  expected: number,
];

const silent = podOf("outbound-1", { ready: false, report: undefined });
const rows: readonly Row[] = [
  ["no StatefulSet yet", undefined, [], [], 1],
  ["coming back from hibernation", 0, [], [], 1],
  ["a rate at its target", 2, pods(2, { perSecond: 100 }), [], 2],
  ["a rate a little above its target", 2, pods(2, { perSecond: 105 }), [], 2],
  ["a rate half above its target", 2, pods(2, { perSecond: 150 }), [], 3],
  ["a rate far above its target, which at most doubles", 2, pods(2, { perSecond: 900 }), [], 4],
  ["more than the maximum", 8, pods(8, { perSecond: 900 }), [], 10],
  ["mail that is overdue", 2, pods(2, { overdueMs: 31_000, perSecond: 100 }), [], 3],
  ["mail that is long overdue, which at most doubles", 3, pods(3, { overdueMs: 300_000, perSecond: 100 }), [], 6],
  [
    "overdue mail while a new pod has not joined in",
    2,
    [...pods(1, { overdueMs: 60_000, perSecond: 100 }), silent],
    steady(2),
    2,
  ],
  ["mail that is due and not yet late", 2, pods(2, { overdueMs: 20_000, perSecond: 10 }), steady(1), 2],
  ["calm for the first time", 3, pods(3), [], 3],
  ["calm, and not so a moment ago", 3, pods(3), [{ at: now - 60_000, replicas: 3 }], 3],
  ["calm for five minutes, which takes one pod", 3, pods(3), steady(2), 2],
  ["calm, with older looks forgotten", 3, pods(3), [{ at: now - stabilizationMs, replicas: 3 }, ...steady(2)], 2],
  ["calm at the minimum", 1, pods(1), steady(1), 1],
  ["calm but for a pod that does not answer", 2, [...pods(1), silent], steady(1), 2],
  ["calm but for a pod that is not there", 2, pods(1), steady(1), 2],
];

for (const [name, current, present, recommendations, expected] of rows) {
  test(`decideReplicas() answers ${expected} for ${name}`, () => {
    const decided = decideReplicas({ targets, current, pods: present, recommendations, now });
    assert.equal(decided.replicas, expected);
  });
}

test("decideReplicas() needs no rate when none is targeted", () => {
  const byAge = { ...targets, targetMessagesPerSecond: undefined };
  const busy = pods(2, { perSecond: 100_000 });
  assert.equal(decideReplicas({ targets: byAge, current: 2, pods: busy, recommendations: [], now }).replicas, 2);
});

test("decideReplicas() takes one pod a window away, however calm it is", () => {
  let recommendations: readonly Recommendation[] = [];
  let current = 4;
  const changes: number[] = [];
  for (let at = now; at < now + 4 * stabilizationMs; at += 10_000) {
    const decided = decideReplicas({ targets, current, pods: pods(current), recommendations, now: at });
    recommendations = decided.recommendations;
    if (decided.replicas !== current) changes.push((at - now) / 1000);
    current = decided.replicas;
  }
  assert.deepEqual([current, changes], [1, [300, 600, 900]]);
  assert.ok(recommendations.length <= stabilizationMs / 5_000 + 1);
});

test("decideReplicas() stays within its bounds and never shrinks without a window of calm", () => {
  const pod = fc.record({
    perSecond: fc.option(fc.double({ min: 0, max: 10_000, noNaN: true }), { nil: undefined }),
    overdueMs: fc.option(fc.integer({ min: 0, max: 10_000_000 }), { nil: undefined }),
    answers: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.array(pod, { maxLength: 20 }), (current, load) => {
      const present = load.map(({ perSecond, overdueMs, answers }, index) => {
        const due = overdueMs === undefined ? {} : { oldestDueTime: new Date(now - overdueMs).toISOString() };
        return podOf(`outbound-${index}`, {
          acceptedPerSecond: perSecond,
          ready: answers,
          report: answers ? reportOf(due) : undefined,
        });
      });
      const { replicas } = decideReplicas({ targets, current, pods: present, recommendations: [], now });
      assert.ok(replicas >= targets.minReplicas && replicas <= targets.maxReplicas);
      assert.ok(replicas >= Math.min(current, targets.maxReplicas));
    }),
  );
});
