import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { dkimSelectorLabel } from "../../api/labels.ts";
import { domainDocument, type RelayDocument, relayDocument, shardText } from "../../api/relayconfig.ts";
import {
  domainOf,
  domainWorld,
  ed25519Key,
  relayOf,
  relayWorld,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { decodeData, encodeData } from "../kube/secret.ts";
import { relayDocumentOf } from "../mailrelay/document.ts";
import { withRevision } from "../mailrelay/objects/configuration.ts";
import { shardOf } from "../mailrelay/objects/names.ts";
import { type DomainPlan, planDomain } from "./plan.ts";
import type { DomainWorld } from "./world.ts";

const ownKey = { dkim: { keys: [{ selector: "s1", secretName: "key" }] } };
const keySecret = secretOf({ name: "key", values: { privateKey: ed25519Key } });
const withKey = domainWorld({ domain: domainOf({ spec: ownKey }), secrets: new Map([["key", keySecret]]) });
const smallRsaKey = await makeSmallKey();

async function makeSmallKey(): Promise<string> {
  const { generateKeyPairSync } = await import("node:crypto");
  const pair = generateKeyPairSync("rsa", { modulusLength: 768 });
  return pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function condition(plan: DomainPlan, type: string) {
  return plan.status.conditions?.find((entry) => entry.type === type);
}

function written(plan: DomainPlan) {
  return plan.write === undefined ? undefined : domainDocument.parse(JSON.parse(plan.write.text));
}

/** The world after what the plan writes has been written. */
function after(world: DomainWorld, plan: DomainPlan): DomainWorld {
  assert.ok(plan.write !== undefined);
  const data = encodeData({ [plan.write.dataKey]: plan.write.text });
  return { ...world, shard: { ...plan.write.secret, data } };
}

type Row = readonly [name: string, world: DomainWorld, type: string, status: string, reason: string, message: RegExp];

const shop = domainOf({ namespace: "shop" });
const older = domainOf({ name: "older", namespace: "mail", createdAt: "2026-01-01T00:00:00Z" });
const keyOnly = (values: Record<string, string>): DomainWorld => ({
  ...withKey,
  secrets: new Map([["key", secretOf({ name: "key", values })]]),
});
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
    /allowedNamespaces/,
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
    domainWorld({
      credentials: { documents: [], problems: [{ kind: "missing", field: "f", message: "f selects no Secret" }] },
    }),
    "Accepted",
    "True",
    "NoSenders",
    /selects no Secret/,
  ],
  ["a domain without DKIM", domainWorld(), "KeysReady", "True", "NotSigned", /unsigned/],
  ["a key that is there", withKey, "KeysReady", "True", "KeysReady", /s1/],
  [
    "a key Secret that is missing",
    { ...withKey, secrets: new Map() },
    "KeysReady",
    "False",
    "SecretNotFound",
    /^spec\.dkim\.keys\[0\]\.secretName: Secret key does not exist: create it/,
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
  const digest = createHash("sha256")
    .update(shardText(decodeData(world.shard)))
    .digest("hex");
  return withRevision({ ...relayDocument.parse(document), shards: { [shardOf("example.com")]: digest } });
}

test("planDomain() keeps the last good key of a selector whose Secret went bad", () => {
  const settled = after(withKey, planDomain(withKey));
  const plan = planDomain({ ...settled, secrets: new Map() });
  assert.equal(plan.write, undefined);
  assert.equal(condition(plan, "KeysReady")?.status, "False");
  assert.deepEqual(plan.status.dkim?.activeSelectors, ["s1"]);
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
    { algorithm: "RSA2048", selector: "mbr1" },
    { algorithm: "Ed25519", selector: "mbe1" },
  ]);
  assert.equal(empty.write, undefined);
  const made = secretOf({ name: "k", labels: { [dkimSelectorLabel]: "mbe1" }, values: { privateKey: ed25519Key } });
  const plan = planDomain(domainWorld({ domain, managedKeys: [made] }));
  assert.deepEqual(plan.make, [{ algorithm: "RSA2048", selector: "mbr1" }]);
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

test("planDomain() writes nothing for a domain that is not served", () => {
  for (const world of [domainWorld({ rivals: [older] }), domainWorld({ domain: shop })]) {
    assert.equal(planDomain(world).write, undefined);
  }
});
