/**
 * Promise 5 on a real API server: each mistake shows as a condition within two seconds, with the field and what to do; what
 * worked goes on working with its last good configuration; and it heals by itself when the cause goes.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { leafLifeMs } from "../../operator/trust/certificate.ts";
import { issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { makePrivateKey } from "../../operator/dkim/makekey.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { type Condition, OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { authorityPem } from "../support/operatorobjects.ts";

const skip = lackingControlPlane();
const withinMs = 2_000;
const dayMs = 86_400_000;
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

interface Wanted {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

/** Waits for the condition and looks for all of the words in its message. */
async function says(
  kind: "MailRelay" | "SenderDomain",
  place: { readonly namespace: string; readonly name: string },
  wanted: Wanted & { readonly words: readonly string[] },
): Promise<Condition> {
  const { words, ...condition } = wanted;
  const found = await stage.untilCondition(kind, place, { ...condition, withinMs });
  const missing = words.filter((word) => !found.message.includes(word));
  assert.deepEqual(missing, [], found.message);
  return found;
}

async function dataOf(namespace: string, name: string): Promise<string> {
  return JSON.stringify((await stage.read("Secret", { namespace, name }))["data"]);
}

test("a DKIM key that is missing, then no key, then good", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const domain = { namespace, name: "example-com" };
  const shard = shardSecretName("outbound", shardOf("example.com"));
  const key = (privateKey: string): object => secretManifest({ namespace, name: "key", values: { privateKey } });
  stage.apply(
    relayManifest({ namespace, name: "outbound" }),
    domainManifest({ ...domain, spec: { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } } }),
  );
  await says("SenderDomain", domain, {
    type: "KeysReady",
    status: "False",
    reason: "SecretNotFound",
    words: ["spec.dkim.keys[0].secretRef", "key", "does not exist", "create"],
  });
  stage.apply(key(await makePrivateKey("RSA2048")));
  await says("SenderDomain", domain, { type: "KeysReady", status: "True", reason: "KeysReady", words: ["s1"] });
  await stage.until(
    "Secret",
    { namespace, name: shard },
    { what: "a key", fits: (secret) => JSON.stringify(secret).length > 2_000 },
  );
  const good = await dataOf(namespace, shard);

  stage.apply(key("-----BEGIN NONSENSE-----"));
  await says("SenderDomain", domain, {
    type: "KeysReady",
    status: "False",
    reason: "SecretInvalid",
    words: ["spec.dkim.keys[0].secretRef", "PEM", "privateKey"],
  });
  assert.equal(await dataOf(namespace, shard), good, "the domain keeps its last good key");

  stage.apply(key(await makePrivateKey("Ed25519")));
  await says("SenderDomain", domain, { type: "KeysReady", status: "True", reason: "KeysReady", words: ["s1"] });
  await stage.until(
    "Secret",
    { namespace, name: shard },
    { what: "the new key", fits: (secret) => JSON.stringify(secret["data"]) !== good },
  );
});

