/**
 * What the operator cannot read, or has not read yet, costs no domain that works its place in the pods, and holds up no
 * other resource. What pods have loaded is put back as well as what they still wait for.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { assertStruck, FaultProxy } from "../support/controlplane/faultproxy.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { type PodStandIn, startPods } from "../support/controlplane/podstandin.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const timeout = 60_000;
let stage: OperatorStage;
let proxy: FaultProxy;
let pods: PodStandIn;
let operator: OperatorProgram | undefined;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    proxy = await FaultProxy.start(stage.plane);
    pods = await startPods(stage.client);
  },
  { timeout: 1_800_000 },
);

afterEach(async () => {
  if (skip !== false) return;
  const faults = proxy.rules.splice(0);
  await operator?.stop();
  operator = undefined;
  assertStruck(faults);
});

after(async () => {
  if (skip !== false) return;
  await pods.stop();
  await proxy.close();
  await stage.close();
});

const shard = shardSecretName("outbound", shardOf("example.com"));

async function dataOf(namespace: string): Promise<Readonly<Record<string, string>>> {
  const secret = await stage.get("Secret", { namespace, name: shard });
  return (secret?.["data"] ?? {}) as Readonly<Record<string, string>>;
}

function forbid(path: string): void {
  const body = JSON.stringify({ kind: "Status", code: 403, reason: "Forbidden", message: `cannot list ${path}` });
  proxy.rules.push({ matches: (seen) => seen.path.startsWith(path), fault: { kind: "answer", code: 403, body } });
}

test(
  "a domain that every pod has loaded is put back when its document is spoilt or its shard deleted",
  { skip, timeout },
  async () => {
    operator = stage.operator();
    await operator.leading();
    const namespace = stage.makeNamespace();
    stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "example-com" }));
    const place = { namespace, name: "example-com" };
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True" });
    const was = await dataOf(namespace);
    const isBack = async (): Promise<boolean> => JSON.stringify(await dataOf(namespace)) === JSON.stringify(was);
    const body = { data: { "example.com.json": Buffer.from("{}").toString("base64") } };
    const secret = { namespace, name: shard };
    await stage.client.mergePatch(resourceOf("Secret"), secret, { body, fieldManager: "kubectl-edit" });
    await until("the document as it was", isBack, 5_000);
    await stage.client.delete(resourceOf("Secret"), secret, {});
    await until("the shard as it was", isBack, 5_000);
  },
);

/** A relay, and a domain of another namespace that it selects by a label. */
function applySelected(): { readonly namespace: string; readonly shop: string } {
  const namespace = stage.makeNamespace();
  const shop = stage.makeNamespace({ labels: { mail: "yes" } });
  const tenants = [{ name: "mail", namespaces: { from: "Selector", selector: { matchLabels: { mail: "yes" } } } }];
  stage.apply(
    relayManifest({ namespace, name: "outbound", spec: { tenants } }),
    domainManifest({ namespace: shop, name: "example-com", spec: { relayRef: { name: "outbound", namespace } } }),
  );
  return { namespace, shop };
}

test(
  "namespaces that cannot be listed at the first try cost no domain of a selected namespace",
  { skip, timeout },
  async () => {
    operator = stage.operator();
    await operator.leading();
    const { shop } = applySelected();
    const place = { namespace: shop, name: "example-com" };
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True" });
    await operator.stop();
    const from = stage.plane.audit().length;
    proxy.rules.push({
      matches: (seen) => seen.path.startsWith("/api/v1/namespaces?"),
      fault: { kind: "answer", code: 500, body: "{}" },
      times: 3,
    });
    operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) });
    await operator.leading();
    await until("a look at everything", async () => {
      const looks = await operator?.figure("mailboat_operator_reconcile_seconds_count");
      return looks !== undefined && looks >= 4;
    });
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True" });
    const writes = stage.writes(from).filter((write) => write.name === shard);
    assert.deepEqual(writes, []);
  },
);

test(
  "without the right to list namespaces a domain that is selected by label keeps its place, and conditions say what to do",
  { skip, timeout },
  async () => {
    operator = stage.operator();
    await operator.leading();
    const { namespace, shop } = applySelected();
    const [relay, place] = [
      { namespace, name: "outbound" },
      { namespace: shop, name: "example-com" },
    ];
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True" });
    const was = await dataOf(namespace);
    await operator.stop();
    stage.hideNamespaces();
    operator = stage.operator();
    await operator.leading();
    const { message } = await stage.untilCondition("MailRelay", relay, {
      type: "Accepted",
      reason: "NamespacesForbidden",
    });
    assert.match(message, /^spec\.tenants: /);
    await stage.untilCondition("SenderDomain", place, { type: "Accepted", reason: "NamespacesForbidden" });
    await stage.untilCondition("SenderDomain", place, { type: "Programmed", status: "True" });
    await stage.untilQuiet();
    assert.deepEqual(await dataOf(namespace), was);
    for (const [, command = ""] of message.matchAll(/kubectl (create .*?)(?= &&| \()/g)) {
      stage.plane.kubectl(command.split(" "));
    }
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True", withinMs: 15_000 });
    await stage.untilCondition("MailRelay", relay, { type: "Accepted", reason: "Accepted" });
  },
);

test("a kind of somebody else's that the operator may not see holds up no relay", { skip, timeout }, async () => {
  const resources = [{ name: "podmonitors", namespaced: true, kind: "PodMonitor", verbs: ["list", "watch"] }];
  const monitors = "/apis/monitoring.coreos.com/v1/podmonitors";
  forbid(monitors);
  proxy.rules.push({
    matches: (seen) => seen.path.startsWith("/apis/monitoring.coreos.com/v1"),
    fault: { kind: "answer", code: 200, body: JSON.stringify({ kind: "APIResourceList", resources }) },
  });
  operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) });
  await operator.leading();
  const namespace = stage.makeNamespace();
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  await stage.untilCondition("MailRelay", { namespace, name: "outbound" }, { type: "Ready", status: "True" });
  const refusals = (): number => proxy.seen.filter(({ path }) => path.startsWith(`${monitors}?`)).length;
  await until("the third refusal", () => refusals() >= 3);
  assert.equal(operator.program.logs("cannot follow a resource").length, 1);
});

