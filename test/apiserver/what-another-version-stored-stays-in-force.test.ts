/**
 * A MailRelay that was stored under another version's definition, and whose spec this one does not take: the condition says
 * which field, the pods keep what they have, and it can be deleted without losing a volume.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { drainFinalizer, relayLabel, retainedLabel } from "../../api/labels.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { isFailure } from "../../operator/kube/client/failure.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { eventResource } from "../../operator/kube/events.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { type Named, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const timeout = 90_000;
let stage: OperatorStage;
let pods: PodStandIn;
let operator: OperatorProgram | undefined;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    pods = await startPods(stage.client);
  },
  { timeout: 1_800_000 },
);

afterEach(async () => {
  await operator?.stop();
  operator = undefined;
});

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
});

const relays = resourceOf("MailRelay");
const definition = join(repositoryRoot, "crds/mailrelays.yaml");

interface Other {
  readonly field: string;
  /** Of the field, in the other definition. */
  readonly schema: object;
  /** What only that definition takes. */
  readonly value: unknown;
}

/** Writes what only another version's definition takes, and brings ours back. */
async function storeUnder({ field, schema, value }: Other, write: () => Promise<unknown>): Promise<void> {
  const spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec";
  const change = JSON.stringify([
    // Rules of ours speak of fields that are not the other's.
    { op: "remove", path: `${spec}/x-kubernetes-validations` },
    { op: "replace", path: `${spec}/properties/${field}`, value: schema },
  ]);
  stage.plane.kubectl(["patch", "crd", "mailrelays.mailboat.dev", "--type=json", "--patch", change]);
  // The server goes by the definition before for a moment.
  await until("the other definition", () =>
    write().then(
      () => true,
      (error: unknown) => {
        if (isFailure(error, "Invalid")) return false;
        throw error;
      },
    ),
  );
  stage.plane.kubectl(["replace", "-f", "-"], readFileSync(definition, "utf8"));
  await until("our definition", async () => {
    const probe = relayManifest({ namespace: "default", name: "probe", spec: { [field]: value } });
    return stage.client.create(relays, probe, "test").then(
      () => stage.client.delete(relays, { namespace: "default", name: "probe" }, {}).then(() => false),
      (error: unknown) => isFailure(error, "Invalid"),
    );
  });
}

async function patch(place: Named, spec: object): Promise<RawObject> {
  return stage.client.mergePatch(relays, place, { body: { spec }, fieldManager: "kubectl-edit" });
}

/** A relay that serves, and whose hostname is one that only the other version takes by the time an operator sees it. */
async function misfit(namespace: string): Promise<Named> {
  const place = { namespace, name: "outbound" };
  await lead();
  stage.apply(relayManifest(place), domainManifest({ namespace, name: "example-com" }));
  await stage.untilCondition("SenderDomain", { namespace, name: "example-com" }, { type: "Ready", status: "True" });
  await stage.untilCondition("MailRelay", place, { type: "Ready", status: "True" });
  const other: Other = { field: "hostname", schema: { type: "string" }, value: "two words" };
  // The writes of the operator before would go by the other definition.
  await operator?.stop();
  await storeUnder(other, () => patch(place, { hostname: other.value }));
  await lead();
  return place;
}

async function lead(): Promise<void> {
  operator = stage.operator();
  await operator.leading();
}

test("its pods and objects stay as they are, status names the field, and it heals", { skip, timeout }, async () => {
  const namespace = stage.makeNamespace();
  const place = await misfit(namespace);
  const domain = { namespace, name: "example-com" };
  const told = async (): Promise<void> => {
    const { message } = await stage.untilCondition("MailRelay", place, { type: "Accepted", reason: "Invalid" });
    assert.match(message, /^spec\.hostname: must be .*until this is corrected$/);
    await stage.untilCondition("MailRelay", place, { type: "Stalled", status: "True" });
    await stage.untilCondition("MailRelay", place, { type: "Available", status: "True" });
    const { message: why } = await stage.untilCondition("SenderDomain", domain, {
      type: "Accepted",
      reason: "RelayInvalid",
    });
    assert.match(why, /MailRelay .*\/outbound cannot be read \(spec\.hostname: /);
    await stage.untilCondition("SenderDomain", domain, { type: "Programmed", status: "True" });
  };
  await told();
  const since = await stage.untilQuiet();
  const generation = (await stage.read("MailRelay", place)).metadata["generation"];
  await operator?.stop();
  await lead();
  await stage.untilQuiet();
  await told();
  assert.deepEqual(stage.writes(since), [], "a new operator finds nothing to write");
  assert.equal((await stage.read("MailRelay", place)).metadata["generation"], generation);
  await patch(place, { hostname: "relay.example.com" });
  await stage.untilCondition("MailRelay", place, { type: "Ready", status: "True" });
  await stage.untilCondition("SenderDomain", domain, { type: "Ready", status: "True" });
});

test("when it is deleted it goes, and its volumes are kept and labelled", { skip, timeout }, async () => {
  const namespace = stage.makeNamespace();
  const place = await misfit(namespace);
  await stage.untilCondition("MailRelay", place, { type: "Stalled", status: "True" });
  const claim = { namespace, name: "spool-outbound-0" };
  stage.apply({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { ...claim, labels: { [relayLabel]: "outbound" } },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  });
  await stage.client.delete(relays, place, {});
  await until("the end of the relay", async () => (await stage.get("MailRelay", place)) === undefined, 20_000);
  const { labels } = (await stage.read("PersistentVolumeClaim", claim)).metadata;
  assert.equal(labels?.[retainedLabel], "true");
});

test("one that no write is taken of is told in an event, and holds up no release", { skip, timeout }, async () => {
  const namespace = stage.makeNamespace();
  const place = { namespace, name: "awry" };
  const schema = { "x-kubernetes-preserve-unknown-fields": true };
  const other: Other = { field: "listeners", schema, value: { submission: 587 } };
  const awry = relayManifest({ ...place, spec: { listeners: other.value } });
  const stored = { ...awry, metadata: { ...awry.metadata, finalizers: [drainFinalizer] } };
  await storeUnder(other, () => stage.client.create(relays, stored, "kubectl"));
  await lead();
  const note = await until("an event", async () => {
    const { items } = await stage.client.list(eventResource, { namespace }, {});
    return items.map((item) => String(item["note"])).find((text) => text.includes("takes no write"));
  });
  assert.match(note, /spec\.listeners: must be a list/);
  assert.equal(operator?.program.logs("reconcile failed and is tried again").length, 0);
  stage.apply(relayManifest({ namespace, name: "later" }));
  await stage.until("MailRelay", { namespace, name: "later" }, { what: "a finalizer", fits: isHeld });
  await operator.stop();
  const flags = { kubeconfig: stage.operatorKubeconfig, namespace: stage.operatorNamespace };
  const program = new Program({
    command: [
      process.execPath,
      join(repositoryRoot, "operator/main.ts"),
      "release",
      ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
    ],
    logFile: join(makeResultsDirectory(import.meta.url, "release"), "release.log"),
    env: {},
  });
  assert.equal(await program.exited, 0);
  assert.equal(isHeld(await stage.read("MailRelay", { namespace, name: "later" })), false);
  assert.ok(program.logs("a finalizer stays on: correct the spec and take it off by hand").length > 0);
});

function isHeld({ metadata }: RawObject): boolean {
  const list = metadata["finalizers"];
  return Array.isArray(list) && list.includes(drainFinalizer);
}
