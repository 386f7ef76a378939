/** Which version of the documents a relay's status tells: domains wake at it, and write in the one that is mounted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { documentVersions } from "../../../api/relayconfig.ts";
import { planRelay } from "../../../test/support/plans.ts";
import { podOf, relayOf, relayWorld, reportOf } from "../../../test/support/operatorobjects.ts";
import { renderShard } from "../../binding/shards.ts";
import { readShard } from "../../kube/shard.ts";
import { readRelayDocument, relayDocumentOf } from "../document.ts";
import { renderConfiguration } from "../objects/configuration.ts";
import type { RelayPlan } from "../plan.ts";
import type { RelayWorld } from "../world.ts";
import { actionsOf } from "../../work/actions.ts";

const older = podOf("outbound-0", { report: reportOf({ reads: undefined }) });
const newer = podOf("outbound-0");
const { oldest, newest } = documentVersions;

/** A relay whose configuration was written for these pods. */
function writtenFor(pod: typeof newer, world: Partial<RelayWorld> = {}): RelayWorld {
  const base = relayWorld({ ...world, pods: [pod] });
  const { document } = relayDocumentOf(base);
  assert.ok(document !== undefined);
  return { ...base, configuration: renderConfiguration(base.relay, document) };
}

function versionWritten({ actions }: RelayPlan): number | undefined {
  const object = actionsOf("apply", actions).find(
    (one) => one.object.metadata.name === "outbound-configuration",
  )?.object;
  return object?.kind === "Secret" ? readRelayDocument(object)?.version : undefined;
}

test("status tells the version that is mounted, not one that is about to be", () => {
  const before = writtenFor(older);
  const rising = planRelay({ ...before, pods: [newer] });
  assert.deepEqual([rising.status.documentVersion, versionWritten(rising)], [oldest, newest]);
  const after = writtenFor(newer);
  assert.equal(planRelay(after).status.documentVersion, newest);
  const falling = planRelay({ ...after, pods: [older] });
  assert.deepEqual([falling.status.documentVersion, versionWritten(falling)], [newest, oldest]);
});

const relay = relayOf();
const leftOver = readShard({ ...renderShard(relay, "22"), data: { "example.com.json": "e30=" } });

for (const [what, world] of [
  ["whose shards are not clean", { shards: new Map([["22", leftOver]]) }],
  ["that is paused", { relay: relayOf({ paused: true }) }],
] as const) {
  test(`a relay ${what} tells the version that its pods have until it is written for them`, () => {
    const plan = planRelay({ ...writtenFor(older, world), pods: [newer] });
    assert.deepEqual([plan.status.documentVersion, versionWritten(plan)], [oldest, undefined]);
  });
}

test("a configuration that somebody deletes is written again in the version that the pods have", () => {
  const pinned = {
    ...relayOf({ pod: { image: "mirror.example/mailboat:next" } }),
    status: { documentVersion: newest },
  };
  const silent = podOf("outbound-0", { report: undefined });
  const plan = planRelay(relayWorld({ relay: pinned, pods: [silent] }));
  assert.deepEqual([plan.status.documentVersion, versionWritten(plan)], [newest, newest]);
  const unknown = planRelay(relayWorld());
  assert.equal(unknown.status.documentVersion, undefined);
});
