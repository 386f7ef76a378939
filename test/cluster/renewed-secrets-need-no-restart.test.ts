/** Renewed certificates and changed DKIM keys are served by the pods that run, and status shows what each of them serves. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { openClusterStage } from "../support/node/clusterstage.ts";
import {
  applyExamples,
  mailNamespace,
  type MailCluster,
  messageTo,
  podHost,
  type SendAnswer,
} from "../support/node/mailcluster.ts";
import { sendScript, verifyScript } from "../support/node/scripts.ts";
import { issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { makeRsaKey, type DkimKey } from "../support/keys.ts";
import { until } from "../support/until.ts";

const scenario = openClusterStage(import.meta.url, async (cluster) => {
  await cluster.install();
  await applyExamples(cluster);
});

/** SHA-256 of the DER form in lower-case hex, as status and log write it. */
function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase();
}

async function makeTlsSecret(cluster: MailCluster): Promise<string> {
  const authority = await makeCertificateAuthority(Date.now());
  const leaf = await issueLeaf({ authority, names: ["relay.example.com"], now: Date.now() });
  await cluster.node.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "outbound-tls", namespace: mailNamespace },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": leaf.certificate + authority.certificate, "tls.key": leaf.privateKey },
  });
  return fingerprintOf(leaf.certificate);
}

async function servedBy(cluster: MailCluster, pod: string): Promise<string> {
  const answer = await cluster.python<SendAnswer>(sendScript, {
    ...messageTo("certificate"),
    host: podHost(pod),
    port: 2587,
  });
  return answer.certificate === undefined ? (answer.error ?? "") : fingerprintOf(answer.certificate);
}

interface RelayStatus {
  readonly pods?: readonly { readonly name: string; readonly certificateFingerprint?: string }[];
}

async function untilServed(cluster: MailCluster, fingerprint: string): Promise<void> {
  for (const pod of ["outbound-0", "outbound-1"]) {
    await until(`${pod} serves ${fingerprint}`, async () => (await servedBy(cluster, pod)) === fingerprint);
  }
  await until("status with the new fingerprint of each pod", async () => {
    const { pods = [] } = (await cluster.status<RelayStatus>("mailrelay", "outbound")) ?? {};
    return pods.length === 2 && pods.every((pod) => pod.certificateFingerprint === fingerprint);
  });
}

scenario(
  "a renewed TLS Secret is served by every pod without a restart, and status shows its fingerprint",
  async (cluster) => {
    const first = await makeTlsSecret(cluster);
    await cluster.patch("mailrelay", "outbound", { tls: { selfSigned: null, secretRef: { name: "outbound-tls" } } });
    await untilServed(cluster, first);
    const pods = await cluster.podIdentities();
    const second = await makeTlsSecret(cluster);
    assert.notEqual(second, first);
    await untilServed(cluster, second);
    assert.deepEqual(await cluster.podIdentities(), pods);
  },
);

async function putKey(cluster: MailCluster, key: DkimKey): Promise<void> {
  await cluster.node.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "example-com-dkim", namespace: mailNamespace },
    stringData: { privateKey: key.privateKey },
  });
}

/** Sends until a message comes that verifies with the key that is published. */
async function untilSignedWith(cluster: MailCluster, key: DkimKey): Promise<void> {
  await cluster.publish([`${key.selector}._domainkey.example.com. 1 IN TXT ${quoted(key.record)}`]);
  let tries = 0;
  await until("a signature of the new key", async () => {
    tries += 1;
    const subject = `signed ${key.record.slice(-16)} ${tries}`;
    assert.equal((await cluster.python<SendAnswer>(sendScript, messageTo(subject))).accepted, true);
    const message = await cluster.arrived(subject);
    const verdicts = await cluster.python<boolean[]>(verifyScript, { message });
    assert.notDeepEqual(verdicts, [], "a message without a signature");
    return verdicts.every(Boolean);
  });
}

function quoted(value: string): string {
  return (value.match(/.{1,250}/g) ?? []).map((part) => `"${part}"`).join(" ");
}

scenario("a changed DKIM key signs from the next message on, without a restart", async (cluster) => {
  const pods = await cluster.podIdentities();
  const first = makeRsaKey("s1");
  await putKey(cluster, first);
  await cluster.patch("senderdomain", "example-com", {
    dkim: { managed: null, keys: [{ selector: "s1", secretRef: { name: "example-com-dkim" } }] },
  });
  await cluster.untilCondition("senderdomain", "example-com", { type: "Programmed" });
  await untilSignedWith(cluster, first);
  const second = makeRsaKey("s1");
  await putKey(cluster, second);
  await untilSignedWith(cluster, second);
  assert.deepEqual(await cluster.podIdentities(), pods);
});
