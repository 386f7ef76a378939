import assert from "node:assert/strict";
import { test } from "node:test";
import { claimOf, podOf, relayOf, relayWorld } from "../../test/support/operatorobjects.ts";
import { podView } from "../kube/podview.ts";
import type { PodHindrance } from "../kube/objects.ts";
import { renderStatefulSet } from "../mailrelay/objects/statefulset.ts";
import { judgeAvailable, judgeProgrammed } from "../mailrelay/programmed.ts";
import type { RelayWorld } from "../mailrelay/world.ts";
import type { PodFact } from "./facts.ts";

/** The pod as the API server tells of it. */
function podFrom(status: object): PodFact {
  const metadata = { namespace: "mail", name: "outbound-0" };
  const view = podView({ apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [] }, status });
  const { hindrance } = view["status"] as { readonly hindrance?: PodHindrance };
  return podOf("outbound-0", { ready: false, report: undefined, hindrance });
}

function container(state: object, more: object = {}): object {
  return { containerStatuses: [{ name: "relay", image: "registry.example/relay:1", ready: false, state, ...more }] };
}

const unscheduled = {
  phase: "Pending",
  conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" }],
};
const failed = { terminated: { exitCode: 1, reason: "Error" } };
const unbound = { claims: [claimOf(0, { isBound: false, storageClassName: "fast" })] };

type Row = readonly [name: string, status: object, world: Partial<RelayWorld>, words: RegExp];
const rows: readonly Row[] = [
  [
    "an image that cannot be pulled",
    container({ waiting: { reason: "ErrImagePull", message: "rpc error" } }),
    {},
    /outbound-0 cannot get its image registry\.example\/relay:1: see spec\.pod\.image and spec\.pod\.imagePullSecrets$/,
  ],
  [
    "an image that is waited for",
    container({ waiting: { reason: "ImagePullBackOff", message: "Back-off" } }),
    {},
    /outbound-0 cannot get its image registry\.example\/relay:1:/,
  ],
  [
    "a relay that ends again and again",
    container({ waiting: { reason: "CrashLoopBackOff", message: "back-off 40s" } }, { lastState: failed }),
    {},
    /outbound-0 ended \(exit code 1\) and is started again: see kubectl logs --previous outbound-0 --namespace mail$/,
  ],
  [
    "a relay that ended before and runs",
    container({ running: {} }, { lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } } }),
    {},
    /outbound-0 ended \(OOMKilled, exit code 137\)/,
  ],
  [
    "a Secret that is not there",
    container({ waiting: { reason: "CreateContainerConfigError", message: 'secret "x" not found' } }),
    {},
    /outbound-0 waits: CreateContainerConfigError, secret "x" not found$/,
  ],
  ["no node with room", unscheduled, {}, /outbound-0 has no node: 0\/3 nodes are available$/],
  [
    "a volume that nobody provides",
    unscheduled,
    unbound,
    /; its volume spool-outbound-0 of storage class fast is not provided: see spec\.spool\.storage\.storageClassName$/,
  ],
  [
    "a pod that was evicted",
    { phase: "Failed", reason: "Evicted", message: "low on disk" },
    {},
    /\(Evicted, low on disk\)/,
  ],
  ["a pod that starts", container({ waiting: { reason: "ContainerCreating" } }), {}, /outbound-0 is being started$/],
];

for (const [name, status, world, words] of rows) {
  test(`Available and Programmed tell of ${name}`, () => {
    const whole = relayWorld({ pods: [podFrom(status)], ...world });
    const available = judgeAvailable(whole);
    assert.deepEqual([available.status, available.reason], ["False", "PodsUnavailable"]);
    assert.match(available.message, words);
    assert.match(judgeProgrammed(whole, { revision: "r1", fingerprint: undefined, replicas: 1 }).message, words);
  });
}

test("the words stay while the kubelet tries again", () => {
  const states = [
    container({ waiting: { reason: "CrashLoopBackOff", message: "back-off 10s" } }, { lastState: failed }),
    container({ running: {} }, { lastState: failed }),
    container(failed, { lastState: failed }),
    container({ waiting: { reason: "CrashLoopBackOff", message: "back-off 20s" } }, { lastState: failed }),
  ];
  const messages = states.map((status) => judgeAvailable(relayWorld({ pods: [podFrom(status)] })).message);
  assert.equal(new Set(messages).size, 1);
});

test("a pod that is ready has no hindrance, whatever happened before", () => {
  const ready = {
    ...container({ running: {} }, { lastState: failed }),
    conditions: [{ type: "Ready", status: "True" }],
  };
  assert.equal(podFrom(ready).hindrance, undefined);
});

test("Available says what pods wait for that do not exist, and does not list them all", () => {
  assert.match(judgeAvailable(relayWorld()).message, /once there are a certificate and a configuration/);
  const statefulSet = renderStatefulSet({ relay: relayOf(), image: "i", replicas: 1, present: undefined });
  assert.match(
    judgeAvailable(relayWorld({ statefulSet })).message,
    /kubectl describe statefulset outbound --namespace mail/,
  );
  const pods = [0, 1, 2, 3, 4].map((ordinal) => podOf(`outbound-${ordinal}`, { ready: false, report: undefined }));
  assert.match(judgeAvailable(relayWorld({ pods })).message, /outbound-2 is being started; 2 more$/);
});

const startedAt = "2026-11-23T12:05:00Z";
const changedAt = "2026-11-23T12:00:00Z";
const ended = { lastState: failed };

for (const [what, said, readiness, since] of [
  ["its image is on its way", { state: { waiting: { reason: "ContainerCreating" } } }, "False", undefined],
  ["it has been started", { state: { running: { startedAt } } }, "False", startedAt],
  ["it was ready once", { state: { running: { startedAt: changedAt } } }, "False", changedAt],
  ["it is started again and again", { state: { running: { startedAt } }, ...ended }, "False", changedAt],
  ["it waits to be started again", { state: { waiting: {} }, ...ended }, "False", changedAt],
  ["it is ready", { state: { running: { startedAt } } }, "True", undefined],
] as const) {
  test(`since when a pod is not ready: ${what}`, () => {
    const conditions = [{ type: "Ready", status: readiness, lastTransitionTime: changedAt }];
    const status = { conditions, containerStatuses: [said] };
    const view = podView({ apiVersion: "v1", kind: "Pod", metadata: { name: "outbound-0" }, spec: {}, status });
    assert.equal((view["status"] as { readonly unreadySince?: string }).unreadySince, since);
  });
}
