import assert from "node:assert/strict";
import { test } from "node:test";
import { faultText, readManifest } from "./manifest.ts";

function relay(spec: object): object {
  return {
    apiVersion: "mailboat.dev/v1alpha1",
    kind: "MailRelay",
    metadata: { name: "outbound" },
    spec: { hostname: "relay.example.com", listeners: [{ name: "submission", port: 587 }], ...spec },
  };
}

function faultsOf(value: unknown): string[] {
  const manifest = readManifest(value);
  return manifest.kind === "invalid" ? manifest.errors.map(faultText) : [];
}

test("readManifest() fills in the defaults", () => {
  const manifest = readManifest(relay({}));
  assert.ok(manifest.kind === "MailRelay");
  const { metadata, spec } = manifest.object;
  assert.equal(metadata.namespace, "default");
  assert.deepEqual(spec.tls, { selfSigned: {} });
  assert.deepEqual(spec.delivery.retry, { first: "1m", max: "4h", expireAfter: "120h", notifyDelayAfter: "4h" });
  assert.deepEqual(spec.listeners, [
    { name: "submission", port: 587, tlsMode: "StartTLS", authentication: "Required", trustedNetworks: [] },
  ]);
});

test("readManifest() of what it gave gives the same again", () => {
  const once = readManifest(relay({ limits: { messageSize: 1_048_576 } }));
  assert.ok(once.kind === "MailRelay");
  assert.equal(once.object.spec.limits.messageSize, "1048576");
  assert.deepEqual(readManifest(once.object), once);
});

test("readManifest() lets metadata through that it does not know", () => {
  const value = { ...relay({}), metadata: { name: "outbound", managedFields: [{ manager: "kubectl" }] } };
  const manifest = readManifest(value);
  assert.ok(manifest.kind === "MailRelay");
  assert.deepEqual(manifest.object.metadata["managedFields"], [{ manager: "kubectl" }]);
});

test("readManifest() takes a null for nothing, as an API server does", () => {
  assert.deepEqual(faultsOf(relay({ paused: null, delivery: { dns: { servers: null } } })), []);
  assert.deepEqual(faultsOf(relay({ hostname: null })), [
    "spec.hostname: is required: the name in EHLO and Received, in A-labels; a next hop expects it to resolve to the relay",
  ]);
});

test("readManifest() names every fault, one for each field", () => {
  assert.deepEqual(faultsOf(relay({ replicas: -1, paused: "no", tls: { secretref: "x" } })), [
    "spec.replicas: must be at least 0, not -1",
    "spec.tls.secretref: is no field: did you mean secretRef?",
    "spec.tls: must hold exactly one of secretRef, certManager, selfSigned",
    'spec.paused: must be true or false, not "no"',
  ]);
});

const noManifests: readonly [string, unknown, string][] = [
  ["nothing", undefined, "apiVersion: must be mailboat.dev/v1alpha1, not missing"],
  ["text", "kind: MailRelay", "apiVersion: must be mailboat.dev/v1alpha1, not missing"],
  ["a list", [], "apiVersion: must be mailboat.dev/v1alpha1, not missing"],
  [
    "another kind of the group",
    { apiVersion: "mailboat.dev/v1alpha1", kind: 7 },
    "kind: must be MailRelay or SenderDomain, not 7",
  ],
];

for (const [name, value, expected] of noManifests) {
  test(`readManifest() refuses ${name}`, () => assert.deepEqual(faultsOf(value), [expected]));
}

test("readManifest() spells a map key that is no plain name in brackets", () => {
  assert.deepEqual(faultsOf(relay({ pod: { nodeSelector: { "example.com/zone": 7 } } })), [
    "spec.pod.nodeSelector[example.com/zone]: must be text (in quotes), not 7",
  ]);
});
