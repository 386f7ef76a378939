import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { dkimSelectorLabel } from "../../api/labels.ts";
import { parseDomainDocument, type RelayDocument, relayDocument } from "../../api/relayconfig.ts";
import {
  domainOf,
  domainWorld,
  ed25519Key,
  relayOf,
  relayWorld,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { encodeData } from "../kube/secret.ts";
import { readShard, textDigest } from "../kube/shard.ts";
import { relayDocumentOf } from "../mailrelay/document.ts";
import { withRevision } from "../mailrelay/objects/configuration.ts";
import { shardOf } from "../binding/shards.ts";
import { previousDocument } from "./document.ts";
import { managedSelector, readPrivateKey } from "../dkim/privatekey.ts";
import type { DomainWorld } from "./world.ts";
import { type DomainPlan, planDomain, planMisfitDomain } from "../../test/support/plans.ts";

const ownKey = { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } };
const keySecret = secretOf({ name: "key", values: { privateKey: ed25519Key } });
const withKey = domainWorld({ domain: domainOf({ spec: ownKey }), secrets: new Map([["key", keySecret]]) });
const smallPair = generateKeyPairSync("rsa", { modulusLength: 768 });
const smallRsaKey = smallPair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();

function selectorsOf({ status }: DomainPlan): readonly string[] | undefined {
  return status.dkim?.keys?.map(({ selector }) => selector);
}

function condition(plan: DomainPlan, type: string) {
  return plan.status.conditions?.find((entry) => entry.type === type);
}

function written(plan: DomainPlan) {
  return plan.write === undefined ? undefined : parseDomainDocument(JSON.parse(plan.write.text));
}

/** The world after what the plan writes has been written, with a fallback that gather would read where it is needed. */
function after(world: DomainWorld, plan: DomainPlan): DomainWorld {
  assert.ok(plan.write !== undefined);
  const { dataKey, text, secret } = plan.write;
  const shard = readShard({ ...secret, data: encodeData({ [dataKey]: text }) });
  return { ...world, shard, previous: previousDocument(world.domain, text) };
}

type Row = readonly [name: string, world: DomainWorld, type: string, status: string, reason: string, message: RegExp];