test(
  "a right to write one kind that is missing holds up no other object, is a condition, and heals",
  { skip, timeout },
  async () => {
    const said = `networkpolicies.networking.k8s.io "outbound" is forbidden: User "operator" cannot patch resource "networkpolicies"`;
    proxy.rules.push({
      matches: (seen) => seen.method === "PATCH" && seen.path.includes("/networkpolicies/"),
      fault: {
        kind: "answer",
        code: 403,
        body: JSON.stringify({ kind: "Status", reason: "Forbidden", message: said }),
      },
    });
    operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) });
    await operator.leading();
    const namespace = stage.makeNamespace();
    const place = { namespace, name: "outbound" };
    stage.apply(relayManifest(place));
    const { message } = await stage.untilCondition("MailRelay", place, { type: "Accepted", status: "False" });
    assert.ok(message.includes(said), message);
    // Told by the first look, which meets the refusal; the pods come once there is a certificate to mount.
    await stage.until("StatefulSet", place, { what: "made all the same", fits: () => true });
    assertStruck(proxy.rules.splice(0));
    await stage.untilCondition("MailRelay", place, { type: "Ready", status: "True", withinMs: 20_000 });
    await stage.read("NetworkPolicy", place);
  },
);

test("a domain stored under another schema keeps its place, also with a new operator", { skip, timeout }, async () => {
  operator = stage.operator();
  await operator.leading();
  const namespace = stage.makeNamespace();
  const dns = { spf: { include: ["spf.example.net"] } };
  stage.apply(
    relayManifest({ namespace, name: "outbound" }),
    domainManifest({ namespace, name: "example-com", spec: { dns } }),
  );
  const place = { namespace, name: "example-com" };
  await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True" });
  const was = await dataOf(namespace);
  // The next version's definition, with a field that this one does not know.
  const loosened = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/x-kubernetes-preserve-unknown-fields";
  const change = JSON.stringify([{ op: "add", path: loosened, value: true }]);
  stage.plane.kubectl(["patch", "crd", "senderdomains.mailboat.dev", "--type=json", "--patch", change]);
  const outcry = "a stored resource does not fit the schema and is left alone";
  let edits = 0;
  // Watches go by the definition before for a while.
  await until("a field that the operator does not know", async () => {
    edits += 1;
    const patch = { body: { spec: { ofTomorrow: edits } }, fieldManager: "kubectl" };
    await stage.client.mergePatch(resourceOf("SenderDomain"), place, patch);
    return (operator?.program.logs(outcry).length ?? 0) > 0;
  });
  const { message } = await stage.untilCondition("SenderDomain", place, { type: "Accepted", status: "False" });
  assert.match(message, /^spec\.ofTomorrow: is no field: remove it/);
  const { status } = await stage.read("SenderDomain", place);
  assert.ok(JSON.stringify(status).includes("v=spf1 include:spf.example.net"), "the records to publish stay in status");
  for (const name of ["other", "another"]) {
    stage.apply(domainManifest({ namespace, name, spec: { domain: `${name}.example` } }));
    await stage.untilCondition("SenderDomain", { namespace, name }, { type: "Ready", status: "True" });
    assert.deepEqual(await dataOf(namespace), was);
    await operator.stop();
    operator = stage.operator();
    await operator.leading();
    await operator.program.waitForLog(outcry);
  }
  stage.apply(domainManifest({ namespace, name: "usurper" }));
  await stage.untilCondition(
    "SenderDomain",
    { namespace, name: "usurper" },
    { type: "Accepted", reason: "DomainConflict" },
  );
});

test(
  "a right to read Secrets that goes is told on relay and domain, and forgotten when it comes back",
  { skip, timeout },
  async () => {
    operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) });
    await operator.leading();
    const namespace = stage.makeNamespace();
    stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "example-com" }));
    const place = { namespace, name: "example-com" };
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True" });
    const secrets = `/api/v1/namespaces/${namespace}/secrets`;
    forbid(secrets);
    proxy.cutWatches(({ path }) => path.startsWith(secrets));
    await stage.untilCondition("SenderDomain", place, { type: "Accepted", reason: "SecretsForbidden" });
    const relay = { namespace, name: "outbound" };
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: "SecretsForbidden" });
    proxy.rules.length = 0;
    // The watch is asked for again every ten seconds at most, and goes on where it was cut: nothing is listed.
    await stage.untilCondition("SenderDomain", place, { type: "Ready", status: "True", withinMs: 15_000 });
  },
);
