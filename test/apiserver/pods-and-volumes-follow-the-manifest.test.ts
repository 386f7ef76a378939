/** As many pods as somebody asks for, with kubectl or by load, and volumes that grow where the cluster lets them. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RelayReport } from "../../api/relayreport.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { relayManifest } from "../support/controlplane/manifests.ts";
import { type Named, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
let pods: PodStandIn;
/** What the pods of a namespace report beside the usual. */
const reports = new Map<string, Partial<RelayReport>>();

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    stage.apply(storageClass("elastic", true), storageClass("stiff", false));
    pods = await startPods(stage.client, {
      hasVolumes: true,
      report: ({ namespace }) => reports.get(namespace) ?? {},
    });
    await stage.operator().leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await stage.close();
});

function storageClass(name: string, allowVolumeExpansion: boolean): object {
  const kind = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name } };
  return { ...kind, provisioner: "example.com/disk", allowVolumeExpansion };
}

async function openRelay(spec: object = {}): Promise<Named> {
  const relay = { namespace: stage.makeNamespace(), name: "outbound" };
  stage.apply(relayManifest({ ...relay, spec }));
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True", withinMs: 20_000 });
  return relay;
}

async function untilReplicas(relay: Named, replicas: number): Promise<void> {
  const fits = (set: RawObject): boolean => (set["spec"] as { readonly replicas: number }).replicas === replicas;
  await stage.until("StatefulSet", relay, { what: `${replicas} replicas`, fits });
}

interface Scale {
  readonly spec: { readonly replicas: number };
  readonly status: { readonly replicas: number; readonly selector: string };
}

function scaleOf({ namespace, name }: Named): Scale {
  const path = `/apis/mailboat.dev/v1alpha1/namespaces/${namespace}/mailrelays/${name}/scale`;
  return JSON.parse(stage.plane.kubectl(["get", "--raw", path])) as Scale;
}

function scale({ namespace, name }: Named, replicas: number): void {
  stage.plane.kubectl(["scale", "mailrelay", name, `--replicas=${replicas}`, "--namespace", namespace]);
}

test("kubectl scale adds pods and takes them away, with their empty volumes", { skip }, async () => {
  const relay = await openRelay();
  reports.set(relay.namespace, { draining: true });
  scale(relay, 3);
  await untilReplicas(relay, 3);
  await until("three pods in the scale", () => scaleOf(relay).status.replicas === 3);
  assert.equal(scaleOf(relay).spec.replicas, 3);
  const selected = stage.plane.kubectl([
    "get",
    "pods",
    "-o",
    "name",
    "--namespace",
    relay.namespace,
    "-l",
    scaleOf(relay).status.selector,
  ]);
  assert.equal(selected.trim().split("\n").length, 3);
  await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True" });

  scale(relay, 1);
  await untilReplicas(relay, 1);
  await until("one pod in the scale", () => scaleOf(relay).status.replicas === 1);
  for (const [ordinal, isKept] of [true, false, false].entries()) {
    await until(`volume ${ordinal}`, async () => (await isThere(relay, ordinal)) === isKept);
  }
});

/** A cluster lets a claim go when no pod uses it, by taking a finalizer off; nothing here does. */
async function isThere({ namespace, name }: Named, ordinal: number): Promise<boolean> {
  const volume = await stage.get("PersistentVolumeClaim", { namespace, name: `spool-${name}-${ordinal}` });
  return volume !== undefined && volume.metadata.deletionTimestamp === undefined;
}

test("mail that is overdue brings pods, up to as many as are allowed", { skip }, async () => {
  const relay = await openRelay({ autoscaling: { minReplicas: 1, maxReplicas: 3, targetDueAge: "10s" } });
  await untilReplicas(relay, 1);
  const overdue = new Date(Date.now() - 60_000).toISOString();
  const size = { usedBytes: 0, capacityBytes: 1, full: false };
  const spool = { ...size, queuedRecipients: 9, queuedMessages: 9, spoolId: "spool", oldestDueTime: overdue };
  reports.set(relay.namespace, { spool });
  // A relay at rest is glanced at every ten seconds.
  await stage.until("StatefulSet", relay, {
    what: "two replicas, then three",
    fits: (set) => (set["spec"] as { readonly replicas: number }).replicas === 3,
    deadlineMs: 60_000,
  });
  await stage.until("MailRelay", relay, {
    what: "three desired replicas",
    fits: (raw) => (raw["status"] as { readonly desiredReplicas: number }).desiredReplicas === 3,
  });
  // What the manifest says is not the operator's to write.
  assert.equal(scaleOf(relay).spec.replicas, 1);
});