const shop = domainOf({ namespace: "shop" });
const older = domainOf({ name: "older", namespace: "mail", createdAt: "2026-01-01T00:00:00Z" });
const keyOnly = (values: Record<string, string>): DomainWorld => ({
  ...withKey,
  secrets: new Map([["key", secretOf({ name: "key", values })]]),
});
const byLogin = { name: "logins", credentials: { secretSelector: { matchLabels: { app: "shop" } } } };
const problems = [{ kind: "missing", object: "Secret", field: "f", message: "f selects no Secret" }] as const;
const scram = { salt: "c2FsdA==", iterations: 4096, storedKey: "a2V5", serverKey: "a2V5" };
const pausedRelay = {
  ...relayOf({ paused: true }),
  status: { pods: [{ name: "outbound-0", ready: true, revision: "r1" }] },
};
const rows: readonly Row[] = [
  ["a served domain", withKey, "Accepted", "True", "Accepted", /mail\/outbound serves/],
  [
    "a relay that is not there",
    domainWorld({ relay: undefined }),
    "Accepted",
    "False",
    "RelayNotFound",
    /^spec\.relayRef: MailRelay mail\/outbound does not exist/,
  ],
  [
    "a namespace without consent",
    domainWorld({ domain: shop }),
    "Accepted",
    "False",
    "NamespaceNotAllowed",
    /spec\.tenants/,
  ],
  [
    "a domain that an older object has",
    domainWorld({ rivals: [older] }),
    "Accepted",
    "False",
    "DomainConflict",
    /mail\/older/,
  ],
  [
    "a selector that matches nothing",
    domainWorld({ domain: domainOf({ spec: { senders: [byLogin] } }), credentials: { documents: [], problems } }),
    "Accepted",
    "True",
    "NoSenders",
    /selects no Secret/,
  ],
  [
    "a selector that matches nothing beside senders that need no Secret",
    domainWorld({
      domain: domainOf({ spec: { senders: [byLogin, { name: "networks", trustedNetworks: true }] } }),
      credentials: { documents: [], problems },
    }),
    "Accepted",
    "True",
    "SendersIncomplete",
    /selects no Secret/,
  ],
  [
    "a login that cannot be used beside one that can",
    domainWorld({
      domain: domainOf({ spec: { senders: [byLogin] } }),
      credentials: {
        documents: [{ identity: "mail/app", username: "app", scram: { ...scram } }],
        problems: [
          { kind: "invalid", object: "Secret", field: "f", message: "f: Secret mail/other needs the data keys" },
        ],
      },
    }),
    "Accepted",
    "True",
    "SendersIncomplete",
    /Secret mail\/other needs/,
  ],
  ["a domain without DKIM", domainWorld(), "KeysReady", "True", "NotSigned", /unsigned/],
  ["a key that is there", withKey, "KeysReady", "True", "KeysReady", /s1/],
  [
    "a key Secret that is missing",
    { ...withKey, secrets: new Map() },
    "KeysReady",
    "False",
    "SecretNotFound",
    /^spec\.dkim\.keys\[0\]\.secretRef: Secret key does not exist: create it/,
  ],
  [
    "a key Secret without privateKey",
    keyOnly({ other: "x" }),
    "KeysReady",
    "False",
    "SecretInvalid",
    /lacks the data key privateKey/,
  ],
  [
    "a key that is no key",
    keyOnly({ privateKey: "x" }),
    "KeysReady",
    "False",
    "SecretInvalid",
    /not a private key in PEM/,
  ],
  [
    "an RSA key that is too small",
    keyOnly({ privateKey: smallRsaKey }),
    "KeysReady",
    "False",
    "SecretInvalid",
    /768 bits, receivers want 1024/,
  ],
  ["no ready pod", withKey, "Programmed", "False", "NoReadyPods", /no ready pod/],
  [
    "a managed key that Kubernetes refuses",
    domainWorld({
      domain: domainOf({ spec: { dkim: { managed: {} } } }),
      rejections: [{ field: "spec.dkim.managed", message: "Kubernetes refuses Secret k: quota" }],
    }),
    "KeysReady",
    "False",
    "SecretInvalid",
    /^spec\.dkim\.managed: Kubernetes refuses Secret k: quota$/,
  ],
  [
    "a document that Kubernetes refuses",
    { ...withKey, rejections: [{ field: "spec.relayRef", message: "Kubernetes refuses Secret s: quota" }] },
    "Accepted",
    "False",
    "Invalid",
    /^spec\.relayRef: Kubernetes refuses Secret s: quota$/,
  ],
  [
    "a paused relay",
    { ...withKey, relay: pausedRelay },
    "Programmed",
    "False",
    "Paused",
    /until spec\.paused of MailRelay mail\/outbound is false/,
  ],
  [
    "keys to make for a paused relay",
    domainWorld({ domain: domainOf({ spec: { dkim: { managed: {} } } }), relay: pausedRelay }),
    "KeysReady",
    "Unknown",
    "Paused",
    /are made when spec\.paused of MailRelay mail\/outbound is false/,
  ],
  ["DNS that nobody asked", withKey, "DNSVerified", "Unknown", "NotChecked", /status\.dnsRecords/],
];

for (const [name, world, type, status, reason, message] of rows) {
  test(`planDomain() says ${type}=${status} ${reason} for ${name}`, () => {
    const found = condition(planDomain(world), type);
    assert.deepEqual([found?.status, found?.reason], [status, reason]);
    assert.match(found?.message ?? "", message);
  });
}

