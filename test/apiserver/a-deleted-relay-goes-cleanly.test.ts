/**
 * `kubectl delete` of a MailRelay: it goes when its spools are empty and not before, its volumes go when they are proven empty
 * and stay, labelled, when they are not; nothing that was made for it outlives it.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { retainedLabel } from "../../api/labels.ts";
import type { RelayReport } from "../../api/relayreport.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import type { Kind } from "../../operator/kube/objects.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { type Named, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
let pods: PodStandIn;
let operator: OperatorProgram;
/** What the pods of a namespace report beside the usual. */
const reports = new Map<string, Partial<RelayReport>>();

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    pods = await startPods(stage.client, {
      hasVolumes: true,
      report: ({ namespace }) => reports.get(namespace) ?? {},
    });
    operator = stage.operator();
    await operator.leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
});

function spoolWith(queued: number): RelayReport["spool"] {
  const size = { usedBytes: 0, capacityBytes: 1, full: false };
  return { ...size, queuedRecipients: queued, queuedMessages: queued, spoolId: "0123456789abcdef" };
}

/** A relay whose pods are ready and report this. */
async function openRelay(report: Partial<RelayReport>, spec: object = {}): Promise<Named> {
  const namespace = stage.makeNamespace();
  reports.set(namespace, report);
  const relay = { namespace, name: "outbound" };
  stage.apply(relayManifest({ ...relay, spec }), domainManifest({ namespace, name: "example-com" }));
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True", withinMs: 20_000 });
  return relay;
}

function deleteRelay({ namespace, name }: Named): void {
  stage.plane.kubectl(["delete", "mailrelay", name, "--namespace", namespace, "--wait=false"]);
}

async function gone(relay: Named): Promise<void> {
  await until("the relay to be gone", async () => (await stage.get("MailRelay", relay)) === undefined, 20_000);
}

async function volumeOf({ namespace, name }: Named, ordinal = 0): Promise<RawObject | undefined> {
  return stage.get("PersistentVolumeClaim", { namespace, name: `spool-${name}-${ordinal}` });
}

/** A cluster lets a claim go when no pod uses it, by taking a finalizer off; nothing here does. */
function isRemoved(volume: RawObject | undefined): boolean {
  return volume === undefined || volume.metadata.deletionTimestamp !== undefined;
}

test("with empty spools the relay goes at once, and its volumes with it", { skip }, async () => {
  const relay = await openRelay({ draining: true }, { replicas: 2 });
  deleteRelay(relay);
  await gone(relay);
  assert.deepEqual([await volumeOf(relay, 0), await volumeOf(relay, 1)].map(isRemoved), [true, true]);
});

const made: readonly (readonly [Kind, string])[] = [
  ["StatefulSet", "outbound"],
  ["Service", "outbound"],
  ["Service", "outbound-pods"],
  ["ServiceAccount", "outbound"],
  ["PodDisruptionBudget", "outbound"],
  ["NetworkPolicy", "outbound"],
  ["Secret", "outbound-configuration"],
  ["Secret", "outbound-certificate"],
];

test("all that was made for a relay is owned by it and goes with it, but not its volumes", { skip }, async () => {
  const relay = await openRelay({});
  const { uid } = (await stage.read("MailRelay", relay)).metadata;
  for (const [kind, name] of made) {
    const { ownerReferences } = (await stage.read(kind, { namespace: relay.namespace, name })).metadata as Owned;
    assert.deepEqual(
      ownerReferences?.map((owner) => owner.uid),
      [uid],
      `${kind} ${name}`,
    );
  }
  assert.equal(((await volumeOf(relay))?.metadata as Owned | undefined)?.ownerReferences, undefined);
});

interface Owned {
  readonly ownerReferences?: readonly { readonly uid: string }[];
}

test("a relay that holds mail waits for it and says so, until the mail has left", { skip }, async () => {
  const relay = await openRelay({ draining: true, spool: spoolWith(3) });
  deleteRelay(relay);
  const said = await stage.untilCondition("MailRelay", relay, { type: "Draining", status: "True" });
  assert.match(said.message, /outbound-0.*3/);
  // Another operator goes on where this one ends.
  assert.equal(await operator.stop(), 0);
  operator = stage.operator();
  await operator.leading();
  const set = await stage.read("StatefulSet", relay);
  assert.equal((set["spec"] as { readonly replicas: number }).replicas, 1);
  assert.equal(isRemoved(await volumeOf(relay)), false);
  reports.set(relay.namespace, { draining: true, spool: spoolWith(0) });
  await gone(relay);
  assert.equal(isRemoved(await volumeOf(relay)), true);
});

test("a volume that is not proven empty stays, with a label to find it by", { skip }, async () => {
  // Mail can still come in: that none is there now proves nothing.
  const relay = await openRelay({ draining: false, spool: spoolWith(0) });
  deleteRelay(relay);
  await gone(relay);
  const volume = await volumeOf(relay);
  assert.equal(isRemoved(volume), false);
  const found = stage.plane.kubectl(["get", "pvc", "-n", relay.namespace, "-l", retainedLabel, "-o", "name"]);
  assert.equal(found.trim(), "persistentvolumeclaim/spool-outbound-0");
});

test("a relay that was deleted while no operator ran goes when one comes", { skip }, async () => {
  const relay = await openRelay({ draining: true });
  assert.equal(await operator.stop(), 0);
  deleteRelay(relay);
  assert.notEqual((await stage.read("MailRelay", relay)).metadata.deletionTimestamp, undefined);
  operator = stage.operator();
  await operator.leading();
  await gone(relay);
});

test("neither a pause nor a missing right keeps a relay", { skip }, async () => {
  const paused = await openRelay({ draining: true });
  const [resource, fieldManager] = [resourceOf("MailRelay"), "kubectl"];
  await stage.client.mergePatch(resource, paused, { body: { spec: { paused: true } }, fieldManager });
  await stage.untilCondition("MailRelay", paused, { type: "Accepted", reason: "Paused" });
  deleteRelay(paused);
  await gone(paused);

  const blind = await openRelay({ draining: true });
  stage.plane.kubectl(["delete", "rolebinding", "--all", "--namespace", blind.namespace]);
  assert.equal(stage.may("list", "secrets", blind.namespace), false);
  deleteRelay(blind);
  await gone(blind);
});
