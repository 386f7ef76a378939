import assert from "node:assert/strict";
import { test } from "node:test";
import { customResourceDefinitions } from "./crd/definition.ts";
import { readManifest } from "./manifest.ts";
import { mailRelayNotYet, senderDomainNotYet, unusedFields } from "./notyet.ts";
import type { StructuralSchema } from "./crd/structural.ts";

function pathsOf(kind: "MailRelay" | "SenderDomain", spec: object): string[] {
  const manifest = readManifest({ apiVersion: "mailboat.dev/v1alpha1", kind, metadata: { name: "one" }, spec });
  assert.ok(manifest.kind !== "invalid", JSON.stringify(manifest));
  return unusedFields(manifest.object).map(({ path }) => path);
}

const relay = {
  hostname: "relay.example.com",
  listeners: [{ name: "submission", port: 587 }],
};
const domain = {
  domain: "example.com",
  relayRef: { name: "outbound" },
  senders: [{ name: "networks", trustedNetworks: true }],
};

test("unusedFields() says nothing about a plain relay and a plain domain", () => {
  assert.deepEqual(pathsOf("MailRelay", relay), []);
  assert.deepEqual(pathsOf("SenderDomain", domain), []);
});

test("unusedFields() says nothing about a default that is written out", () => {
  assert.deepEqual(pathsOf("MailRelay", { ...relay, service: { type: "ClusterIP" }, events: null }), []);
});

test("unusedFields() names what is used", () => {
  const used = { delivery: { warmUp: {} }, events: { sinks: [{ name: "a", url: "https://example.com/events" }] } };
  assert.deepEqual(pathsOf("MailRelay", { ...relay, ...used }), ["spec.delivery.warmUp", "spec.events"]);
  const managed = { managed: { rotateAfter: "2160h" } };
  assert.deepEqual(pathsOf("SenderDomain", { ...domain, dkim: managed }), ["spec.dkim.managed.rotateAfter"]);
});

test("every path that is not acted on yet is a field, and kubectl explain says so of it", () => {
  const schemas = customResourceDefinitions().map(({ spec }) => spec.versions[0]?.schema.openAPIV3Schema ?? {});
  for (const [index, table] of [mailRelayNotYet, senderDomainNotYet].entries()) {
    for (const { path, until } of table) {
      const description = fieldAt(schemas[index] ?? {}, path.split("."))?.["description"];
      assert.ok(typeof description === "string" && description.endsWith(`ot acted on yet: ${until}.`), path);
    }
  }
});

function fieldAt(schema: StructuralSchema, steps: readonly string[]): StructuralSchema | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return schema;
  const below = schema.properties?.[step];
  return below === undefined ? undefined : fieldAt(below, rest);
}