test("planDomain() writes the document once and says Programmed when every ready pod has loaded it", () => {
  const plan = planDomain(withKey);
  assert.deepEqual(written(plan)?.keys, [{ selector: "s1", privateKey: ed25519Key }]);
  const settled = after(withKey, plan);
  assert.equal(planDomain(settled).write, undefined);
  const mounted = mountedWith(settled);
  const waiting = relayOf();
  const status = { pods: [{ name: "outbound-0", ready: true, revision: mounted.revision }] };
  assert.equal(
    condition(planDomain({ ...settled, mounted, relay: { ...waiting, status } }), "Programmed")?.status,
    "True",
  );
  const behind = { pods: [{ name: "outbound-0", ready: true, revision: "older" }] };
  const late = planDomain({ ...settled, mounted, relay: { ...waiting, status: behind } });
  assert.equal(condition(late, "Programmed")?.reason, "WaitingForPods");
});

function mountedWith(world: DomainWorld): RelayDocument {
  const { document } = relayDocumentOf(relayWorld());
  const shards = { [shardOf("example.com")]: world.shard?.digest ?? "" };
  return withRevision({ ...relayDocument.parse(document), shards });
}

test("planDomain() keeps the last good key of a selector whose Secret went bad", () => {
  const settled = after(withKey, planDomain(withKey));
  const plan = planDomain({ ...settled, secrets: new Map() });
  assert.equal(plan.write, undefined);
  assert.equal(condition(plan, "KeysReady")?.status, "False");
  assert.deepEqual(selectorsOf(plan), ["s1"]);
});

test("planDomain() gives a domain without any usable key an empty list, so that its mail waits", () => {
  const document = written(planDomain({ ...withKey, secrets: new Map() }));
  assert.deepEqual([document?.keys, document?.unsigned], [[], undefined]);
  assert.equal(written(planDomain(domainWorld()))?.unsigned, true);
});

test("planDomain() asks for the managed keys that do not exist, and for none that do", () => {
  const domain = domainOf({ spec: { dkim: { managed: {} } } });
  const empty = planDomain(domainWorld({ domain }));
  assert.deepEqual(empty.make, [
    { algorithm: "RSA2048", name: "example-com-dkim-mbr1" },
    { algorithm: "Ed25519", name: "example-com-dkim-mbe1" },
  ]);
  assert.equal(empty.write, undefined);
  const made = secretOf({ name: "k", labels: { [dkimSelectorLabel]: "mbe1" }, values: { privateKey: ed25519Key } });
  const plan = planDomain(domainWorld({ domain, managedKeys: [made] }));
  assert.deepEqual(plan.make, [{ algorithm: "RSA2048", name: "example-com-dkim-mbr1" }]);
  assert.deepEqual(plan.status.dnsRecords, [
    {
      type: "TXT",
      name: "mbe1._domainkey.example.com",
      value: "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
      state: "Unknown",
      zoneLine:
        'mbe1._domainkey.example.com. 3600 IN TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="',
    },
  ]);
});

const denied = { kind: "forbidden", object: "Secret", field: "f", message: "f: ask" } as const;

test("planDomain() keeps everything as it is where Secrets may not be read, and says which command allows it", () => {
  const command = /--namespace mail --clusterrole mailboat-secrets --serviceaccount mailboat-system:mailboat-operator$/;
  const settled = after(withKey, planDomain(withKey));
  const keyless = planDomain({ ...settled, forbidden: new Set(["key"]), secrets: new Map() });
  assert.equal(keyless.write, undefined);
  assert.equal(condition(keyless, "KeysReady")?.reason, "SecretsForbidden");
  assert.match(condition(keyless, "KeysReady")?.message ?? "", command);
  assert.deepEqual(selectorsOf(keyless), ["s1"]);
  const senders = planDomain({ ...settled, credentials: { documents: [], problems: [denied] } });
  assert.deepEqual([senders.write, condition(senders, "Accepted")?.reason], [undefined, "SecretsForbidden"]);
  const relayless = planDomain({ ...settled, isRelayForbidden: true, shard: undefined });
  assert.equal(relayless.write, undefined);
  assert.match(condition(relayless, "Accepted")?.message ?? "", command);
});

test("planDomain() keeps the managed keys that sign while it may not read them, and makes none", () => {
  const domain = domainOf({ spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } });
  const made = secretOf({ name: "k", labels: { [dkimSelectorLabel]: "mbe1" }, values: { privateKey: ed25519Key } });
  const world = domainWorld({ domain, managedKeys: [made] });
  const plan = planDomain({ ...after(world, planDomain(world)), managedKeys: undefined });
  assert.deepEqual([plan.make, plan.write, selectorsOf(plan)], [[], undefined, ["mbe1"]]);
  assert.equal(condition(plan, "KeysReady")?.reason, "SecretsForbidden");
});

