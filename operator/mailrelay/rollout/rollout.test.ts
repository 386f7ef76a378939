import assert from "node:assert/strict";
import { test } from "node:test";
import { generationAnnotation, rolloutAnnotation } from "../../../api/labels.ts";
import { installation, now, podOf, relayOf, relayWorld } from "../../../test/support/operatorobjects.ts";
import type { StatefulSet } from "../../kube/kinds.ts";
import { renderStatefulSet } from "../objects/statefulset.ts";
import { planRelay } from "../../../test/support/plans.ts";
import type { RelayWorld } from "../world.ts";
import { judgeRollout, setToApply, wantedTemplate } from "./rollout.ts";
import type { PodFact } from "../../pods/facts.ts";

const seen = { ...relayOf({ replicas: 2 }), status: { observedGeneration: 3 } };
const setOf = (image: string, replicas = 2) =>
  renderStatefulSet({ relay: relayOf({ replicas: 2 }), image, pods: installation.pods, replicas, present: undefined });
const template = wantedTemplate({ relay: relayOf({ replicas: 2 }), installation });
const pod = (name: string, fact: Partial<PodFact> = {}): PodFact => podOf(name, { template, ...fact });
const stale = (name: string, fact: Partial<PodFact> = {}): PodFact => podOf(name, { template: "older", ...fact });

function madeFrom(generation: number | undefined, set: StatefulSet): StatefulSet {
  const annotations = generation === undefined ? {} : { [generationAnnotation]: String(generation) };
  return { ...set, metadata: { ...set.metadata, annotations } };
}

/** Not available for so many minutes, as its status says. */
function outSince(minutes: number) {
  const lastTransitionTime = new Date(now - minutes * 60_000).toISOString();
  const available = { type: "Available", status: "False", reason: "PodsUnavailable", message: "" } as const;
  return { ...seen, status: { ...seen.status, conditions: [{ ...available, lastTransitionTime }] } };
}

type Row = readonly [what: string, world: Partial<RelayWorld>, rollout: string];

const rows: readonly Row[] = [
  ["a relay without pods yet", { statefulSet: undefined }, "done"],
  ["pods as they should be", { statefulSet: setOf(installation.image), pods: [pod("0"), pod("1")] }, "done"],
  ["another image of the operator", { statefulSet: setOf("older"), pods: [stale("0"), stale("1")] }, "due operator"],
  [
    "a spec that nobody has looked at",
    { relay: relayOf({ replicas: 2 }), statefulSet: setOf("older"), pods: [stale("0"), stale("1")] },
    "due owner",
  ],
  [
    "a spec that was looked at while nothing could be written",
    { statefulSet: madeFrom(2, setOf("older")), pods: [stale("0"), stale("1")] },
    "due owner",
  ],
  [
    "another image of the operator, and a StatefulSet of a release that did not say what it is made from",
    { statefulSet: madeFrom(undefined, setOf("older")), pods: [stale("0"), stale("1")] },
    "due operator",
  ],
  [
    "another image while no pod is ready for long",
    {
      relay: outSince(10),
      statefulSet: setOf("older"),
      pods: [stale("0", { ready: false }), stale("1", { ready: false })],
    },
    "due outage",
  ],
  [
    "another image while no pod is ready for a moment",
    { relay: outSince(9), statefulSet: setOf("older"), pods: [stale("0", { ready: false })] },
    "due operator",
  ],
  [
    "another image while one pod is ready",
    { relay: outSince(10), statefulSet: setOf("older"), pods: [stale("0"), stale("1", { ready: false })] },
    "due operator",
  ],
  ["another image while the relay sleeps", { statefulSet: setOf("older", 0), pods: [] }, "due owner"],
  ["one of two replaced", { statefulSet: setOf(installation.image), pods: [pod("0"), stale("1")] }, "underWay 1"],
  [
    "one of two replaced, not ready",
    { statefulSet: setOf(installation.image), pods: [pod("0", { ready: false }), stale("1")] },
    "underWay 0",
  ],
  [
    "all replaced, one not ready",
    { statefulSet: setOf(installation.image), pods: [pod("0"), pod("1", { ready: false })] },
    "starting 1",
  ],
  ["the last one away", { statefulSet: setOf(installation.image), pods: [pod("0")] }, "starting 1"],
];

