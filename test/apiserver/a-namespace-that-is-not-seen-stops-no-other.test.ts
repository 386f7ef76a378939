/**
 * `watchNamespaces` with a namespace that is gone, whose Role is missing, or that was taken off the list: the operator leads and
 * serves the others, log, metric and conditions say what is not seen, nothing that runs is taken away, and it heals by itself.
 */
import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { grantScopedRights, scopedAccount } from "../support/controlplane/rights.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
/** The right that comes back is asked for every ten seconds. */
const healedMs = 30_000;
const unseenMetric = "mailboat_operator_namespaces_unseen";

before(
  async () => {
    if (skip === false) stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

interface Rights {
  readonly given: readonly string[];
  readonly withoutCluster?: boolean;
  readonly withLabels?: boolean;
}

/** Operators of one release, whose Roles are in the given namespaces. */
function release(t: TestContext, { given, ...options }: Rights) {
  const own = stage.plane.makeNamespace();
  const rights = (namespaces: readonly string[]): string =>
    grantScopedRights(stage.plane, { namespace: own, namespaces, ...options });
  const kubeconfig = stage.plane.kubeconfigWith(rights(given));
  const start = async (...namespaces: readonly string[]): Promise<OperatorProgram> => {
    const operator = stage.operator({ kubeconfig, namespace: own, namespaces });
    t.after(() => operator.kill());
    await operator.leading();
    return operator;
  };
  return { start, give: (namespace: string): string => rights([namespace]) };
}

const open = {
  tenants: [
    { name: "own", namespaces: { from: "Same" } },
    { name: "others", namespaces: { from: "All" }, domains: ["shop.example"] },
  ],
};

function shopDomain(namespace: string, relayNamespace: string): object {
  const relayRef = { name: "outbound", namespace: relayNamespace };
  return domainManifest({ namespace, name: "shop", spec: { domain: "shop.example", relayRef } });
}

async function hasDocument(namespace: string): Promise<boolean> {
  const name = shardSecretName("outbound", shardOf("shop.example"));
  const shard = await stage.get("Secret", { namespace, name });
  return Object.keys(shard?.["data"] ?? {}).includes("shop.example.json");
}

for (const withoutCluster of [false, true]) {
  const how = withoutCluster ? "without" : "with";
  test(`a namespace that is gone keeps no other from being served, ${how} the ClusterRole`, { skip }, async (t) => {
    const [there, gone] = [stage.plane.makeNamespace(), "gone-for-good"];
    const { start } = release(t, { given: [there], withoutCluster });
    const operator = await start(there, gone);
    const told = await operator.program.waitForLog("a watched namespace is not seen whole: the others are served");
    assert.equal(told.fields["namespace"], gone);
    assert.equal(await operator.figure(unseenMetric), 1);
    assert.equal((await operator.page("/readyz")).status, 200);
    stage.apply(relayManifest({ namespace: there, name: "outbound" }));
    await stage.until("StatefulSet", { namespace: there, name: "outbound" }, { what: "is there", fits: () => true });
  });
}

test(
  "a namespace whose Role is missing is served once it has one; until then its relay says so",
  { skip },
  async (t) => {
    const [mail, shop] = [stage.plane.makeNamespace(), stage.plane.makeNamespace()];
    const { start, give } = release(t, { given: [mail] });
    stage.apply(
      relayManifest({ namespace: mail, name: "outbound", spec: open }),
      relayManifest({ namespace: shop, name: "outbound" }),
      shopDomain(shop, mail),
    );
    const operator = await start(mail, shop);
    // Our own kinds are seen by the ClusterRole: the domain is served by the relay of the other namespace.
    await until("the document", () => hasDocument(mail));
    const hidden = { namespace: shop, name: "outbound" };
    const said = await stage.untilCondition("MailRelay", hidden, { type: "Accepted", reason: "NamespaceNotSeen" });
    assert.match(said.message, new RegExp(`may not read .*Pod.* in namespace ${shop}`));
    await stage.untilCondition("MailRelay", hidden, { type: "Stalled", status: "True" });
    assert.equal(await stage.get("StatefulSet", hidden), undefined);
    give(shop);
    await stage.untilCondition("MailRelay", hidden, { type: "Accepted", status: "True", withinMs: healedMs });
    await stage.until("StatefulSet", hidden, { what: "is there", fits: () => true });
    await operator.program.waitForLog("a watched namespace is seen whole again");
    assert.equal(await operator.figure(unseenMetric), 0);
  },
);

test("a Role that goes takes nothing that runs along", { skip }, async (t) => {
  const [mail, shop] = [stage.plane.makeNamespace(), stage.plane.makeNamespace()];
  const { start, give } = release(t, { given: [mail, shop], withoutCluster: true });
  stage.apply(relayManifest({ namespace: mail, name: "outbound", spec: open }), shopDomain(shop, mail));
  const first = await start(mail, shop);
  await until("the document", () => hasDocument(mail));
  assert.equal(await first.stop(), 0);
  stage.plane.kubectl(["delete", "rolebinding", scopedAccount, "--namespace", shop]);
  await start(mail, shop);
  const relay = { namespace: mail, name: "outbound" };
  const said = await stage.untilCondition("MailRelay", relay, { type: "Accepted", reason: "DomainsNotSeen" });
  assert.match(said.message, new RegExp(`shop\\.example.*may not read, ${shop}`));
  assert.ok(await hasDocument(mail));
  give(shop);
  await stage.untilCondition("MailRelay", relay, { type: "Accepted", reason: "Accepted", withinMs: healedMs });
  assert.ok(await hasDocument(mail));
});

test("a namespace that is taken off the list keeps its domains, until the relay lets them go", { skip }, async (t) => {
  const [mail, shop] = [stage.plane.makeNamespace(), stage.plane.makeNamespace()];
  const { start } = release(t, { given: [mail, shop] });
  stage.apply(relayManifest({ namespace: mail, name: "outbound", spec: open }), shopDomain(shop, mail));
  const wide = await start(mail, shop);
  await until("the document", () => hasDocument(mail));
  assert.equal(await wide.stop(), 0);
  await start(mail);
  const relay = { namespace: mail, name: "outbound" };
  await stage.untilCondition("MailRelay", relay, { type: "Accepted", reason: "DomainsNotSeen" });
  await stage.untilQuiet();
  assert.ok(await hasDocument(mail));
  // Another domain of the same name does not take its place.
  const rival = { namespace: mail, name: "rival" };
  stage.apply(domainManifest({ ...rival, spec: { domain: "shop.example" } }));
  const refused = await stage.untilCondition("SenderDomain", rival, { type: "Accepted", reason: "DomainConflict" });
  assert.match(refused.message, new RegExp(`namespace ${shop}, which this operator does not see`));
  const patch = {
    body: {
      spec: {
        tenants: [
          { name: "own", namespaces: { from: "Same" } },
          { name: "others", namespaces: { from: "Same" }, domains: null },
        ],
      },
    },
    fieldManager: "test",
  };
  await stage.client.mergePatch(resourceOf("MailRelay"), relay, patch);
  await stage.untilCondition("SenderDomain", rival, { type: "Accepted", status: "True" });
  await stage.untilCondition("MailRelay", relay, { type: "Accepted", reason: "Accepted" });
});

test("the domains of a namespace that does not exist any more go, where the operator can know", { skip }, async (t) => {
  const [mail, shop] = [stage.plane.makeNamespace(), stage.plane.makeNamespace()];
  const { start } = release(t, { given: [mail, shop], withLabels: true });
  stage.apply(relayManifest({ namespace: mail, name: "outbound", spec: open }), shopDomain(shop, mail));
  const wide = await start(mail, shop);
  await until("the document", () => hasDocument(mail));
  assert.equal(await wide.stop(), 0);
  // No controller empties it here.
  stage.plane.kubectl(["delete", "senderdomain", "shop", "--namespace", shop]);
  stage.plane.kubectl(["delete", "namespace", shop, "--wait=false"]);
  const finalized = { apiVersion: "v1", kind: "Namespace", metadata: { name: shop }, spec: { finalizers: [] } };
  const raw = ["replace", "--raw", `/api/v1/namespaces/${shop}/finalize`, "-f", "-"];
  stage.plane.kubectl(raw, JSON.stringify(finalized));
  await start(mail);
  await until("no document", async () => !(await hasDocument(mail)));
});

test(
  "a domain whose relay is in a namespace that is not watched is not told that there is none",
  { skip },
  async (t) => {
    const [mail, shop] = [stage.plane.makeNamespace(), stage.plane.makeNamespace()];
    const { start } = release(t, { given: [mail, shop] });
    stage.apply(relayManifest({ namespace: mail, name: "outbound", spec: open }), shopDomain(shop, mail));
    await start(shop);
    const domain = { namespace: shop, name: "shop" };
    const said = await stage.untilCondition("SenderDomain", domain, { type: "Accepted", reason: "RelayNotSeen" });
    assert.match(said.message, new RegExp(`can add ${mail} to watchNamespaces`));
  },
);
