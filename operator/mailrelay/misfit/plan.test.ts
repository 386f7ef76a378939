import assert from "node:assert/strict";
import { test } from "node:test";
import { drainFinalizer } from "../../../api/labels.ts";
import type { MailRelayStatus } from "../../../api/mailrelay.ts";
import { claimOf, now, podOf, relayOf, reportOf } from "../../../test/support/operatorobjects.ts";
import type { ObjectMeta } from "../../kube/objects.ts";
import { renderStatefulSet } from "../objects/statefulset.ts";
import { type MisfitPlan, type MisfitWorld, planMisfit } from "../../../test/support/plans.ts";

const relay = relayOf();
const statefulSet = renderStatefulSet({ relay, image: "relay", replicas: 2, present: undefined });

function worldOf(metadata: Partial<ObjectMeta> = {}, world: Partial<MisfitWorld> = {}): MisfitWorld {
  const pods = [podOf("outbound-0"), podOf("outbound-1", { report: reportOf({ queued: 7 }) })];
  return {
    now,
    relay: {
      kind: "MailRelay",
      metadata: { ...relay.metadata, finalizers: [drainFinalizer], generation: 4, ...metadata },
      status: statusOf(),
      faults: ["spec.hostname: must be a host name", "spec.next: is no field"],
    },
    statefulSet,
    figures: undefined,
    rejections: [],
    pods,
    claims: [claimOf(0), claimOf(1)],
    ...world,
  };
}

function statusOf(): MailRelayStatus {
  const lastTransitionTime = "2026-11-01T00:00:00Z";
  const said = { status: "True", message: "as it was", lastTransitionTime, observedGeneration: 3 } as const;
  return {
    observedGeneration: 3,
    revision: "r1",
    conditions: [
      { type: "Accepted", reason: "Accepted", ...said },
      { type: "Programmed", reason: "Programmed", ...said },
    ],
  };
}

function condition(plan: MisfitPlan, type: string) {
  return plan.status.conditions?.find((entry) => entry.type === type);
}

const deleted = new Date(now).toISOString();

test("nothing is touched, and status says what to correct and what runs all the same", () => {
  const plan = planMisfit(worldOf());
  assert.deepEqual([plan.finalizer, plan.marks], [undefined, []]);
  const accepted = condition(plan, "Accepted");
  assert.deepEqual([accepted?.status, accepted?.reason, accepted?.observedGeneration], ["False", "Invalid", 4]);
  assert.match(accepted?.message ?? "", /^spec\.hostname: must be a host name; spec\.next: is no field; pods go on/);
  assert.equal(condition(plan, "Stalled")?.status, "True");
  assert.equal(condition(plan, "Available")?.status, "True");
  assert.equal(condition(plan, "Programmed")?.observedGeneration, 3, "of this spec that was never judged");
  const { revision, queued, readyReplicas, desiredReplicas } = plan.status;
  assert.deepEqual([revision, queued, readyReplicas, desiredReplicas], ["r1", 7, 2, 2]);
  assert.deepEqual(
    plan.events.map(({ type, reason }) => [type, reason]),
    [["Warning", "Invalid"]],
  );
});

test("a volume that was proven empty is proven no longer: somebody may scale by hand meanwhile", () => {
  const { marks } = planMisfit(worldOf({}, { claims: [claimOf(0), claimOf(1, { emptySpool: "one" })] }));
  assert.deepEqual(
    marks.map(({ reference, change }) => [reference.name, change]),
    [["spool-outbound-1", { annotations: { "mailboat.dev/empty-spool": undefined } }]],
  );
});

test("a second look finds the status as it is to be", () => {
  const first = planMisfit(worldOf());
  const world = worldOf();
  const second = planMisfit({ ...world, relay: { ...world.relay, status: first.status } });
  assert.deepEqual(second.status, first.status);
  assert.deepEqual(second.events, []);
});

test("deleted, it takes no more clients, names its volumes and waits for the mail in its spools", () => {
  const plan = planMisfit(worldOf({ deletionTimestamp: deleted }));
  assert.equal(plan.finalizer, undefined);
  assert.deepEqual(
    plan.marks.map(({ reference: { kind, name }, change }) => [kind, name, change]),
    [
      ["Pod", "outbound-0", { labels: { "mailboat.dev/serving": undefined } }],
      ["Pod", "outbound-1", { labels: { "mailboat.dev/serving": undefined } }],
      ...[0, 7].map((queued, ordinal) => [
        "PersistentVolumeClaim",
        `spool-outbound-${ordinal}`,
        { labels: { "mailboat.dev/retained-spool": "true" }, annotations: { "mailboat.dev/queued": String(queued) } },
      ]),
    ],
  );
  assert.match(condition(plan, "Draining")?.message ?? "", /outbound-1 \(7 recipients wait\)/);
});

test("deleted, it goes once its spools are empty, or when the deadline is over", () => {
  const metadata = { deletionTimestamp: deleted };
  const empty = planMisfit(worldOf(metadata, { pods: [podOf("outbound-0"), podOf("outbound-1")] }));
  assert.equal(empty.finalizer, "takeOff");
  assert.equal(planMisfit(worldOf(metadata, { now: now + 300_000 - 1 })).finalizer, undefined);
  assert.equal(planMisfit(worldOf(metadata, { now: now + 300_000 })).finalizer, "takeOff");
  const silent = [podOf("outbound-0", { report: undefined })];
  assert.equal(planMisfit(worldOf(metadata, { pods: silent })).finalizer, undefined);
});

test("one that has volumes and lost its finalizer gets it again, and once deleted is left alone", () => {
  assert.equal(planMisfit(worldOf({ finalizers: [] })).finalizer, "put");
  assert.equal(planMisfit(worldOf({ finalizers: [] }, { claims: [] })).finalizer, undefined);
  const gone = planMisfit(worldOf({ finalizers: ["other"], deletionTimestamp: deleted }));
  assert.deepEqual([gone.finalizer, gone.marks], [undefined, []]);
});
