import assert from "node:assert/strict";
import { test } from "node:test";
import { ForbiddenError, RejectedError } from "../kube/kube.ts";
import type { WrittenKind } from "../kube/objects.ts";
import { rejectionOf } from "./rejection.ts";

const rows: readonly (readonly [kind: WrittenKind, refusedFor: RejectedError["refusedFor"], field: string])[] = [
  ["StatefulSet", "content", "spec.pod"],
  ["StatefulSet", "place", "metadata.namespace"],
  ["StatefulSet", "name", "metadata.name"],
  ["Service", "content", "spec.service"],
  ["Service", "place", "metadata.namespace"],
  ["Certificate", "content", "spec.tls.certManager"],
  ["PersistentVolumeClaim", "content", "spec.spool.storage"],
  ["Secret", "content", "metadata.name"],
  ["Secret", "name", "metadata.name"],
  ["Secret", "place", "metadata.namespace"],
  ["PodMonitor", "content", "metadata.name"],
];

for (const [kind, refusedFor, field] of rows) {
  test(`a ${kind} that is refused for its ${refusedFor} leads to ${field}`, () => {
    const rejection = rejectionOf({ kind, name: "outbound" }, new RejectedError("no", { refusedFor }));
    const spare = kind === "PodMonitor" ? { isSpare: true } : {};
    assert.deepEqual(rejection, {
      ...spare,
      field,
      message: `Kubernetes refuses ${kind} outbound: no`,
    });
  });
}

test("a right that is missing is the namespace's, but for Secrets, and anything else is thrown on", () => {
  const denied = new ForbiddenError("cannot patch resource");
  assert.equal(rejectionOf({ kind: "Service", name: "outbound" }, denied).field, "metadata.namespace");
  assert.equal(rejectionOf({ kind: "Service", name: "outbound" }, denied).isSpare, undefined);
  assert.equal(rejectionOf({ kind: "PodMonitor", name: "outbound" }, denied).isSpare, true);
  assert.throws(() => rejectionOf({ kind: "Secret", name: "outbound" }, denied), denied);
  const defect = new TypeError("x is undefined");
  assert.throws(() => rejectionOf({ kind: "Service", name: "outbound" }, defect), defect);
});