test("planDomain() does not make a managed key anew that somebody wrote over, and says what to do", () => {
  const domain = domainOf({ spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } });
  const spoilt = secretOf({ name: "k", labels: { [dkimSelectorLabel]: "mbe1" }, values: { privateKey: "x" } });
  const plan = planDomain(domainWorld({ domain, managedKeys: [spoilt] }));
  assert.deepEqual(plan.make, []);
  assert.match(condition(plan, "KeysReady")?.message ?? "", /Secret k no longer holds the key .* delete the Secret/);
});

test("planDomain() names the oldest of several that hold the domain", () => {
  const oldest = domainOf({ name: "oldest", createdAt: "2025-01-01T00:00:00Z" });
  const plan = planDomain(domainWorld({ rivals: [older, oldest] }));
  assert.match(condition(plan, "Accepted")?.message ?? "", /older SenderDomain mail\/oldest/);
});

test("planDomain() lists records that can be pasted, long ones split", () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const dns = { spf: { include: ["_spf.example.net"] }, dmarc: { policy: "quarantine", reportsTo: ["d@example.com"] } };
  const secrets = new Map([["key", secretOf({ name: "key", values: { privateKey: pem } })]]);
  const plan = planDomain(domainWorld({ domain: domainOf({ spec: { ...ownKey, dns } }), secrets }));
  const [dkim, spf, dmarc] = plan.status.dnsRecords ?? [];
  assert.match(
    dkim?.zoneLine ?? "",
    /^s1\._domainkey\.example\.com\. 3600 IN TXT "v=DKIM1; k=rsa; p=[^"]{237}" "[^"]+"$/,
  );
  assert.equal(spf?.zoneLine, 'example.com. 3600 IN TXT "v=spf1 include:_spf.example.net ~all"');
  assert.equal(dmarc?.name, "_dmarc.example.com");
  assert.equal(condition(plan, "Accepted")?.reason, "Accepted");
});

test("planDomain() settles: over the world it leaves, the next plan writes nothing and says the same", () => {
  const flaw = fc.constantFrom(
    "none",
    "key missing",
    "key forbidden",
    "denied",
    "relay gone",
    "rival",
    "no consent",
    "paused",
  );
  fc.assert(
    fc.property(flaw, fc.boolean(), fc.boolean(), (what, isLoaded, managed) => {
      const dkim = managed ? { managed: { algorithms: ["Ed25519"] } } : ownKey.dkim;
      const namespace = what === "no consent" ? "shop" : "mail";
      const made = secretOf({ name: "k", labels: { [dkimSelectorLabel]: "mbe1" }, values: { privateKey: ed25519Key } });
      let world = domainWorld({
        domain: domainOf({ namespace, spec: { dkim } }),
        relay: what === "relay gone" ? undefined : relayOf({ paused: what === "paused" }),
        rivals: what === "rival" ? [older] : [],
        secrets: what === "key missing" ? new Map() : new Map([["key", keySecret]]),
        forbidden: new Set(what === "key forbidden" ? ["key"] : []),
        credentials: { documents: [], problems: what === "denied" ? [denied] : [] },
        managedKeys: managed ? [made] : [],
      });
      for (let round = 0; round < 3; round += 1) {
        const plan = planDomain(world);
        if (plan.write !== undefined) world = after(world, plan);
        const mounted = mountedWith(world);
        const pods = [{ name: "outbound-0", ready: true, revision: isLoaded ? mounted.revision : "older" }];
        const relay = world.relay === undefined ? undefined : { ...world.relay, status: { pods } };
        world = { ...world, mounted, relay, domain: { ...world.domain, status: plan.status } };
      }
      const last = planDomain(world);
      assert.deepEqual([last.write, last.make, last.events], [undefined, [], []]);
      assert.equal(JSON.stringify(last.status), JSON.stringify(world.domain.status));
    }),
  );
});