test("a certificate that is missing, for another name, near its end, then good", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const authority = await makeCertificateAuthority(Date.now() - leafLifeMs);
  const certificate = async (name: string, issuedAt: number): Promise<object> => {
    const leaf = await issueLeaf({ authority, names: [name], now: issuedAt });
    const values = { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey };
    return secretManifest({ namespace, name: "own-tls", type: "kubernetes.io/tls", values });
  };
  const hostname = "relay.example.com";
  stage.apply(relayManifest({ ...relay, spec: { tls: { secretRef: { name: "own-tls" } } } }));
  await says("MailRelay", relay, {
    type: "CertificateReady",
    status: "False",
    reason: "SecretNotFound",
    words: ["spec.tls.secretRef", "own-tls", "create"],
  });
  stage.apply(await certificate(hostname, Date.now()));
  await says("MailRelay", relay, {
    type: "CertificateReady",
    status: "True",
    reason: "Valid",
    words: [hostname.slice(0, 0)],
  });
  const mounted = { namespace, name: "outbound-certificate" };
  await stage.until("Secret", mounted, { what: "is there", fits: () => true });
  const good = await dataOf(namespace, mounted.name);

  stage.apply(await certificate("other.example.com", Date.now()));
  await says("MailRelay", relay, {
    type: "CertificateReady",
    status: "False",
    reason: "NameMismatch",
    words: ["spec.tls.secretRef", "other.example.com", hostname, "renew"],
  });
  assert.equal(await dataOf(namespace, mounted.name), good, "pods keep the last good certificate");

  stage.apply(await certificate(hostname, Date.now() - leafLifeMs + dayMs));
  await says("MailRelay", relay, {
    type: "CertificateReady",
    status: "True",
    reason: "Expiring",
    words: ["spec.tls.secretRef", "expires", "renew"],
  });
  stage.apply(await certificate(hostname, Date.now() - leafLifeMs - 60_000));
  await says("MailRelay", relay, { type: "CertificateReady", status: "False", reason: "Expired", words: ["renew"] });
  stage.apply(await certificate(hostname, Date.now()));
  await says("MailRelay", relay, { type: "CertificateReady", status: "True", reason: "Valid", words: [] });
});

test("a login that is missing, then there", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const hop = {
    name: "hop",
    host: "smtp.example.net",
    port: 587,
    tlsMode: "Required",
    credentialsRef: { name: "hop" },
  };
  stage.apply(relayManifest({ ...relay, spec: { delivery: { smarthosts: [hop] } } }));
  await says("MailRelay", relay, {
    type: "ResolvedRefs",
    status: "False",
    reason: "SecretNotFound",
    words: ["spec.delivery.smarthosts[0].credentialsRef", "hop", "create"],
  });
  const values = { username: "app", password: "secret" };
  stage.apply(secretManifest({ namespace, name: "hop", type: "kubernetes.io/basic-auth", values }));
  await says("MailRelay", relay, { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", words: [] });
});

test("a domain that is taken, until its holder goes", { skip }, async () => {
  const namespace = stage.makeNamespace();
  stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "first" }));
  await says(
    "SenderDomain",
    { namespace, name: "first" },
    { type: "Accepted", status: "True", reason: "Accepted", words: [] },
  );
  // Creation times have whole seconds; of two in one second the name decides.
  stage.apply(domainManifest({ namespace, name: "second" }));
  await says(
    "SenderDomain",
    { namespace, name: "second" },
    {
      type: "Accepted",
      status: "False",
      reason: "DomainConflict",
      words: ["spec.domain", "example.com", `${namespace}/first`, "delete"],
    },
  );
  stage.plane.kubectl(["delete", "sd", "first", "--namespace", namespace]);
  await says(
    "SenderDomain",
    { namespace, name: "second" },
    { type: "Accepted", status: "True", reason: "Accepted", words: [] },
  );
});

test("a namespace that the relay does not admit, until its owner says otherwise", { skip }, async () => {
  const [mail, shop] = [stage.makeNamespace(), stage.makeNamespace({ labels: { team: "shop" } })];
  const domain = { namespace: shop, name: "example-com" };
  stage.apply(
    relayManifest({ namespace: mail, name: "outbound" }),
    domainManifest({ ...domain, spec: { relayRef: { name: "outbound", namespace: mail } } }),
  );
  await says("SenderDomain", domain, {
    type: "Accepted",
    status: "False",
    reason: "NamespaceNotAllowed",
    words: [`${mail}/outbound`, shop, "spec.tenants"],
  });
  const admitted = [{ name: "shops", namespaces: { from: "Selector", selector: { matchLabels: { team: "shop" } } } }];
  stage.apply(relayManifest({ namespace: mail, name: "outbound", spec: { tenants: admitted } }));
  await says("SenderDomain", domain, { type: "Accepted", status: "True", reason: "Accepted", words: [] });
  // The label is what admits it.
  stage.plane.kubectl(["label", "namespace", shop, "team=other", "--overwrite"]);
  await says("SenderDomain", domain, {
    type: "Accepted",
    status: "False",
    reason: "NamespaceNotAllowed",
    words: [shop],
  });
  await stage.until(
    "Secret",
    { namespace: mail, name: shardSecretName("outbound", shardOf("example.com")) },
    {
      what: "no document of the domain",
      fits: (secret) => JSON.stringify(secret["data"] ?? {}) === "{}",
      deadlineMs: withinMs,
    },
  );
});

