import assert from "node:assert/strict";
import { test } from "node:test";
import { now, podOf, relayOf, relayWorld, reportOf } from "../../test/support/operatorobjects.ts";
import { glancePauseMs, isDue, isUndisturbed, restOf } from "./rest.ts";

const ready = {
  conditions: [
    {
      type: "Ready" as const,
      status: "True" as const,
      reason: "Ready" as const,
      message: "",
      observedGeneration: 1,
      lastTransitionTime: "2026-01-01T00:00:00Z",
    },
  ],
};

test("a relay rests while its pods report the same, and not for long", () => {
  const pod = podOf("outbound-0", { report: reportOf({ revision: "a" }) });
  const rest = restOf(relayWorld({ pods: [pod] }), ready);
  assert.ok(rest !== undefined);
  assert.ok(!isDue(rest, now + 59_000));
  assert.ok(isDue(rest, now + 60_000));
  assert.ok(isDue(rest, now - 1), "the clock was set back");
  const report = reportOf({ revision: "a" });
  const cases: readonly (readonly [string, boolean, readonly ReturnType<typeof podOf>[]])[] = [
    ["as it was", true, [pod]],
    ["more mail was taken", true, [{ ...pod, acceptedPerSecond: 7, report: { ...report, acceptedMessages: 900 } }]],
    ["somebody logged in", true, [{ ...pod, report: { ...report, logins: [{ secret: "shop/app" }] } }]],
    ["mail waits", false, [{ ...pod, report: reportOf({ revision: "a", queued: 3 }) }]],
    ["another revision", false, [podOf("outbound-0", { report: reportOf({ revision: "b" }) })]],
    ["it does not answer", false, [podOf("outbound-0", { report: undefined })]],
    ["it is not ready", false, [{ ...pod, ready: false }]],
    ["another pod", false, [pod, podOf("outbound-1", { report: reportOf({ revision: "a" }) })]],
    ["it is gone", false, []],
  ];
  for (const [what, expected, pods] of cases) assert.equal(isUndisturbed(rest, pods), expected, what);
});

test("a relay does not rest while a pod has a lease, or needs one: it is leased again before it ends", () => {
  const quota = { key: "domain example.com", share: 0.95, isPressed: true, isLimited: true };
  const pods = (quotas: readonly (typeof quota)[]) => [
    podOf("outbound-0", { report: { ...reportOf(), quotas: [...quotas] } }),
  ];
  assert.equal(restOf(relayWorld({ pods: pods([quota]) }), ready), undefined);
  const rest = restOf(relayWorld({ pods: pods([]) }), ready);
  assert.ok(rest !== undefined);
  assert.equal(isUndisturbed(rest, pods([])), true);
  assert.equal(isUndisturbed(rest, pods([quota])), false);
});

test("a relay that is not ready, or scaled by its load, does not rest", () => {
  assert.equal(restOf(relayWorld(), {}), undefined);
  const autoscaling = { minReplicas: 1, maxReplicas: 3 };
  assert.equal(restOf(relayWorld({ relay: relayOf({ autoscaling }) }), ready), undefined);
});

test("a thousand relays at rest are asked no more often together than two hundred and fifty", () => {
  const perSecond = (resting: number): number => (resting / glancePauseMs(resting, 10_000)) * 1_000;
  assert.deepEqual([1, 250, 500, 1_000].map(perSecond), [0.1, 25, 25, 25]);
});
