/**
 * `kubectl delete namespace` of a watched namespace, with Kubernetes' own namespace controller and garbage collector: the
 * operator's Role goes with it, in whatever order, and the finalizer of its MailRelay must not hold it for ever.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { garbageCollector, namespaceController, startControllers } from "../support/controlplane/controllers.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControllers } from "../support/controlplane/programs.ts";
import { grantScopedRights, scopedAccount } from "../support/controlplane/rights.ts";
import type { Program } from "../support/program.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingControllers();
let stage: OperatorStage;
let controllers: Program;

before(
  async () => {
    if (skip !== false) return;
    const directory = makeResultsDirectory(import.meta.url, "stage");
    stage = await OperatorStage.openIn(directory);
    const all = [namespaceController, garbageCollector];
    controllers = await startControllers({ plane: stage.plane, directory, controllers: all });
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip !== false) return;
  await controllers.kill("SIGKILL");
  await stage.close();
});

interface Scene {
  readonly namespace: string;
  readonly operator: OperatorProgram;
  readonly start: () => OperatorProgram;
}

/** An operator that watches one namespace, which has a relay with its finalizer. */
async function openScene(withoutCluster = false): Promise<Scene> {
  const [namespace, own] = [stage.plane.makeNamespace(), stage.plane.makeNamespace()];
  const token = grantScopedRights(stage.plane, { namespace: own, namespaces: [namespace], withoutCluster });
  const kubeconfig = stage.plane.kubeconfigWith(token);
  const start = (): OperatorProgram => stage.operator({ kubeconfig, namespace: own, namespaces: [namespace] });
  const operator = start();
  await operator.leading();
  stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "example-com" }));
  await stage.until("StatefulSet", { namespace, name: "outbound" }, { what: "is there", fits: () => true });
  return { namespace, operator, start };
}

function isThere(namespace: string): boolean {
  return stage.plane.kubectl(["get", "namespace", namespace, "--ignore-not-found", "-o", "name"]).trim() !== "";
}

function deleteNamespace(namespace: string): void {
  stage.plane.kubectl(["delete", "namespace", namespace, "--wait=false"]);
}

async function gone(namespace: string): Promise<void> {
  await until("a namespace that is gone", () => !isThere(namespace), 60_000);
}

test("a watched namespace that is deleted goes, and the operator serves on", { skip, timeout: 120_000 }, async () => {
  const { namespace, operator } = await openScene();
  deleteNamespace(namespace);
  await gone(namespace);
  assert.equal((await operator.page("/healthz")).status, 200);
  assert.equal(await operator.stop(), 0);
});

test(
  "it goes also when its Role went first, and the operator starts only then",
  { skip, timeout: 120_000 },
  async () => {
    const { namespace, operator, start } = await openScene();
    assert.equal(await operator.stop(), 0);
    stage.plane.kubectl(["delete", "role,rolebinding", scopedAccount, "--namespace", namespace]);
    deleteNamespace(namespace);
    const place = { namespace, name: "outbound" };
    // What the namespace controller can take away is gone; the finalizer holds the rest.
    await until(
      "all but what the finalizer holds to be gone",
      async () =>
        (await stage.get("StatefulSet", place)) === undefined && (await stage.get("MailRelay", place)) !== undefined,
    );
    const successor = start();
    await successor.leading();
    await gone(namespace);
    assert.equal(await successor.figure("mailboat_operator_namespaces_unseen"), 1);
    assert.equal(await successor.stop(), 0);
  },
);

test("without the ClusterRole there is the way that the chart's values name", { skip, timeout: 120_000 }, async () => {
  const { namespace, operator } = await openScene(true);
  stage.plane.kubectl(["delete", "role,rolebinding", scopedAccount, "--namespace", namespace]);
  deleteNamespace(namespace);
  const place = { namespace, name: "outbound" };
  await until("the rest to be gone", async () => (await stage.get("StatefulSet", place)) === undefined);
  assert.ok(isThere(namespace));
  const patch = ["--type", "merge", "--patch", '{"metadata":{"finalizers":null}}'];
  stage.plane.kubectl(["patch", "mailrelay", "outbound", "--namespace", namespace, ...patch]);
  await gone(namespace);
  assert.equal(await operator.stop(), 0);
});