test("a key of an algorithm that is not asked for any more does not sign, and signs again when it is", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const values = { privateKey: rsa.export({ type: "pkcs8", format: "pem" }).toString() };
  const managedKeys = [
    secretOf({ name: "e", labels: { [dkimSelectorLabel]: "mbe1" }, values: { privateKey: ed25519Key } }),
    secretOf({ name: "r", labels: { [dkimSelectorLabel]: "mbr1" }, values }),
  ];
  const selectors = (algorithms: readonly string[]): unknown => {
    const domain = domainOf({ spec: { dkim: { managed: { algorithms } } } });
    const plan = planDomain(domainWorld({ domain, managedKeys }));
    const names = written(plan)?.keys.map((key) => key.selector);
    assert.deepEqual(selectorsOf(plan), names);
    assert.equal(plan.status.dnsRecords?.length, names?.length);
    return names;
  };
  assert.deepEqual(selectors(["RSA2048", "Ed25519"]), ["mbe1", "mbr1"]);
  assert.deepEqual(selectors(["Ed25519"]), ["mbe1"]);
  assert.deepEqual(selectors(["RSA2048"]), ["mbr1"]);
});

test("a paused relay has neither keys made for its domains nor documents written", () => {
  const domain = domainOf({ spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } });
  const plan = planDomain(domainWorld({ domain, relay: pausedRelay }));
  assert.deepEqual([plan.make, plan.write], [[], undefined]);
  assert.match(condition(plan, "Ready")?.message ?? "", /spec\.paused of MailRelay mail\/outbound/);
});

test("a domain of a relay that hibernates is done in one look, because no pod brings another", () => {
  const asleep = relayOf({ replicas: 0 });
  const plan = planDomain(domainWorld({ relay: asleep }));
  assert.ok(plan.write !== undefined);
  const said = (of: DomainPlan, type: string) => `${condition(of, type)?.status} ${condition(of, type)?.reason}`;
  assert.deepEqual(
    ["Programmed", "Ready", "Reconciling", "Stalled"].map((type) => said(plan, type)),
    ["False Hibernating", "True Hibernating", "False Settled", "False Settled"],
  );
  const paused = planDomain(domainWorld({ relay: relayOf({ replicas: 0, paused: true }) }));
  assert.equal(said(paused, "Ready"), "False Progressing");
  // Pods that are still there count.
  const awake = { ...asleep, status: { pods: [{ name: "outbound-0", ready: true }] } };
  assert.equal(said(planDomain(domainWorld({ relay: awake })), "Programmed"), "False WaitingForPods");
});

test("Ready says of a domain what it is: that nobody may use it, that nothing is sent, or that mail goes", () => {
  const ready = (world: Partial<DomainWorld>, spec: object = {}): string => {
    const bare = domainWorld({ domain: domainOf({ spec }), ...world });
    const settled = after(bare, planDomain(bare));
    const mounted = mountedWith(settled);
    const status = { pods: [{ name: "outbound-0", ready: true, revision: mounted.revision }] };
    const relay = { ...(settled.relay ?? relayOf()), status };
    const found = condition(planDomain({ ...settled, mounted, relay }), "Ready");
    return `${found?.status} ${found?.message}`;
  };
  assert.equal(ready({}), "True mail of the domain is taken and sent");
  const nobody = { kind: "missing", object: "Secret", field: "f", message: "f selects no Secret" } as const;
  const credentials = { documents: [], problems: [nobody] };
  assert.equal(ready({ credentials }), "True mail of the domain is taken and sent", "who needs no Secret may send");
  assert.equal(ready({ credentials }, { senders: [byLogin] }), "False nobody can use the domain: f selects no Secret");
  const capture = ready({ relay: relayOf({ delivery: { mode: "Capture" } }) });
  assert.match(
    capture,
    /^True mail of the domain is taken, but of MailRelay mail\/outbound spec\.delivery\.mode is Capture: nothing leaves/,
  );
});