for (const [what, world, expected] of rows) {
  test(`${what}: ${expected}`, () => {
    const rollout = judgeRollout(relayWorld({ relay: seen, ...world }));
    const detail = rollout.kind === "due" ? ` ${rollout.by}` : "replaced" in rollout ? ` ${rollout.replaced}` : "";
    assert.equal(`${rollout.kind}${detail}`, expected);
  });
}

const due = relayWorld({ relay: seen, statefulSet: setOf("older"), pods: [stale("p0"), stale("p1")] });
const setIn = (world: RelayWorld) => planRelay(world).apply.find(({ kind }) => kind === "StatefulSet");
const acceptedIn = (world: RelayWorld) =>
  planRelay(world).status.conditions?.find(({ type }) => type === "Accepted")?.reason;

test("until its turn a relay's StatefulSet is not written, and its status says what it waits for", () => {
  assert.equal(setIn(due), undefined);
  assert.equal(acceptedIn(due), "RolloutPending");
  const turn = { ...due, hasTurn: true };
  assert.equal(setIn(turn)?.kind === "StatefulSet" && wantedTemplate(due), template);
  assert.equal(acceptedIn(turn), "Accepted");
});

for (const [what, world] of [
  ["paused", { relay: { ...seen, spec: { ...seen.spec, paused: true } } }],
  ["not seen", { forbidden: new Set(["outbound-configuration"]) }],
] as const) {
  test(`a relay that is ${what} does not wait for a turn, and its status does not say so`, () => {
    const plan = planRelay({ ...due, ...world });
    assert.equal(plan.rollout, undefined);
    const remarks = plan.status.conditions?.map(({ reason, message }) => `${reason} ${message}`) ?? [];
    assert.doesNotMatch(remarks.join("; "), /RolloutPending|replaces them/);
  });
}

const changed = relayOf({ replicas: 2 });
const ready = [stale("p0"), stale("p1")];
const ill = [stale("p0"), stale("p1", { ready: false })];
const marked = (instance: string): StatefulSet => {
  const set = setOf(installation.image);
  return { ...set, metadata: { ...set.metadata, annotations: { [rolloutAnnotation]: instance } } };
};

const instances: readonly (readonly [what: string, world: Partial<RelayWorld>, instance: string | undefined])[] = [
  ["a relay that is new", { statefulSet: undefined, pods: [] }, "owner"],
  ["what its owner changed", { relay: changed, pods: ready }, "owner"],
  ["a release, of a whole relay", { hasTurn: true, pods: ready }, "release"],
  ["a release, of a relay with a pod that is not ready", { hasTurn: true, pods: ill }, "illness"],
  ["a release, of a relay without pods that take mail", { relay: outSince(10), pods: ill.slice(1) }, "outage"],
  ["nobody: what was written last says why", { statefulSet: marked("illness"), pods: ready }, "illness"],
  ["nobody, by a release that did not say", { statefulSet: setOf(installation.image), pods: ready }, undefined],
];

for (const [what, world, instance] of instances) {
  test(`a StatefulSet says at whose instance its template was written: ${what}`, () => {
    const known = { ...due, ...world };
    const [set] = setToApply(known, 2, judgeRollout(known));
    assert.equal(set?.metadata.annotations?.[rolloutAnnotation], instance);
    assert.equal(set?.metadata.annotations?.[generationAnnotation], "3");
  });
}

test("a relay that waits for its turn is scaled with the template that it has", () => {
  const more = { ...due, relay: { ...seen, spec: { ...seen.spec, replicas: 3 } } };
  const set = setIn(more);
  assert.ok(set?.kind === "StatefulSet");
  assert.deepEqual([set.spec.replicas, set.spec.template], [3, due.statefulSet?.spec.template]);
});
