/**
 * A client carries `ca.crt` of a relay's certificate to where it needs it. The authority behind it is renewed without breaking
 * anybody: real TLS connections show whom a client believes that has the old file, and one that took the newer file in time.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { connect, createServer } from "node:tls";
import { managedByLabel } from "../../api/labels.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { secretView } from "../../operator/kube/cluster/views.ts";
import { decodeData } from "../../operator/kube/secret.ts";
import { caLifeMs, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import type { IssuedCertificate } from "../../operator/trust/certificate.ts";
import { relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";

const skip = lackingControlPlane();
const dayMs = 86_400_000;
const hostname = "relay.example.com";
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

/** One with so many days left. */
async function authority(days: number): Promise<IssuedCertificate> {
  return makeCertificateAuthority(Date.now() - caLifeMs + days * dayMs);
}

function storeAuthority(
  { certificate, privateKey }: IssuedCertificate,
  labels: Readonly<Record<string, string>>,
): void {
  const values = { "tls.crt": certificate, "tls.key": privateKey };
  const place = { namespace: stage.operatorNamespace, name: "mailboat-ca" };
  stage.apply(secretManifest({ ...place, type: "kubernetes.io/tls", labels, values }));
}

async function removeAuthority(): Promise<void> {
  await stage.client.delete(resourceOf("Secret"), { namespace: stage.operatorNamespace, name: "mailboat-ca" }, {});
}

type Certificate = Readonly<Record<string, string>>;

async function untilCertificate(namespace: string, fits: (data: Certificate) => boolean): Promise<Certificate> {
  const read = (raw: Parameters<typeof secretView>[0]): Certificate => decodeData(secretView(raw));
  const place = { namespace, name: "outbound-certificate" };
  return read(await stage.until("Secret", place, { what: "what is awaited", fits: (raw) => fits(read(raw)) }));
}

const countIn = (pem = ""): number => pem.split("BEGIN CERTIFICATE").length - 1;

/** Whether a client with this file believes a server with this certificate. */
async function trusts(ca: string, served: Certificate): Promise<boolean> {
  const server = createServer({ cert: served["tls.crt"], key: served["tls.key"] });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const client = connect({ host: "127.0.0.1", port, ca, servername: hostname });
  const { promise, resolve } = Promise.withResolvers<boolean>();
  client.on("secureConnect", () => resolve(client.authorized));
  client.on("error", () => resolve(false));
  const isTrusted = await promise;
  client.destroy();
  server.close();
  return isTrusted;
}

test("the next authority is in ca.crt before it signs, and the one before after it has", { skip }, async () => {
  const { operatorNamespace } = stage;
  const old = await authority(170);
  storeAuthority(old, { [managedByLabel]: "mailboat-operator" });
  const namespace = stage.makeNamespace();
  const operator = stage.operator();
  await operator.leading();
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  const first = await untilCertificate(namespace, (data) => countIn(data["ca.crt"]) === 3);
  const newer = first["ca.crt"] ?? "";
  assert.ok(await trusts(old.certificate, first), "a client with the file of before");
  assert.ok(await trusts(newer, first));

  // What ninety days would bring about: the present authority is too near its end to sign.
  const [resource, place] = [resourceOf("Secret"), { namespace: operatorNamespace, name: "mailboat-ca" }];
  const spent = await authority(80);
  const data = { "tls.crt": spent.certificate, "tls.key": spent.privateKey };
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")] as const);
  await stage.client.mergePatch(resource, place, { body: { data: Object.fromEntries(encoded) }, fieldManager: "test" });
  const second = await untilCertificate(namespace, (present) => present["tls.crt"] !== first["tls.crt"]);
  assert.equal(await trusts(old.certificate, second), false, "signed by the next authority");
  assert.ok(await trusts(newer, second), "a client that took the newer file in time");
  assert.equal(countIn(second["ca.crt"]), 3);
  assert.equal(second["rsa.crt"], first["rsa.crt"], "the RSA one is far from its end");
  assert.equal(await operator.stop(), 0);
});

test("an authority of before there was RSA gets one beside it, once", { skip }, async () => {
  await removeAuthority();
  const old = await authority(3_000);
  storeAuthority(old, { [managedByLabel]: "mailboat-operator" });
  const namespace = stage.makeNamespace();
  const operator = stage.operator();
  await operator.leading();
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  const issued = await untilCertificate(namespace, (data) => "rsa.crt" in data);
  assert.equal(countIn(issued["ca.crt"]), 2);
  assert.ok(issued["ca.crt"]?.startsWith(old.certificate));
  for (const pair of ["tls", "rsa"]) {
    const served = { "tls.crt": issued[`${pair}.crt`] ?? "", "tls.key": issued[`${pair}.key`] ?? "" };
    assert.ok(await trusts(issued["ca.crt"] ?? "", served), pair);
  }
  await stage.untilQuiet();
  assert.deepEqual(await untilCertificate(namespace, () => true), issued);
  assert.equal(await operator.stop(), 0);
});

test("an authority that a person gave is used as it is, near its end as well", { skip }, async () => {
  for (const days of [3_000, 170]) {
    await removeAuthority();
    const given = await authority(days);
    storeAuthority(given, {});
    const operator = stage.operator();
    await operator.leading();
    const namespace = stage.makeNamespace();
    stage.apply(relayManifest({ namespace, name: "outbound" }));
    const issued = await untilCertificate(namespace, (data) => "ca.crt" in data);
    assert.equal(issued["ca.crt"], given.certificate);
    assert.ok(!("rsa.crt" in issued), "nothing is put beside what a person gave");
    assert.ok(await trusts(given.certificate, issued));
    assert.equal(await operator.stop(), 0);
  }
});

test("relays that begin together get one authority", { skip }, async () => {
  await removeAuthority();
  const namespaces = Array.from({ length: 6 }, () => stage.makeNamespace());
  stage.apply(...namespaces.map((namespace) => relayManifest({ namespace, name: "outbound" })));
  const operator = stage.operator();
  await operator.leading();
  const all = await Promise.all(namespaces.map((namespace) => untilCertificate(namespace, (data) => "ca.crt" in data)));
  await stage.untilQuiet();
  assert.equal(new Set(all.map((data) => data["ca.crt"])).size, 1);
  const again = await Promise.all(namespaces.map((namespace) => untilCertificate(namespace, () => true)));
  assert.deepEqual(again, all, "no certificate was made twice");
});
