/**
 * A `caRef` may name a ConfigMap, as trust-manager writes them: pods get what it holds, a change reaches them at once, and what is
 * wrong with it is a condition while the last good configuration stays in force. Rights are those that one binding gives, or
 * a Role over single names; what no manifest names is never asked for.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { relayDocumentName } from "../../api/relayconfig.ts";
import { isFailure } from "../../operator/kube/client/failure.ts";
import { configMapResource } from "../../operator/kube/cluster/resources.ts";
import { secretView } from "../../operator/kube/cluster/views.ts";
import { secretText } from "../../operator/kube/secret.ts";
import { issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { openClient } from "../support/controlplane/clients.ts";
import { configMapManifest, domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    await stage.operator().leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const now = Date.now();
const authority = await makeCertificateAuthority(now);
const next = await makeCertificateAuthority(now);
const leaf = await issueLeaf({ authority, names: ["smtp.example.net"], now });
const expired = await makeCertificateAuthority(now - 60 * 86_400_000, {
  name: "Old CA",
  algorithm: "ECDSA",
  lifeMs: 30 * 86_400_000,
});
/** Without a watch it would be seen with the next look, after ten seconds or more. */
const watchedMs = 5_000;
const caRef = { kind: "ConfigMap", name: "bundle", key: "bundle.pem" };

function pinned(namespace: string): object {
  const hop = { name: "first", host: "smtp.example.net", port: 587, tlsMode: "Required", caRef };
  return relayManifest({ namespace, name: "outbound", spec: { delivery: { smarthosts: [hop] } } });
}

function bundle(namespace: string, values: Readonly<Record<string, string>>): object {
  return configMapManifest({ namespace, name: "bundle", values });
}

/** The authority that pods have for the first next hop, once it fits. */
async function untilAuthority(namespace: string, wanted: string, deadlineMs = 10_000): Promise<void> {
  const fits = (raw: Parameters<typeof secretView>[0]): boolean => {
    const text = secretText(secretView(raw), relayDocumentName);
    return text !== undefined && text.includes(JSON.stringify(wanted).slice(1, -1));
  };
  const place = { namespace, name: "outbound-configuration" };
  await stage.until("Secret", place, { what: "the authority", fits, deadlineMs });
}

test("pods' configuration follows a ConfigMap; what is wrong with it is said, and mail goes on", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  stage.apply(pinned(namespace));
  const field = /^spec\.delivery\.smarthosts\[0\]\.caRef: ConfigMap bundle /;
  const missing = await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: "ConfigMapNotFound" });
  assert.match(missing.message, field);
  stage.apply(bundle(namespace, { "bundle.pem": authority.certificate }));
  await untilAuthority(namespace, authority.certificate, watchedMs);
  await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True" });
  // As trust-manager writes the next authority beside the one before.
  const both = authority.certificate + next.certificate;
  stage.apply(bundle(namespace, { "bundle.pem": both }));
  await untilAuthority(namespace, both, watchedMs);
  for (const [values, words] of [
    [{ "ca.crt": both }, /lacks the data key bundle\.pem: add it/],
    [{ "bundle.pem": "garbage" }, /holds no certificate in bundle\.pem/],
    [{ "bundle.pem": expired.certificate }, /holds an authority in bundle\.pem that is valid from .*: renew it/],
    [{ "bundle.pem": leaf.certificate }, /holds a certificate in bundle\.pem that is no authority's/],
  ] as const) {
    stage.plane.kubectl(["delete", "configmap", "bundle", "--namespace", namespace]);
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: "ConfigMapNotFound" });
    stage.apply(bundle(namespace, values));
    const said = await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: "ConfigMapInvalid" });
    assert.match(said.message, field);
    assert.match(said.message, words);
    await untilAuthority(namespace, both);
  }
  stage.apply(bundle(namespace, { "bundle.pem": next.certificate }));
  await untilAuthority(namespace, next.certificate);
});

