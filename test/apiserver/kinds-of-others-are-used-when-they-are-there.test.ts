/**
 * prometheus-operator and cert-manager, by their definitions alone: what is made for them is made when their kinds are known,
 * also when they come later, and comes back as it was when somebody changes it. The test issues what cert-manager would.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const hostname = "relay.example.com";
/** The operator asks every half minute which kinds there are, and looks at a relay at rest every minute. */
const noticedMs = 100_000;
let stage: OperatorStage;
let operator: OperatorProgram;
let namespace: string;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    stage.defineKind("monitoring.coreos.com", "PodMonitor");
    operator = stage.operator();
    await operator.leading();
    namespace = stage.makeNamespace();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const specOf = (object: RawObject): string => JSON.stringify(object["spec"]);

/** Deletes it, then changes it, and waits for what it was. */
async function comesBack(kind: "PodMonitor" | "Certificate", name: string, change: object): Promise<void> {
  const place = { namespace, name };
  const first = await stage.read(kind, place);
  await stage.client.delete(resourceOf(kind), place, {});
  const isAnother = ({ metadata }: RawObject): boolean => metadata.uid !== first.metadata.uid;
  const again = await stage.until(kind, place, { what: "another one", fits: isAnother, deadlineMs: 5_000 });
  assert.equal(specOf(again), specOf(first));
  const body = { spec: change };
  const edited = await stage.client.mergePatch(resourceOf(kind), place, { body, fieldManager: "kubectl-edit" });
  assert.notEqual(specOf(edited), specOf(first));
  const isAsItWas = (object: RawObject): boolean => specOf(object) === specOf(first);
  await stage.until(kind, place, { what: "as it was", fits: isAsItWas, deadlineMs: 5_000 });
}

test("a PodMonitor is made for each relay, and comes back", { skip }, async () => {
  const relay = { namespace, name: "outbound" };
  stage.apply(relayManifest(relay));
  const monitor = await stage.until("PodMonitor", relay, { what: "is there", fits: () => true });
  const { uid } = (await stage.read("MailRelay", relay)).metadata;
  const { ownerReferences } = monitor.metadata as { readonly ownerReferences?: readonly { readonly uid: string }[] };
  assert.deepEqual(
    ownerReferences?.map((owner) => owner.uid),
    [uid],
  );
  await comesBack("PodMonitor", "outbound", { podMetricsEndpoints: [{ port: "other", path: "/metrics" }] });
});

test(
  "cert-manager that is installed later is asked then, and what it issues is used",
  { skip, timeout: 240_000 },
  async () => {
    const relay = { namespace, name: "issued" };
    const issuerRef = { name: "letsencrypt", kind: "ClusterIssuer" };
    stage.apply(relayManifest({ ...relay, spec: { hostname, tls: { certManager: { issuerRef } } } }));
    await stage.untilCondition("MailRelay", relay, {
      type: "CertificateReady",
      status: "False",
      reason: "CertManagerNotInstalled",
    });
    stage.defineKind("cert-manager.io", "Certificate");
    const asked = await stage.until("Certificate", relay, {
      what: "is there",
      fits: () => true,
      deadlineMs: noticedMs,
    });
    const { secretName, dnsNames } = asked["spec"] as { readonly secretName: string; readonly dnsNames: string[] };
    assert.deepEqual(dnsNames, [hostname]);
    await comesBack("Certificate", "issued", { dnsNames: ["other.example"] });

    const conditions = [{ type: "Ready", status: "False", reason: "Pending", message: "waiting for the challenge" }];
    const status = { ...relay, subresource: "status" } as const;
    await stage.client.mergePatch(resourceOf("Certificate"), status, {
      body: { status: { conditions } },
      fieldManager: "cm",
    });
    await until("what cert-manager says in status", async () => {
      const said = JSON.stringify((await stage.read("MailRelay", relay))["status"]);
      return said.includes("cert-manager says: waiting for the challenge");
    });
    const authority = await makeCertificateAuthority(Date.now());
    const leaf = await issueLeaf({ authority, names: [hostname], now: Date.now() });
    const values = { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey };
    stage.apply(secretManifest({ namespace, name: secretName, type: "kubernetes.io/tls", values }));
    await stage.untilCondition("MailRelay", relay, { type: "CertificateReady", status: "True", reason: "Valid" });
    await stage.until("Secret", { namespace, name: "issued-certificate" }, { what: "for the pods", fits: () => true });
  },
);

test("kinds that go take nothing else with them", { skip, timeout: 240_000 }, async () => {
  stage.plane.kubectl(["delete", "crd", "podmonitors.monitoring.coreos.com", "certificates.cert-manager.io"]);
  const relay = { namespace, name: "issued" };
  await stage.untilCondition("MailRelay", relay, {
    type: "CertificateReady",
    reason: "CertManagerNotInstalled",
    withinMs: noticedMs,
  });
  stage.apply(relayManifest({ namespace, name: "later" }));
  await stage.until("StatefulSet", { namespace, name: "later" }, { what: "is there", fits: () => true });
});
