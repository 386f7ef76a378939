/**
 * The private half of a published DKIM key, and the authorities that clients and pods trust, outlive the resource that they were made
 * for: orphaned and made anew, brought back from a backup under another uid, or unknown to a leader whose cache lags behind.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { dkimSelectorLabel } from "../../api/labels.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { readPrivateKey } from "../../operator/dkim/privatekey.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const withinMs = 10_000;
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

interface Place {
  readonly namespace: string;
  readonly name: string;
}

function ownerOf(object: RawObject): unknown {
  const owners = object.metadata["ownerReferences"];
  return Array.isArray(owners) ? owners.map((owner: { readonly uid?: string }) => owner.uid) : [];
}

async function keyReady(domain: Place): Promise<void> {
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "True", withinMs });
}

async function make(namespace: string): Promise<{ readonly domain: Place; readonly key: RawObject }> {
  const domain = { namespace, name: "example-com" };
  const dkim = { managed: { algorithms: ["Ed25519"] } };
  stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ ...domain, spec: { dkim } }));
  await keyReady(domain);
  return { domain, key: await stage.read("Secret", { namespace, name: "example-com-dkim-mbe1" }) };
}

async function keyNow(namespace: string): Promise<RawObject> {
  return stage.read("Secret", { namespace, name: "example-com-dkim-mbe1" });
}

async function ownedBy(namespace: string, uid: string | undefined): Promise<void> {
  await until("the key's owner is the domain", async () => String(ownerOf(await keyNow(namespace))) === uid);
}

test("the selector of a key that was made names this very key", { skip }, async () => {
  const { key } = await make(stage.makeNamespace());
  const data = key["data"] as { readonly privateKey: string };
  const reading = readPrivateKey(Buffer.from(data.privateKey, "base64").toString());
  assert.equal(reading.kind, "usable");
  assert.match(key.metadata.labels?.[dkimSelectorLabel] ?? "", /^mbe[0-9a-f]{10}$/);
});

test("a domain that was orphaned and made anew goes on with its key", { skip }, async () => {
  const { domain, key } = await make(stage.makeNamespace());
  const { namespace } = domain;
  stage.plane.kubectl(["delete", "senderdomain", domain.name, "--namespace", namespace]);
  // What the garbage collector makes of --cascade=orphan; there is none here.
  stage.plane.kubectl([
    "patch",
    "secret",
    key.metadata.name,
    "--namespace",
    namespace,
    "--type=merge",
    "-p",
    JSON.stringify({ metadata: { ownerReferences: null } }),
  ]);
  const dkim = { managed: { algorithms: ["Ed25519"] } };
  stage.apply(domainManifest({ ...domain, spec: { dkim } }));
  await keyReady(domain);
  const { metadata } = await stage.read("SenderDomain", domain);
  await ownedBy(namespace, metadata.uid);
  const now = await keyNow(namespace);
  assert.deepEqual([now.metadata.uid, now["data"]], [key.metadata.uid, key["data"]]);
});

test("a key whose owner is a domain of this name that is no more is owned by the one there is", { skip }, async () => {
  const { domain, key } = await make(stage.makeNamespace());
  const { namespace } = domain;
  const { metadata } = await stage.read("SenderDomain", domain);
  const owners = [{ apiVersion: "mailboat.dev/v1alpha1", kind: "SenderDomain", name: domain.name, uid: "0-dead" }];
  stage.plane.kubectl([
    "patch",
    "secret",
    key.metadata.name,
    "--namespace",
    namespace,
    "--type=merge",
    "-p",
    JSON.stringify({ metadata: { ownerReferences: owners } }),
  ]);
  await ownedBy(namespace, metadata.uid);
  assert.deepEqual((await keyNow(namespace))["data"], key["data"]);
});

test("a relay that was made anew owns the certificate of the one before it", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const certificate = { namespace, name: "outbound-certificate" };
  stage.apply(relayManifest(relay));
  await stage.untilCondition("MailRelay", relay, { type: "CertificateReady", status: "True", withinMs });
  const owners = [{ apiVersion: "mailboat.dev/v1alpha1", kind: "MailRelay", name: "outbound", uid: "0-dead" }];
  const first = await stage.read("Secret", certificate);
  stage.plane.kubectl([
    "patch",
    "secret",
    certificate.name,
    "--namespace",
    namespace,
    "--type=merge",
    "-p",
    JSON.stringify({ metadata: { ownerReferences: owners } }),
  ]);
  const { metadata } = await stage.read("MailRelay", relay);
  await until("the certificate's owner is the relay", async () => {
    return String(ownerOf(await stage.read("Secret", certificate))) === metadata.uid;
  });
  assert.deepEqual((await stage.read("Secret", certificate))["data"], first["data"]);
});
