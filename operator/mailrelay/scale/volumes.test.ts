import assert from "node:assert/strict";
import { test } from "node:test";
import { emptySpoolAnnotation, queuedAnnotation, retainedLabel } from "../../../api/labels.ts";
import { claimOf, now, podOf, relayOf, relayWorld, reportOf } from "../../../test/support/operatorobjects.ts";
import type { ClaimFact } from "../../pods/facts.ts";
import { planVolumes, storageProblem, type VolumePlan } from "./volumes.ts";
import type { PodFact } from "../../pods/facts.ts";

interface Situation {
  readonly claims: readonly ClaimFact[];
  readonly pods?: readonly PodFact[];
  readonly replicas?: number;
  readonly isDeleting?: boolean;
  readonly spec?: object;
}

function planOf({ claims, pods = [], replicas = 1, isDeleting = false, spec = {} }: Situation): VolumePlan {
  return planVolumes({ world: relayWorld({ relay: relayOf(spec), claims, pods }), replicas, isDeleting });
}

const size = (value: string): object => ({ spool: { storage: { size: value } } });
const proven = reportOf({ draining: true });

test("a volume grows to what the manifest says, and again when it was refused a while ago", () => {
  const claims = [
    claimOf(0),
    claimOf(1, { size: "20Gi" }),
    claimOf(2, { growthRefused: { why: "no", retryAt: now + 1 } }),
    claimOf(3, { growthRefused: { why: "no", retryAt: now } }),
    claimOf(4),
  ];
  assert.deepEqual(planOf({ claims, replicas: 4, spec: size("20Gi") }).grow, [
    { name: "spool-outbound-0", size: "20Gi" },
    { name: "spool-outbound-3", size: "20Gi" },
  ]);
});

test("the same size in other words is no growth", () => {
  assert.deepEqual(planOf({ claims: [claimOf(0)], spec: size("10240Mi") }).grow, []);
});

const problems: readonly (readonly [string, ClaimFact, object, RegExp | undefined])[] = [
  ["a volume as it should be", claimOf(0), {}, undefined],
  ["a volume that is about to grow", claimOf(0), size("20Gi"), undefined],
  ["a larger volume", claimOf(0, { size: "20Gi" }), {}, /size: volume spool-outbound-0 has 20Gi .* set 20Gi or more/],
  [
    "a class that does not let volumes grow",
    claimOf(0, { growthRefused: { why: "no expansion", retryAt: 0 } }),
    size("20Gi"),
    /stays at 10Gi: no expansion/,
  ],
  [
    "another class",
    claimOf(0),
    { spool: { storage: { storageClassName: "fast" } } },
    /storageClassName.*is of standard/,
  ],
];
for (const [name, claim, spec, expected] of problems) {
  test(`storageProblem() ${expected === undefined ? "has nothing to say of" : "tells what to do about"} ${name}`, () => {
    const problem = storageProblem(relayWorld({ relay: relayOf(spec), claims: [claim] }));
    if (expected === undefined) assert.equal(problem, undefined);
    else assert.match(problem ?? "", expected);
  });
}

test("what waits in a volume is written on it while its pod can still say so", () => {
  const pods = [podOf("outbound-1", { report: reportOf({ queued: 7 }) })];
  const { marks, remove } = planOf({ claims: [claimOf(0), claimOf(1)], pods });
  assert.deepEqual(marks, [{ name: "spool-outbound-1", change: { annotations: { [queuedAnnotation]: "7" } } }]);
  assert.deepEqual(remove, []);
});

test("a volume goes only when its spool was empty with no way in, and its pod is gone", () => {
  const emptied = claimOf(1, { queued: 0, emptySpool: "spool-a" });
  assert.deepEqual(planOf({ claims: [emptied] }).remove, ["spool-outbound-1"]);
  assert.deepEqual(planOf({ claims: [emptied], pods: [podOf("outbound-1", { report: proven })] }).remove, []);
  assert.deepEqual(planOf({ claims: [{ ...emptied, isGoing: true }] }).remove, []);
  assert.deepEqual(planOf({ claims: [claimOf(1, { queued: 0 })] }).remove, []);
  assert.deepEqual(planOf({ claims: [emptied], replicas: 0, spec: { replicas: 0 } }).remove, []);
});

test("an empty spool is a proof only when the pod takes no more mail", () => {
  const proof = (report: PodFact["report"]): unknown =>
    planOf({ claims: [claimOf(1)], pods: [podOf("outbound-1", { report })] }).marks[0]?.change.annotations?.[
      emptySpoolAnnotation
    ];
  assert.equal(proof(proven), "spool-a");
  assert.equal(proof(reportOf()), undefined);
  assert.equal(proof(reportOf({ draining: true, queued: 1 })), undefined);
});

test("an old proof is taken off before a pod starts on the volume again", () => {
  const claims = [claimOf(0, { queued: 0, emptySpool: "spool-a" }), claimOf(1, { isRetained: true })];
  const { marks, remove } = planOf({ claims, replicas: 2 });
  const change = {
    labels: { [retainedLabel]: undefined },
    annotations: { [queuedAnnotation]: undefined, [emptySpoolAnnotation]: undefined },
  };
  assert.deepEqual(marks, [
    { name: "spool-outbound-0", change },
    { name: "spool-outbound-1", change },
  ]);
  assert.deepEqual(remove, []);
});

test("a deleted relay leaves volumes that are not proven empty, with a label that says so", () => {
  const claims = [claimOf(0), claimOf(1, { queued: 0, emptySpool: "spool-a" })];
  const { marks, remove, grow } = planOf({ claims, replicas: 0, isDeleting: true, spec: size("20Gi") });
  assert.deepEqual(marks, [
    { name: "spool-outbound-0", change: { labels: { [retainedLabel]: "true" }, annotations: {} } },
  ]);
  assert.deepEqual([remove, grow], [["spool-outbound-1"], []]);
});

test("a proof is taken back while the pod still answers and may have taken mail since", () => {
  const claims = [claimOf(0), claimOf(1, { queued: 0, emptySpool: "spool-a" })];
  const pods = [podOf("outbound-0"), podOf("outbound-1", { report: reportOf({ queued: 0 }) })];
  assert.deepEqual(planOf({ claims, pods }).marks, [
    { name: "spool-outbound-1", change: { annotations: { [emptySpoolAnnotation]: undefined } } },
  ]);
  const full = [podOf("outbound-0"), podOf("outbound-1", { report: reportOf({ queued: 2, draining: true }) })];
  assert.deepEqual(planOf({ claims, pods: full }).marks, [
    {
      name: "spool-outbound-1",
      change: { annotations: { [queuedAnnotation]: "2", [emptySpoolAnnotation]: undefined } },
    },
  ]);
});
