import assert from "node:assert/strict";
import { test } from "node:test";
import { unjudged } from "../../../api/condition.ts";
import { customResourceDefinitions } from "../../../api/crd/definition.ts";
import { createLog } from "../../../runtime/log.ts";
import type { RawObject } from "../client/resource.ts";
import { faultsOf } from "./views.ts";
import { decoder } from "./decode.ts";
import { indexes } from "../../run/indexes.ts";

const decode = decoder(createLog({ level: "silent", program: "test" }));
const apiVersion = "mailboat.dev/v1alpha1";

function relay(spec: unknown, status: object = {}): RawObject {
  const metadata = { namespace: "mail", name: "outbound", uid: "u", generation: 2 };
  return { apiVersion, kind: "MailRelay", metadata, spec, status };
}

function domain(spec: unknown): RawObject {
  const metadata = { namespace: "mail", name: "example-com", uid: "u", generation: 2 };
  const dnsRecords = [{ type: "TXT", name: "example.com", value: "v=spf1 ~all", state: "Unknown" }];
  return { apiVersion, kind: "SenderDomain", metadata, spec, status: { dnsRecords } };
}

const good = { hostname: "relay.example.com", listeners: [{ name: "submission", port: 587 }] };

test("what does not fit is said by field, with what to write instead", () => {
  const seen = decode(relay({ ...good, hostname: 7, ofTomorrow: 1 }), undefined);
  const faults = faultsOf(seen) ?? [];
  assert.equal(seen["spec"], undefined);
  assert.match(faults.join("\n"), /^spec\.hostname: must be .*\nspec\.ofTomorrow: is no field: /);
});

test("one that fits again under another definition is read again, though nobody wrote its spec", () => {
  const misfit = decode(relay({ ...good, ofTomorrow: 1 }), undefined);
  assert.equal(faultsOf(decode(relay(good), misfit)), undefined);
});

test("a null counts as absent, as the API server has it", () => {
  assert.equal(faultsOf(decode(relay({ ...good, tracing: null }), undefined)), undefined);
});

test("a domain of which only the place can be read keeps it, and its records", () => {
  const spec = { domain: "under_score.example", relayRef: { name: "outbound" }, senders: [{ moon: true }] };
  const seen = decode(domain(spec), undefined);
  assert.ok(faultsOf(seen) !== undefined);
  assert.deepEqual(indexes.SenderDomain?.["relayDomain"]?.(seen), ["mail/outbound under_score.example"]);
  assert.ok(JSON.stringify(seen["status"]).includes("v=spf1"));
});

test("a resource of which nothing can be read is found under nothing, and breaks no index", () => {
  for (const [kind, seen] of [
    ["MailRelay", decode(relay("text"), undefined)],
    ["SenderDomain", decode(domain(undefined), undefined)],
  ] as const) {
    assert.ok(faultsOf(seen) !== undefined);
    for (const index of Object.values(indexes[kind] ?? {})) assert.deepEqual(index(seen), []);
  }
});

test("what the API server fills in where nobody has written is no status, and any other is one", () => {
  const { default: filledIn } =
    customResourceDefinitions()[0]?.spec.versions[0]?.schema.openAPIV3Schema.properties?.["status"] ?? {};
  assert.deepEqual(filledIn, unjudged);
  assert.equal(decode(relay(good, { ...unjudged }), undefined)["status"], undefined);
  const judged = { observedGeneration: 2, conditions: [...unjudged.conditions] };
  assert.deepEqual(decode(relay(good, judged), undefined)["status"], judged);
});

test("what the first edition of the API called otherwise is no silence: the relay is left alone, and told how to go on", () => {
  const former = {
    authentication: { credentials: { secretSelector: { matchLabels: { app: "shop" } } }, oidc: [] },
    allowedNamespaces: { from: "All" },
  };
  for (const [field, today] of Object.entries({ authentication: "identities", allowedNamespaces: "tenants" })) {
    const seen = decode(relay({ ...good, [field]: former[field as keyof typeof former] }), undefined);
    assert.match(faultsOf(seen)?.join() ?? "", new RegExp(`^spec\\.${field}: is called ${today} now: .* convert FILE`));
  }
  const secret = decode(relay({ ...good, tls: { secretName: "tls" } }), undefined);
  assert.match(faultsOf(secret)?.join() ?? "", /spec\.tls\.secretName: is called secretRef now/);
});

test("what its server filled in where nobody had written says nothing", () => {
  const filledIn = { authentication: { oidc: [] }, allowedNamespaces: { from: "Same" } };
  const seen = decode(relay({ ...good, ...filledIn }), undefined);
  assert.equal(faultsOf(seen), undefined);
  assert.deepEqual(seen["spec"], decode(relay(good), undefined)["spec"]);
});
