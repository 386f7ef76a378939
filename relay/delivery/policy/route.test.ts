import assert from "node:assert/strict";
import { test } from "node:test";
import type { RelayDocument, SmarthostDocument } from "../../../api/relayconfig.ts";
import type { DomainSettings } from "../../config/snapshot.ts";
import { routeIn, routeOf } from "./route.ts";

const first: SmarthostDocument = { host: "one.test", port: 587, tlsMode: "Required" };
const second: SmarthostDocument = { host: "two.test", port: 25, tlsMode: "None" };

function relayDocumentOf(delivery: Partial<RelayDocument["delivery"]> = {}): RelayDocument {
  return {
    version: 2,
    revision: "r1",
    relay: { namespace: "mail", name: "outbound" },
    hostname: "relay.test",
    listeners: [],
    credentials: [],
    spool: { capacityBytes: 1, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: [],
      fallbackSmarthosts: [],
      retry: { firstMs: 1, maxMs: 1, expireAfterMs: 1, notifyDelayAfterMs: 1 },
      destinations: [],
      dnsServers: [],
      ...delivery,
    },
    limits: { messageSizeBytes: 1, recipients: 1, connections: 1, connectionsPerClient: 1 },
    shards: {},
  };
}

function domainWith(smarthosts: SmarthostDocument[]): DomainSettings {
  const document: DomainSettings["document"] = {
    version: 2,
    senderDomain: { namespace: "shop", name: "example" },
    domain: "example.com",
    keys: [],
    senders: { credentials: [], serviceAccounts: [], clientCertificates: [], trustedNetworks: false },
    localParts: ["*"],
    smarthosts,
    limits: {},
  };
  return { document, keys: [], identities: new Set() };
}

test("routeOf() takes the relay's smarthosts, in order", () => {
  const route = routeOf(relayDocumentOf({ smarthosts: [first, second] }), undefined, { address: "anna@example.net" });
  assert.deepEqual(route, {
    kind: "smarthosts",
    key: "smarthosts one.test:587/Required two.test:25/None",
    hosts: [first, second],
  });
});

test("routeOf() prefers the sender domain's own smarthosts", () => {
  const domain = domainWith([second]);
  const route = routeOf(relayDocumentOf({ smarthosts: [first] }), domain, { address: "anna@example.net" });
  assert.equal(route.key, "smarthosts two.test:25/None");
});

test("routeOf() without smarthosts is the MX of the recipient's domain", () => {
  const route = routeOf(relayDocumentOf(), domainWith([]), { address: "anna@example.net" });
  assert.deepEqual(route, { kind: "mx", key: "mx example.net", domain: "example.net" });
});

test("routeOf() holds mail for which there is no way out, and says why", () => {
  const route = routeOf(relayDocumentOf(), undefined, { address: "postmaster" });
  assert.equal(route.kind, "held");
});

test("routeOf() leads nowhere where the mode lets nothing out, whatever ways there are", () => {
  const allowRecipients = ["qa@example.net"];
  for (const [mode, recipient, kind] of [
    ["Capture", "qa@example.net", "captured"],
    ["Capture", "nodomain", "captured"],
    ["AllowList", "customer@example.net", "captured"],
    ["AllowList", "qa@example.net", "smarthosts"],
  ] as const) {
    const relay = relayDocumentOf({ mode, allowRecipients, smarthosts: [first], fallbackSmarthosts: [second] });
    for (const domain of [undefined, domainWith([second])]) {
      assert.equal(routeOf(relay, domain, { address: recipient }).kind, kind, `${mode} ${recipient}`);
    }
  }
});

test("routeOf() leads nowhere for whom it did when the mail was taken", () => {
  const relay = relayDocumentOf({ smarthosts: [first], fallbackSmarthosts: [second] });
  for (const domain of [undefined, domainWith([second])])
    assert.equal(routeOf(relay, domain, { address: "customer@example.net", stays: true }).kind, "captured");
});

const gap = { domains: new Set<string>(), shards: false, relay: false };
for (const [what, gaps, known, kind] of [
  ["whose shard has not arrived waits", { ...gap, shards: true }, false, "held"],
  ["that cannot be read waits", { ...gap, domains: new Set(["example.com"]) }, false, "held"],
  ["that is known goes on while another is not", { ...gap, shards: true }, true, "mx"],
  ["whose earlier document is in force goes on", { ...gap, domains: new Set(["example.com"]) }, true, "mx"],
  ["that was taken away goes the relay's way", gap, false, "mx"],
] as const) {
  test(`routeIn(): mail of a domain ${what}`, () => {
    const domains = new Map(known ? [["example.com", domainWith([])]] : []);
    const route = routeIn({ relay: relayDocumentOf(), domains, gaps }, "example.com", { address: "anna@example.net" });
    assert.equal(route.kind, kind);
  });
}
