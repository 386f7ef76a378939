import assert from "node:assert/strict";
import { test } from "node:test";
import { now, installation, podOf, relayOf, relayWorld, reportOf } from "../../../test/support/operatorobjects.ts";
import { documentVersionFor } from "./versions.ts";
import { wantedTemplate } from "./rollout.ts";
import type { PodFact } from "../../pods/facts.ts";

const ours = relayOf();
const pinned = relayOf({ pod: { image: "mirror.example/mailboat:old" } });
const today = (relay = ours): string => wantedTemplate({ relay, installation }) ?? "";

const newer = (fact: Partial<PodFact> = {}): PodFact => podOf("p0", fact);
const older = (fact: Partial<PodFact> = {}): PodFact =>
  podOf("p1", { report: reportOf({ reads: undefined }), ...fact });
/** A minute has to have passed before a pod that says nothing is taken to be unable to. */
const long = { unreadySince: now - 60_000 };
const silent = (fact: Partial<PodFact> = {}): PodFact => podOf("p2", { report: undefined, ready: false, ...fact });

type Row = readonly [
  what: string,
  relay: typeof ours,
  pods: readonly PodFact[],
  mounted: 1 | 2 | undefined,
  version: 1 | 2,
];

const rows: readonly Row[] = [
  ["a relay that is new", ours, [], undefined, 2],
  ["a relay that is new and has another image", pinned, [], undefined, 1],
  ["pods that read the newest", ours, [newer(), newer()], 1, 2],
  ["one pod of the release before", ours, [newer(), older()], 1, 1],
  ["one pod of the release before that came while the newest was there", ours, [newer(), older()], 2, 1],
  ["a relay whose image is pinned to the release before", pinned, [older(), older()], 1, 1],
  ["a relay whose image is pinned, and reads the newest", pinned, [newer({ template: today(pinned) })], 1, 2],
  ["a pod of our image that starts", ours, [newer(), silent({ template: today() })], 2, 2],
  [
    "a pod of our image that starts beside one of the release before",
    ours,
    [older(), silent({ template: today() })],
    1,
    1,
  ],
  ["a pod of an older template that says nothing", ours, [silent({ template: "older" })], 2, 2],
  ["a pod of an older template that says nothing, before the newest was written", ours, [silent()], 1, 1],
  [
    "a pod of another image that says nothing and does not become ready for a minute",
    pinned,
    [silent({ template: today(pinned), ...long })],
    2,
    1,
  ],
  [
    "a pod of a mirror's image that starts on another template, beside ones that read the newest",
    pinned,
    [newer({ template: "older" }), silent({ template: today(pinned), unreadySince: now - 59_999 })],
    2,
    2,
  ],
  [
    "the first pod of a mirror's image, which no node has yet",
    pinned,
    [newer({ template: "older" }), silent({ template: today(pinned) })],
    2,
    2,
  ],
  [
    "a pod of another image that says nothing for a minute, beside ones that read the newest",
    pinned,
    [newer({ template: "older" }), silent({ template: today(pinned), ...long })],
    2,
    1,
  ],
  [
    "a pod of another image that starts while older documents are there",
    pinned,
    [silent({ template: today(pinned) })],
    1,
    1,
  ],
  [
    "a pod of another image that is ready and did not answer",
    pinned,
    [silent({ template: today(pinned), ready: true })],
    2,
    2,
  ],
  [
    "a pod of another image that starts beside one that reads the newest",
    pinned,
    [newer({ template: today(pinned) }), silent({ template: today(pinned) })],
    2,
    2,
  ],
  ["a pod that told before it was started again", pinned, [silent({ template: today(pinned), reads: 2 })], 2, 2],
  ["a pod that goes and says nothing", ours, [newer(), silent({ isGoing: true })], 1, 2],
  ["a pod that goes and cannot read the newest", ours, [newer(), older({ isGoing: true })], 1, 1],
  ["pods of a release after this one", ours, [newer({ report: reportOf({ reads: 9 }) })], 1, 2],
];

test("a chart that pins the relays' image to the release before: nothing is taken for granted of a pod that starts", () => {
  const pinnedByChart = { ...installation, image: "mailboat-relay:older" };
  const template = wantedTemplate({ relay: ours, installation: pinnedByChart });
  const world = relayWorld({ relay: ours, installation: pinnedByChart });
  assert.equal(documentVersionFor({ ...world, pods: [silent({ template, ...long })] }, 2), 1);
  assert.equal(documentVersionFor({ ...world, pods: [] }, 1), 1);
});

for (const [what, relay, pods, mounted, version] of rows) {
  test(`${what}: documents of version ${version}`, () => {
    assert.equal(documentVersionFor(relayWorld({ relay, pods }), mounted), version);
  });
}
