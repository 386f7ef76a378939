/** Whom a new leader finds replacing pods, from the objects that local mode's store holds. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { labelsFor, templateAnnotation } from "../../../api/labels.ts";
import type { StatefulSet } from "../../kube/kinds.ts";
import { LocalKube } from "../../../local/kube.ts";
import { now, installation, relayOf } from "../../../test/support/operatorobjects.ts";
import { gatherRollouts } from "../gather.ts";
import { templateDigest } from "../objects/podtemplate.ts";
import { renderStatefulSet } from "../objects/statefulset.ts";

interface Present {
  readonly spec?: object;
  /** Of the StatefulSet's template. */
  readonly image?: string;
  /** At whose instance the template was written; absent in a StatefulSet of a release before. */
  readonly instance?: string;
  /** What its controller says. */
  readonly status?: StatefulSet["status"];
  /** Of each pod: made from the StatefulSet's template or another, ready or not. */
  readonly pods: readonly (readonly ["new" | "old", "ready" | "unready"])[];
}

type Row = readonly [what: string, present: Present, replaced: number | undefined, isTelling?: boolean];

const hasEnded = { currentRevision: "outbound-1", updateRevision: "outbound-1" };
const isUnderWay = { currentRevision: "outbound-1", updateRevision: "outbound-2" };

const rows: readonly Row[] = [
  ["one pod, and it does not start", { pods: [["new", "unready"]] }, 0],
  ["one pod, and it is away", { pods: [] }, 0],
  ["one pod, ill since it was ready once", { status: hasEnded, pods: [["new", "unready"]] }, undefined],
  ["one pod, away since it was ready once", { status: hasEnded, pods: [] }, undefined],
  ["one pod, made anew", { status: isUnderWay, pods: [["new", "unready"]] }, 0],
  ["one pod that its owner changed", { instance: "owner", pods: [["new", "unready"]] }, 0, false],
  ["one pod that was ill before", { instance: "illness", pods: [["new", "unready"]] }, 0, false],
  ["one pod that had been out for long", { instance: "outage", pods: [["new", "unready"]] }, 0, false],
  ["one pod of a release", { instance: "release", pods: [["new", "unready"]] }, 0],
  [
    "two pods, the second of which does not start",
    {
      spec: { replicas: 2 },
      pods: [
        ["new", "ready"],
        ["new", "unready"],
      ],
    },
    1,
  ],
  [
    "two pods, one of which is as it was",
    {
      spec: { replicas: 2 },
      pods: [
        ["old", "ready"],
        ["new", "unready"],
      ],
    },
    0,
  ],
  ["pods as they should be", { pods: [["new", "ready"]] }, undefined],
  [
    "an operator before was in the middle of it",
    {
      image: "older",
      spec: { replicas: 2 },
      pods: [
        ["old", "ready"],
        ["new", "ready"],
      ],
    },
    1,
  ],
  [
    "another template is due, and a pod is ill for reasons of its own",
    { image: "older", pods: [["new", "unready"]] },
    undefined,
  ],
  ["somebody paused it", { spec: { paused: true }, pods: [["new", "unready"]] }, undefined],
];

for (const [
  what,
  { spec = {}, image = installation.image, instance, status, pods },
  replaced,
  isTelling = true,
] of rows) {
  test(`a new leader finds a relay: ${what}`, async (context) => {
    const stateDirectory = await mkdtemp(join(tmpdir(), "mailboat-rollouts-"));
    context.after(() => rm(stateDirectory, { recursive: true }));
    const kube = new LocalKube({ stateDirectory, now: () => now, onStatus: () => undefined });
    await kube.open();
    const relay = relayOf({ replicas: 1, ...spec });
    const { name, namespace } = relay.metadata;
    await kube.setGiven([{ file: "a", object: { ...relay, metadata: { name, namespace } } }]);
    const set = renderStatefulSet({
      relay,
      image,
      pods: installation.pods,
      replicas: relay.spec.replicas,
      present: undefined,
      instance,
    });
    await kube.apply({ ...set, status });
    for (const [ordinal, [made, readiness]] of pods.entries()) {
      const template = made === "new" ? (templateDigest(set.spec.template) ?? "") : "before";
      kube.putPod({
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          name: `${name}-${ordinal}`,
          namespace,
          labels: labelsFor(name),
          annotations: { [templateAnnotation]: template },
        },
        status: { podIP: "", ready: readiness === "ready", ports: [], phase: "Running" },
      });
    }
    const found = await gatherRollouts({ kube, installation, now: () => now });
    const expected = replaced === undefined ? undefined : { replaced, isTelling };
    assert.deepEqual(found.get(`${namespace}/${name}`), expected);
  });
}
