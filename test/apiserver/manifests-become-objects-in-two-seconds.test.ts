/** From `kubectl apply` of a MailRelay with three SenderDomains to every object, on a real API server. */
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import { mailRelay } from "../../api/mailrelay.ts";
import { parseDomainDocument, relayDocument } from "../../api/relayconfig.ts";
import { primesOf } from "../../api/rsakey.ts";
import type { AppliedObject, Secret } from "../../operator/kube/objects.ts";
import { digestOf, project } from "../../operator/kube/cluster/difference.ts";
import { secretView } from "../../operator/kube/cluster/views.ts";
import { secretText } from "../../operator/kube/secret.ts";
import { readShard } from "../../operator/kube/shard.ts";
import { renderDisruptionBudget } from "../../operator/mailrelay/objects/disruptionbudget.ts";
import { domainDataKey, shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { renderNetworkPolicy } from "../../operator/mailrelay/objects/networkpolicy.ts";
import { renderClientService, renderHeadlessService } from "../../operator/mailrelay/objects/service.ts";
import { renderServiceAccount } from "../../operator/mailrelay/objects/serviceaccount.ts";
import { renderStatefulSet } from "../../operator/mailrelay/objects/statefulset.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const domains = ["example.com", "shop.example.com", "erp.example.com"];
const image = "registry.example/mailboat-relay:test";
let stage: OperatorStage;

before(
  async () => {
    if (skip === false) stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

function key(): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

test("every object of a relay and three domains is there and right within two seconds", { skip }, async () => {
  const operator = stage.operator();
  await operator.leading();
  const namespace = stage.makeNamespace();
  const keys = new Map(domains.map((domain) => [domain, key()]));
  stage.apply(
    relayManifest({ namespace, name: "outbound", spec: { replicas: 2 } }),
    ...domains.flatMap((domain) => [
      secretManifest({ namespace, name: `${domain}-dkim`, values: { privateKey: keys.get(domain) ?? "" } }),
      domainManifest({
        namespace,
        name: domain.replaceAll(".", "-"),
        spec: { domain, dkim: { keys: [{ selector: "s1", secretRef: { name: `${domain}-dkim` } }] } },
      }),
    ]),
  );
  // kubectl itself takes a second on a busy machine; what it has applied is where the operator's time begins.
  const startedAt = performance.now();
  const configuration = await until("a configuration that names the shards of all domains", async () => {
    const secret = await readSecret(namespace, "outbound-configuration");
    if (secret === undefined) return undefined;
    const document = relayDocument.parse(JSON.parse(secretText(secret, "relay.json") ?? ""));
    return (await namesAll(namespace, document.shards)) ? document : undefined;
  });
  await stage.until("StatefulSet", { namespace, name: "outbound" }, { what: "is there", fits: () => true });
  const tookMs = performance.now() - startedAt;
  assert.ok(tookMs < 2000, `took ${tookMs} ms`);

  const relay = mailRelay.parse(await stage.read("MailRelay", { namespace, name: "outbound" }));
  const wanted: readonly AppliedObject[] = [
    renderServiceAccount(relay),
    renderHeadlessService(relay),
    renderClientService(relay),
    renderNetworkPolicy(relay, stage.operatorNamespace),
    renderDisruptionBudget(relay),
    renderStatefulSet({ relay, image, replicas: 2, present: undefined }),
  ];
  for (const object of wanted) {
    const actual = await stage.read(object.kind, { namespace, name: object.metadata.name });
    assert.equal(digestOf(project(object, actual)), digestOf(object), `${object.kind} ${object.metadata.name}`);
  }
  for (const domain of domains) {
    const shard = await readSecret(namespace, shardSecretName("outbound", shardOf(domain)));
    const document = parseDomainDocument(JSON.parse(secretText(shard, domainDataKey(domain)) ?? ""));
    const primes = primesOf(createPrivateKey(keys.get(domain) ?? "").export({ format: "jwk" }));
    assert.ok(primes !== undefined);
    assert.deepEqual(document.keys, [{ selector: "s1", privateKey: primes }]);
    assert.equal(shard?.metadata.ownerReferences?.[0]?.uid, relay.metadata["uid"]);
  }
  const certificate = new X509Certificate(
    secretText(await readSecret(namespace, "outbound-certificate"), "tls.crt") ?? "",
  );
  assert.equal(certificate.checkHost("relay.example.com"), "relay.example.com");
  assert.ok(certificate.checkHost(`outbound.${namespace}.svc`) !== undefined);
  assert.equal(configuration.hostname, "relay.example.com");
});

async function readSecret(namespace: string, name: string): Promise<Secret | undefined> {
  const raw = await stage.get("Secret", { namespace, name });
  return raw === undefined ? undefined : secretView(raw);
}

async function namesAll(namespace: string, shards: Readonly<Record<string, string>>): Promise<boolean> {
  for (const domain of domains) {
    const shard = await readSecret(namespace, shardSecretName("outbound", shardOf(domain)));
    if (shard === undefined || shard.data[domainDataKey(domain)] === undefined) return false;
    if (readShard(shard).digest !== shards[shardOf(domain)]) return false;
  }
  return true;
}