const byToken = { name: "pods", serviceAccounts: [{ namespace: "shop", name: "checkout" }] };
const byCertificate = { name: "certificates", clientCertificates: [{ commonName: "erp" }] };
const login = { documents: [{ identity: "mail/app", username: "app", scram }], problems: [] };
const plainOnly = relayOf({ listeners: [{ name: "smtp", port: 25, tlsMode: "None", authentication: "Optional" }] });
const trustsNobody = relayOf({ listeners: [{ name: "smtp", port: 25, authentication: "Optional" }] });
const mustLogIn = relayOf({ listeners: [{ name: "smtp", port: 25, trustedNetworks: ["10.0.0.0/8"] }] });
const nobodySends: readonly (readonly [
  what: string,
  world: Partial<DomainWorld>,
  senders: readonly object[],
  said: RegExp,
])[] = [
  [
    "a token that the relay does not take",
    {},
    [byToken],
    /spec\.senders\[0\]\.serviceAccounts: MailRelay mail\/outbound takes no tokens of ServiceAccounts/,
  ],
  [
    "a certificate that no listener asks for",
    {},
    [byCertificate],
    /spec\.senders\[0\]\.clientCertificates: MailRelay mail\/outbound has no listener that asks for certificates/,
  ],
  [
    "a token, or a certificate that no listener asks for",
    {},
    [byToken, byCertificate],
    /serviceAccounts: .*; spec\.senders\[1\]\.clientCertificates: MailRelay/,
  ],
  [
    "a network that no listener trusts",
    { relay: trustsNobody },
    [{ name: "networks", trustedNetworks: true }],
    /trustedNetworks: MailRelay mail\/outbound has no listener/,
  ],
  [
    "a network whose clients must log in",
    { relay: mustLogIn },
    [{ name: "networks", trustedNetworks: true }],
    /has no listener with authentication Optional/,
  ],
  [
    "a login at a relay without TLS",
    { relay: plainOnly, credentials: login },
    [byLogin],
    /spec\.senders: MailRelay mail\/outbound has no listener with TLS/,
  ],
];
for (const [what, world, senders, said] of nobodySends) {
  test(`a domain whose only way in is ${what} is not Ready, and Accepted says why`, () => {
    const bare = domainWorld({ domain: domainOf({ spec: { senders } }), ...world });
    const settled = after(bare, planDomain(bare));
    const mounted = mountedWith(settled);
    const status = { pods: [{ name: "outbound-0", ready: true, revision: mounted.revision }] };
    const plan = planDomain({ ...settled, mounted, relay: { ...(settled.relay ?? relayOf()), status } });
    const [ready, accepted] = [condition(plan, "Ready"), condition(plan, "Accepted")];
    assert.deepEqual([ready?.status, ready?.reason], ["False", "NoSenders"]);
    assert.match(ready?.message ?? "", /^nobody can use the domain: /);
    assert.match(ready?.message ?? "", said);
    assert.deepEqual([accepted?.status, accepted?.reason], ["True", "NoSenders"]);
    assert.match(accepted?.message ?? "", said);
    // One way in that works is enough.
    const ways = [byLogin, { name: "networks", trustedNetworks: true }];
    const also = domainOf({ spec: { senders: ways } });
    const relay = { ...relayOf(), status };
    const enough = planDomain({ ...settled, domain: also, relay, credentials: login });
    assert.notEqual(condition(enough, "Accepted")?.reason, "NoSenders");
  });
}

test("what is to be said of a served domain is said whole", () => {
  const limited = domainOf({ spec: { dns: { publish: "DNSEndpoint" }, senders: [byLogin] } });
  const nobody = { kind: "missing", object: "Secret", field: "f", message: "f selects no Secret" } as const;
  const found = condition(
    planDomain(domainWorld({ domain: limited, credentials: { documents: [], problems: [nobody] } })),
    "Accepted",
  );
  assert.equal(found?.reason, "NoSenders");
  assert.match(found.message, /^f selects no Secret; spec\.dns\.publish is not acted on yet/);
});

