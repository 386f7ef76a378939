/**
 * The operator's account has exactly the rights of charts/mailboat/rbac, which every test of the operator on an API
 * server runs with. Here: what these rights do not allow, and that a Secret which nobody named cannot be read.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../operator/kube/client/client.ts";
import { isFailure } from "../../operator/kube/client/failure.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { makePrivateKey } from "../../operator/dkim/makekey.ts";
import { openClient } from "../support/controlplane/clients.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
/** As the operator. */
let operator: Client;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    operator = openClient(stage.operatorKubeconfig);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const secrets = resourceOf("Secret");
const denied = (work: Promise<unknown>): Promise<void> =>
  assert.rejects(work, (error) => isFailure(error, "Forbidden"));

test("in a namespace that gave no right no Secret can be read, named in a manifest or not", { skip }, async () => {
  const namespace = stage.makeNamespace({ givesSecrets: false });
  const labels = { "app.kubernetes.io/managed-by": "mailboat-operator" };
  stage.apply(
    secretManifest({ namespace, name: "somebody", values: { a: "b" } }),
    secretManifest({ namespace, name: "labelled", labels, values: { a: "b" } }),
  );
  for (const name of ["somebody", "labelled"]) await denied(operator.get(secrets, { namespace, name }));
  await denied(operator.list(secrets, { namespace }, {}));
  await denied(operator.list(resourceOf("ConfigMap"), { namespace }, {}));
  await denied(operator.list(secrets, {}, {}));
});

test("what no reconcile needs is not allowed", { skip }, async () => {
  const namespace = stage.makeNamespace();
  stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "example-com" }));
  const place = { namespace, name: "outbound" };
  const body = { metadata: { labels: { a: "b" } } };
  const patch = { body, fieldManager: "mailboat-operator" };
  await denied(operator.delete(resourceOf("MailRelay"), place, {}));
  await denied(operator.mergePatch(resourceOf("SenderDomain"), { namespace, name: "example-com" }, patch));
  await denied(operator.delete(resourceOf("StatefulSet"), place, {}));
  await denied(operator.delete(resourceOf("Pod"), place, {}));
  await denied(operator.delete(secrets, place, {}));
  const verbs = (resource: string): readonly string[] =>
    ["get", "list", "create", "update", "patch", "delete", "escalate", "bind", "impersonate"].filter((verb) =>
      stage.may(verb, resource, namespace),
    );
  assert.deepEqual(verbs("configmaps"), ["get", "list"]);
  for (const resource of ["roles", "clusterroles", "rolebindings", "nodes", "deployments"]) {
    assert.deepEqual(verbs(resource), [], resource);
  }
});

test("a Role over single names is enough for the Secrets that a domain names", { skip }, async () => {
  const [mail, shop] = [stage.makeNamespace(), stage.makeNamespace({ givesSecrets: false })];
  await stage.operator().leading();
  const privateKey = await makePrivateKey("Ed25519");
  stage.apply(
    relayManifest({
      namespace: mail,
      name: "outbound",
      spec: {
        tenants: [
          { name: "own", namespaces: { from: "Same" } },
          { name: "others", namespaces: { from: "All" }, domains: ["example.com"] },
        ],
      },
    }),
    secretManifest({ namespace: shop, name: "key", values: { privateKey } }),
    secretManifest({ namespace: shop, name: "other", values: { privateKey } }),
    domainManifest({
      namespace: shop,
      name: "example-com",
      spec: {
        relayRef: { name: "outbound", namespace: mail },
        dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] },
      },
    }),
  );
  const domain = { namespace: shop, name: "example-com" };
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", reason: "SecretsForbidden" });
  stage.giveSingle(shop, "key");
  // Nothing tells the operator of a right: it looks once a minute, and at once when somebody touches the domain.
  stage.plane.kubectl(["annotate", "sd", "example-com", "--namespace", shop, "example.com/look=again"]);
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "True", withinMs: 20_000 });
  await denied(operator.get(secrets, { namespace: shop, name: "other" }));
  // And it is followed: a spoilt key is seen at once.
  stage.apply(secretManifest({ namespace: shop, name: "key", values: { privateKey: "spoilt" } }));
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", reason: "SecretInvalid", withinMs: 2_000 });
});
