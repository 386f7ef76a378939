import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawObject } from "./client/resource.ts";
import { type Candidacy, heldLease, type LeaseStep, nextStep, releasedLease } from "./leaserecord.ts";

const holding = { namespace: "mail", name: "operator", identity: "a", durationMs: 15_000, at: 0 };

function leaseOf(holder: string, seconds = 15): RawObject {
  return {
    metadata: { namespace: "mail", name: "operator", resourceVersion: "7" },
    spec: { holderIdentity: holder, leaseDurationSeconds: seconds, leaseTransitions: 3, acquireTime: "then" },
  };
}

const rows: readonly (readonly [string, Partial<Candidacy>, LeaseStep])[] = [
  ["makes a lease that is not there", { lease: undefined }, { kind: "create" }],
  ["renews its own", { lease: leaseOf("a") }, { kind: "renew" }],
  ["renews its own even when it is old", { lease: leaseOf("a"), now: 99_000 }, { kind: "renew" }],
  ["takes one that was given up", { lease: leaseOf("", 1) }, { kind: "take" }],
  ["waits for another's", { lease: leaseOf("b"), now: 4_000 }, { kind: "wait", holder: "b", forMs: 11_000 }],
  ["takes one that was seen unchanged for its whole duration", { lease: leaseOf("b"), now: 15_000 }, { kind: "take" }],
  [
    "measures from when it saw the lease",
    { lease: leaseOf("b"), observedAt: 9_000, now: 20_000 },
    { kind: "wait", holder: "b", forMs: 4_000 },
  ],
  [
    "takes one without a duration",
    { lease: { metadata: { name: "x" }, spec: { holderIdentity: "b" } } },
    { kind: "take" },
  ],
];

for (const [name, candidacy, step] of rows) {
  test(`nextStep() ${name}`, () => {
    assert.deepEqual(nextStep({ identity: "a", lease: undefined, observedAt: 0, now: 0, ...candidacy }), step);
  });
}

test("heldLease() counts a change of holder and keeps when a holder began", () => {
  assert.deepEqual(heldLease(leaseOf("b"), holding)["spec"], {
    holderIdentity: "a",
    leaseDurationSeconds: 15,
    acquireTime: "1970-01-01T00:00:00.000000Z",
    renewTime: "1970-01-01T00:00:00.000000Z",
    leaseTransitions: 4,
  });
  assert.deepEqual(heldLease(leaseOf("a"), holding)["spec"], {
    holderIdentity: "a",
    leaseDurationSeconds: 15,
    acquireTime: "then",
    renewTime: "1970-01-01T00:00:00.000000Z",
    leaseTransitions: 3,
  });
});

test("releasedLease() has no holder and keeps its resourceVersion, so that it cannot undo another's taking", () => {
  const released = releasedLease(leaseOf("a"), 0);
  assert.equal(released.metadata.resourceVersion, "7");
  assert.deepEqual(nextStep({ identity: "b", lease: released, observedAt: 0, now: 0 }), { kind: "take" });
});
