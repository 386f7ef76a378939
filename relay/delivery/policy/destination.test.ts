import assert from "node:assert/strict";
import { test } from "node:test";
import { policyFor } from "./destination.ts";

const entries = [
  { name: "subdomains", match: ["*.example.com"], maxConnections: 2 },
  { name: "one", match: ["mail.example.com", "other.test"], messagesPerMinute: 6, tlsMode: "Required" as const },
  { name: "provider", match: ["*.provider.test"], maxConnections: 5 },
  { name: "inside", match: ["*.eu.provider.test"], messagesPerConnection: 3 },
];

const rows: readonly (readonly [domain: string, hosts: readonly string[], key: string])[] = [
  ["example.com", ["mx.example.com"], "destination subdomains"],
  ["example.com", ["mx.elsewhere.test"], "site s"],
  ["a.example.com", ["mx.elsewhere.test"], "destination subdomains"],
  ["mail.example.com", ["mx.elsewhere.test"], "destination one"],
  ["other.test", ["mx1.provider.test"], "destination one"],
  ["customer.test", ["mx1.provider.test", "mx2.provider.test"], "destination provider"],
  ["customer.test", ["mx1.provider.test", "mx.elsewhere.test"], "site s"],
  ["customer.test", ["mx.eu.provider.test"], "destination inside"],
  ["provider.test", ["mx.elsewhere.test"], "site s"],
  ["notexample.com", [], "site s"],
];

for (const [domain, hosts, key] of rows) {
  test(`policyFor() takes ${key} for ${domain} at ${hosts.join(" and ")}`, () => {
    assert.equal(policyFor(entries, { domain, hosts, site: "s" }).key, key);
  });
}

test("policyFor() fills in what an entry leaves open", () => {
  assert.deepEqual(policyFor(entries, { domain: "other.test", hosts: [], site: "s" }), {
    key: "destination one",
    maxConnections: 20,
    messagesPerConnection: 100,
    messagesPerMinute: 6,
    tlsMode: "Required",
  });
});

test("policyFor() takes recipientsPerMessage of the entry", () => {
  const limited = [{ name: "few", match: ["few.test"], recipientsPerMessage: 5 }];
  assert.equal(policyFor(limited, { domain: "few.test", hosts: [], site: "s" }).recipientsPerMessage, 5);
});