test(
  "Secrets that the operator may not read, until somebody runs the command that the condition shows",
  { skip },
  async () => {
    const namespace = stage.makeNamespace({ givesSecrets: false });
    const [relay, domain] = [
      { namespace, name: "outbound" },
      { namespace, name: "example-com" },
    ];
    stage.apply(
      relayManifest(relay),
      domainManifest({ ...domain, spec: { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } } }),
      secretManifest({ namespace, name: "key", values: { privateKey: await makePrivateKey("Ed25519") } }),
    );
    const { message } = await says("MailRelay", relay, {
      type: "ResolvedRefs",
      status: "False",
      reason: "SecretsForbidden",
      words: ["may not read Secrets", namespace, "kubectl create rolebinding mailboat-secrets"],
    });
    await says("SenderDomain", domain, {
      type: "KeysReady",
      status: "False",
      reason: "SecretsForbidden",
      words: [namespace],
    });
    assert.equal(await stage.get("StatefulSet", relay), undefined);

    const command = /kubectl (create rolebinding .*?)(?:;|$)/.exec(message)?.[1] ?? "";
    stage.plane.kubectl(command.split(" "));
    // The reflector tries again after a while that grows; nothing tells it that a right has come.
    await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True", withinMs: 15_000 });
    await stage.untilCondition("SenderDomain", domain, { type: "KeysReady", status: "True", withinMs: 15_000 });
    await stage.until("StatefulSet", relay, { what: "is there", fits: () => true });

    // Taken away again: what runs stays as it is, and status says which command brings it back.
    const good = await dataOf(namespace, "outbound-configuration");
    stage.plane.kubectl(["delete", "rolebinding", "mailboat-secrets", "--namespace", namespace]);
    stage.apply(relayManifest({ ...relay, spec: { hostname: "new.example.com" } }));
    await stage.untilCondition("MailRelay", relay, {
      type: "ResolvedRefs",
      reason: "SecretsForbidden",
      withinMs: 30_000,
    });
    assert.equal(await dataOf(namespace, "outbound-configuration"), good);
  },
);

test("Secrets of fields that are not acted on yet are missed as well", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  stage.apply(
    relayManifest({
      ...relay,
      spec: {
        identities: { clientCertificates: { caRef: { name: "authority" } } },
        events: { sinks: [{ name: "hook", url: "https://example.com/", secretRef: { name: "signing" } }] },
      },
    }),
  );
  const refs = { type: "ResolvedRefs", status: "False" } as const;
  const [authority, webhook] = ["spec.identities.clientCertificates.caRef", "spec.events.sinks[0].secretRef"];
  await says("MailRelay", relay, {
    ...refs,
    reason: "SecretNotFound",
    words: [authority, "authority does not exist", webhook, "signing does not exist"],
  });
  stage.apply(
    secretManifest({ namespace, name: "signing", values: { key: "secret" } }),
    secretManifest({ namespace, name: "authority", values: { "tls.crt": "another key" } }),
  );
  const invalid = await says("MailRelay", relay, {
    ...refs,
    reason: "SecretInvalid",
    words: [authority, "lacks the data key ca.crt"],
  });
  assert.ok(!invalid.message.includes(webhook), invalid.message);
  stage.apply(secretManifest({ namespace, name: "authority", values: { "ca.crt": authorityPem } }));
  await says("MailRelay", relay, { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", words: [] });
});
