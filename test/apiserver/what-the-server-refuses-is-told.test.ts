/**
 * Writes that a real API server, or the operator before it, refuses: each becomes a condition with the field, the object and
 * what to do, everything else is carried out, and it heals by itself when the cause goes.
 */
import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { after, before, test } from "node:test";
import * as x509 from "@peculiar/x509";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { conditionsOf, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";

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

const theirs = { note: "somebody else's" };

async function dataOf(namespace: string, name: string): Promise<unknown> {
  return (await stage.read("Secret", { namespace, name }))["data"];
}

test("a Secret of somebody else's where a DKIM key should be made", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const [domain, name] = [{ namespace, name: "example-com" }, "example-com-dkim-mbe1"];
  stage.apply(
    secretManifest({ namespace, name, values: theirs }),
    relayManifest({ namespace, name: "outbound" }),
    domainManifest({ ...domain, spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } }),
  );
  const refused = await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "False" });
  assert.match(refused.message, /^spec\.dkim\.managed: .*example-com-dkim-mbe1 is there and was not made by Mailboat/);
  assert.deepEqual(Object.keys((await dataOf(namespace, name)) ?? {}), ["note"]);
  stage.plane.kubectl(["delete", "secret", name, "--namespace", namespace]);
  await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "True" });
});

test("Secrets of somebody else's where the certificate and a shard should be", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const [relay, domain] = [
    { namespace, name: "outbound" },
    { namespace, name: "example-com" },
  ];
  const shard = shardSecretName("outbound", shardOf("example.com"));
  stage.apply(
    secretManifest({ namespace, name: "outbound-certificate", values: theirs }),
    secretManifest({ namespace, name: shard, values: theirs }),
    relayManifest(relay),
    domainManifest(domain),
  );
  const certificate = await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "False" });
  assert.match(certificate.message, /^metadata\.name: .*outbound-certificate is there and was not made by Mailboat/);
  const ready = await stage.untilCondition("MailRelay", relay, { type: "Ready", status: "False", reason: "Invalid" });
  assert.equal(ready.message, certificate.message);
  const document = await stage.untilCondition("SenderDomain", domain, { type: "Accepted", status: "False" });
  assert.match(document.message, new RegExp(`^spec\\.relayRef: .*${shard} is there and was not made by Mailboat`));
  // Neither is taken over: what somebody else wrote does not go with the relay.
  for (const name of ["outbound-certificate", shard]) {
    const secret = await stage.read("Secret", { namespace, name });
    assert.deepEqual([Object.keys(secret["data"] ?? {}), secret.metadata["ownerReferences"]], [["note"], undefined]);
  }
  await stage.until("Service", relay, { what: "is there all the same", fits: () => true });
  stage.plane.kubectl(["delete", "secret", "outbound-certificate", "--namespace", namespace]);
  await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "True", withinMs: 30_000 });
  await stage.until("Secret", { namespace, name: "outbound-certificate" }, { what: "is ours", fits: () => true });
});

test("a domain that is larger than its relay has room for says so, and its neighbours go on", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const large = { namespace, name: "example-com" };
  const neighbour = neighbourOf("example.com");
  const bundle = await certificateOf(440_000);
  const authority = secretManifest({ namespace, name: "ca", values: { "ca.crt": bundle } });
  await stage.client.create(resourceOf("Secret"), authority, "test");
  const tenants = [{ name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] }];
  const hop = { port: 25, tlsMode: "Required", caRef: { name: "ca" } };
  const smarthosts = ["a.example.net", "b.example.net"].map((host) => ({
    ...hop,
    name: host.replaceAll(".", "-"),
    host,
  }));
  stage.apply(
    relayManifest({ namespace, name: "outbound", spec: { tenants } }),
    domainManifest({ ...large, spec: { smarthosts } }),
    domainManifest({ namespace, name: "neighbour", spec: { domain: neighbour } }),
  );
  const refused = await stage.untilCondition("SenderDomain", large, { type: "Accepted", reason: "TooLarge" });
  assert.match(refused.message, /^spec\.smarthosts: .* 11[4-9]\d KiB .* room for 128/);
  await stage.untilCondition("SenderDomain", { namespace, name: "neighbour" }, { type: "Accepted", status: "True" });
  const shard = shardSecretName("outbound", shardOf(neighbour));
  const fits = (secret: object): boolean => JSON.stringify(secret).includes(`${neighbour}.json`);
  await stage.until("Secret", { namespace, name: shard }, { what: "has the neighbour", fits });
  stage.apply(domainManifest(large));
  await stage.untilCondition("SenderDomain", large, { type: "Accepted", status: "True" });
});

/** An authority's certificate, in PEM, with an extension of so many octets. Of a bundle certificates alone go to the pods. */
async function certificateOf(octets: number): Promise<string> {
  x509.cryptoProvider.set(webcrypto);
  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=large",
    keys: await webcrypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"]),
    signingAlgorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.Extension("1.3.6.1.4.1.55555.1", false, new Uint8Array(octets)),
    ],
  });
  return certificate.toString("pem");
}

function neighbourOf(domain: string): string {
  for (let index = 0; ; index += 1) {
    const other = `neighbour-${index}.example.com`;
    if (shardOf(other) === shardOf(domain)) return other;
  }
}

test("a quota leads to the namespace, whatever the kind", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const hard = { services: "0", "count/statefulsets.apps": "0" };
  stage.apply({ apiVersion: "v1", kind: "ResourceQuota", metadata: { namespace, name: "none" }, spec: { hard } });
  // The controller that counts is not there: its part is to say how much is used.
  const status = JSON.stringify({ status: { hard, used: hard } });
  const patch = ["patch", "resourcequota", "none", "--subresource=status", "--type=merge", "--patch", status];
  stage.plane.kubectl([...patch, "--namespace", namespace]);
  stage.apply(relayManifest(relay));
  const named = (kind: string): RegExp =>
    new RegExp(`metadata\\.namespace: Kubernetes refuses ${kind} outbound: .*exceeded quota`);
  await stage.until("MailRelay", relay, {
    what: "names both",
    fits: (object) => {
      const message =
        conditionsOf(object).find((one) => one.type === "Accepted" && one.status === "False")?.message ?? "";
      return named("Service").test(message) && named("StatefulSet").test(message);
    },
  });
  await stage.until("Secret", { namespace, name: "outbound-configuration" }, { what: "is there", fits: () => true });
  stage.plane.kubectl(["delete", "resourcequota", "none", "--namespace", namespace]);
  await stage.untilCondition("MailRelay", relay, { type: "Accepted", status: "True", withinMs: 30_000 });
  await stage.until("StatefulSet", relay, { what: "is there", fits: () => true });
});
