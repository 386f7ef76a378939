import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, domainWorld, ed25519Key, relayOf, secretOf } from "../../test/support/operatorobjects.ts";
import { planDomain } from "../../test/support/plans.ts";
import { needsPrevious } from "./document.ts";

const ownKey = { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } };
const keySecret = secretOf({ name: "key", values: { privateKey: ed25519Key } });
const withKey = domainWorld({ domain: domainOf({ spec: ownKey }), secrets: new Map([["key", keySecret]]) });

test("the document that the pods have is read only where something is wrong or missing", () => {
  const managed = domainOf({ spec: { dkim: { managed: {} } } });
  const cases = [
    needsPrevious(withKey),
    needsPrevious(domainWorld()),
    needsPrevious({ ...withKey, secrets: new Map() }),
    needsPrevious({ ...withKey, forbidden: new Set(["key"]) }),
    needsPrevious(domainWorld({ domain: managed })),
    needsPrevious(domainWorld({ domain: managed, managedKeys: undefined })),
    needsPrevious(domainWorld({ isRelayForbidden: true })),
  ];
  assert.deepEqual(cases, [false, false, true, true, true, true, true]);
});

test("a Secret or ConfigMap of a way out may arrive a moment after the domain", () => {
  const hop = { name: "own", host: "smtp.example.net", port: 587, tlsMode: "Required" as const };
  const caRef = { name: "ca", key: "ca.crt" };
  const ways = [
    ["SecretNotFound", { ...hop, credentialsRef: { name: "login" } }],
    ["ConfigMapNotFound", { ...hop, caRef: { kind: "ConfigMap" as const, ...caRef } }],
  ] as const;
  for (const [reason, smarthost] of ways) {
    const tenants = [{ name: "own", namespaces: { from: "Same" }, may: ["Smarthosts"] }];
    const domain = domainOf({
      namespace: "mail",
      createdAt: new Date(withKey.now - 1000).toISOString(),
      spec: { smarthosts: [smarthost] },
    });
    const plan = planDomain(domainWorld({ domain, relay: relayOf({ tenants }) }));
    assert.deepEqual(
      ["Accepted", "Stalled", "Ready"].map((type) => {
        const found = plan.status.conditions?.find((entry) => entry.type === type);
        return `${found?.status} ${found?.reason}`;
      }),
      [`False ${reason}`, "False Settled", "False Progressing"],
    );
  }
});