test("planDomain() writes nothing for a domain that is not served", () => {
  for (const world of [domainWorld({ rivals: [older] }), domainWorld({ domain: shop })]) {
    assert.equal(planDomain(world).write, undefined);
  }
});

test("a relay whose spec cannot be read keeps what its pods have of the domain, and nothing new is written", () => {
  const served = planDomain(withKey);
  const relay = { ...relayOf(), status: { pods: [{ name: "outbound-0", ready: true, revision: "r" }], revision: "r" } };
  const { metadata, status } = relay;
  const misfit = { kind: "MailRelay" as const, metadata, status, faults: ["spec.hostname: must be a name"] };
  const before = after(withKey, served);
  const loaded = textDigest(served.write?.text ?? "");
  const plan = planDomain({ ...before, relay: undefined, misfit, loaded });
  assert.equal(plan.write, undefined);
  assert.deepEqual(
    [condition(plan, "Accepted")?.reason, condition(plan, "Programmed")?.status],
    ["RelayInvalid", "True"],
  );
  assert.match(
    condition(plan, "Accepted")?.message ?? "",
    /MailRelay mail\/outbound cannot be read \(spec\.hostname: /,
  );
});

test("a domain whose spec cannot be read says so, and keeps the rest of its status", () => {
  const { metadata } = domainOf();
  const { status } = planDomain(withKey);
  const faults = ["spec.domain: must be a domain"];
  const plan = planMisfitDomain({ kind: "SenderDomain", metadata, status, faults }, Date.now());
  const of = (type: string) => plan.status.conditions?.find((entry) => entry.type === type);
  assert.deepEqual([of("Accepted")?.reason, of("Ready")?.reason], ["Invalid", "Invalid"]);
  assert.match(of("Accepted")?.message ?? "", /^spec\.domain: must be a domain; the relay goes on/);
  assert.deepEqual(plan.status.dnsRecords, status.dnsRecords);
  assert.deepEqual(
    of("KeysReady"),
    status.conditions?.find((entry) => entry.type === "KeysReady"),
  );
});

test("where the operator may not see whether its namespace is admitted, a domain keeps what pods have of it", () => {
  const relay = relayOf({
    tenants: [
      { name: "own", namespaces: { from: "Same" } },
      { name: "others", namespaces: { from: "Selector", selector: { matchLabels: { team: "shop" } } } },
    ],
  });
  const world = domainWorld({ relay, domain: shop, namespaceLabels: { team: "shop" } });
  const served = planDomain(world);
  const loaded = textDigest(served.write?.text ?? "");
  const ready = { ...relay, status: { pods: [{ name: "outbound-0", ready: true, revision: "r" }], revision: "r" } };
  const plan = planDomain({ ...after(world, served), relay: ready, namespaceLabels: undefined, loaded });
  assert.deepEqual(
    [condition(plan, "Accepted")?.reason, condition(plan, "Programmed")?.status],
    ["NamespacesForbidden", "True"],
  );
  const other = planDomain({ ...world, namespaceLabels: undefined });
  assert.equal(other.write, undefined);
});

test("planDomain() signs on with the key that a selector names when another one lies in its Secret, and says so", () => {
  const domain = domainOf({ spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } });
  const { publicKey } = usableFact(ed25519Key);
  const labels = { [dkimSelectorLabel]: managedSelector("Ed25519", publicKey) };
  const world = domainWorld({
    domain,
    managedKeys: [secretOf({ name: "k", labels, values: { privateKey: ed25519Key } })],
  });
  const settled = after(world, planDomain(world));
  const { privateKey } = generateKeyPairSync("ed25519");
  const another = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const swapped = [secretOf({ name: "k", labels, values: { privateKey: another } })];
  const plan = planDomain({ ...settled, managedKeys: swapped });
  assert.deepEqual([plan.write, plan.make], [undefined, []]);
  assert.match(condition(plan, "KeysReady")?.message ?? "", /Secret k no longer holds the key/);
  assert.deepEqual(selectorsOf(plan), Object.values(labels));
});

function usableFact(pem: string) {
  const reading = readPrivateKey(pem);
  assert.ok(reading.kind === "usable");
  return reading;
}