async function resize(relay: Named, size: string): Promise<void> {
  const body = { spec: { spool: { storage: { size } } } };
  await stage.client.mergePatch(resourceOf("MailRelay"), relay, { body, fieldManager: "kubectl" });
}

async function sizeOf({ namespace, name }: Named, ordinal: number): Promise<string> {
  const claim = await stage.read("PersistentVolumeClaim", { namespace, name: `spool-${name}-${ordinal}` });
  const { resources } = claim["spec"] as { readonly resources: { readonly requests: { readonly storage: string } } };
  return resources.requests.storage;
}

test("volumes grow, those of later pods as well", { skip }, async () => {
  const relay = await openRelay({ replicas: 2, spool: { storage: { storageClassName: "elastic" } } });
  await resize(relay, "20Gi");
  for (const ordinal of [0, 1]) {
    await until(`volume ${ordinal} to grow`, async () => (await sizeOf(relay, ordinal)) === "20Gi");
  }
  // Nobody may change the template that the volume of a new pod is made from.
  scale(relay, 3);
  await until("the pod's volume", () => isThere(relay, 2));
  await until("the new volume to grow", async () => (await sizeOf(relay, 2)) === "20Gi", 45_000);
  await assert.rejects(resize(relay, "15Gi"), /spec\.spool\.storage\.size: Invalid value: .*may only grow/);
});

test(
  "a volume that the cluster will not make larger stays as it is, and status says whose word that is",
  { skip },
  async () => {
    const relay = await openRelay({ spool: { storage: { size: "10Gi", storageClassName: "stiff" } } });
    await resize(relay, "20Gi");
    const said = await stage.untilCondition("MailRelay", relay, { type: "Accepted", reason: "StorageNotChanged" });
    assert.match(
      said.message,
      /^spec\.spool\.storage\.size: volume spool-outbound-0 stays at 10Gi: .*must support resize/,
    );
    assert.equal(await sizeOf(relay, 0), "10Gi");
    await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "True" });
  },
);

test("kubectl get says how much waits and for how long, and nothing where nobody tells", { skip }, () => {
  const relay = { namespace: stage.makeNamespace(), name: "told" };
  // No operator writes what another class's relay is.
  stage.apply(relayManifest({ ...relay, spec: { className: "another" } }));
  const place = [relay.name, "--namespace", relay.namespace];
  const shown = (status: object, ...options: readonly string[]): Readonly<Record<string, string>> => {
    const patch = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
    stage.plane.kubectl(["patch", "mailrelay", ...place, ...patch]);
    return cellsOf(stage.plane.kubectl(["get", "mailrelay", ...place, ...options]));
  };
  const oldestTime = new Date(Date.now() - 49 * 3_600_000).toISOString();
  const { AGE: _age, ...narrow } = shown({ queued: 120, late: 90, overHour: 70, overDay: 50, oldestTime });
  const first = { NAME: "told", READY: "Unknown", PODS: "", QUEUED: "120", LATE: "90", OLDEST: "2d1h" };
  assert.deepEqual(narrow, { ...first, "OLDEST DUE": "", ADDRESS: "" });
  const wide = shown({ overHour: null, captured: 7, oldestTime: null }, "-o", "wide");
  const { "LATE 1H": overHour, "LATE 1D": overDay, CAPTURED: captured, OLDEST: oldest } = wide;
  assert.deepEqual([overHour, overDay, captured, oldest], ["", "50", "7", ""]);
});

/** By the places of the headers: an empty cell leaves no trace of its own. */
function cellsOf(table: string): Readonly<Record<string, string>> {
  const [header = "", row = ""] = table.split("\n");
  const starts = [...header.matchAll(/\S+(?: \S+)*/g)];
  return Object.fromEntries(
    starts.map(({ 0: name, index }, at) => [name, row.slice(index, starts[at + 1]?.index).trim()]),
  );
}