test(
  "whose certificates of clients are believed follows a Secret of cert-manager's, and a bundle",
  { skip },
  async () => {
    const namespace = stage.makeNamespace();
    const relay = { namespace, name: "outbound" };
    const asking = (ref: object): object => {
      const listeners = [{ name: "submission", port: 587, clientCertificates: "Required" }];
      return relayManifest({ ...relay, spec: { listeners, identities: { clientCertificates: { caRef: ref } } } });
    };
    // A Certificate with isCA has its own key beside the authority's certificate, and no other key of the Secret is looked at.
    const issued = ({ certificate, privateKey }: typeof authority): object =>
      secretManifest({
        namespace,
        name: "workloads-ca",
        type: "kubernetes.io/tls",
        values: { "tls.crt": certificate, "tls.key": privateKey, "ca.crt": certificate },
      });
    stage.apply(issued(authority), asking({ kind: "Secret", name: "workloads-ca", key: "ca.crt" }));
    await untilAuthority(namespace, authority.certificate);
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True" });
    stage.apply(issued(next));
    await untilAuthority(namespace, next.certificate, watchedMs);
    stage.apply(asking({ kind: "Secret", name: "workloads-ca", key: "tls.key" }));
    const said = await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: "SecretInvalid" });
    assert.match(said.message, /^spec\.identities\.clientCertificates\.caRef: Secret workloads-ca holds a private key/);
    await untilAuthority(namespace, next.certificate);
    const both = next.certificate + authority.certificate;
    stage.apply(bundle(namespace, { "bundle.pem": both }), asking(caRef));
    await untilAuthority(namespace, both);
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True" });
  },
);

test("a Role over single names is enough, and what no manifest names is not asked for", { skip }, async () => {
  const mail = stage.makeNamespace();
  const shop = stage.makeNamespace({ givesSecrets: false });
  const tenants = [
    { name: "own", namespaces: { from: "Same" } },
    { name: "shop", namespaces: { from: "All" }, domains: ["example.com"], may: ["Smarthosts"] },
  ];
  const hop = { name: "own", host: "smtp.example.net", port: 587, tlsMode: "Required", caRef };
  const spec = { relayRef: { name: "outbound", namespace: mail }, smarthosts: [hop] };
  stage.apply(
    relayManifest({ namespace: mail, name: "outbound", spec: { tenants } }),
    bundle(shop, { "bundle.pem": authority.certificate }),
    configMapManifest({ namespace: shop, name: "other", values: { a: "b" } }),
    domainManifest({ namespace: shop, name: "example-com", spec }),
  );
  const domain = { namespace: shop, name: "example-com" };
  const refused = await stage.untilCondition("SenderDomain", domain, {
    type: "Accepted",
    reason: "ConfigMapsForbidden",
  });
  const command = `kubectl create rolebinding mailboat-secrets --namespace ${shop} --clusterrole mailboat-secrets`;
  assert.match(refused.message, /^spec\.smarthosts\[0\]\.caRef: the operator may not read ConfigMaps in namespace/);
  assert.ok(refused.message.includes(command));
  stage.giveSingle(shop, "bundle", "configmaps");
  await until("the right", () => stage.may("get", "configmaps/bundle", shop));
  // Nothing tells of a right: what somebody touches is asked for right then.
  stage.plane.kubectl(["annotate", "sd", "example-com", "--namespace", shop, "example.com/look=again"]);
  await stage.untilCondition("SenderDomain", domain, { type: "Accepted", status: "True" });
  const operator = openClient(stage.operatorKubeconfig);
  await assert.rejects(operator.get(configMapResource, { namespace: shop, name: "other" }), (error) =>
    isFailure(error, "Forbidden"),
  );
  // And it is followed.
  stage.apply(bundle(shop, { "bundle.pem": "garbage" }));
  await stage.untilCondition("SenderDomain", domain, {
    type: "Accepted",
    reason: "ConfigMapInvalid",
    withinMs: watchedMs,
  });
  const asked = stage.plane
    .audit()
    .filter(({ user, resource }) => user.includes("mailboat-operator") && resource === "configmaps");
  assert.ok(asked.length > 0);
  const names = new Set(asked.filter(({ namespace }) => namespace !== "kube-system").map(({ name }) => name));
  // The test itself asked for the other one, once.
  assert.deepEqual([...names].toSorted(), ["bundle", "other"]);
});
