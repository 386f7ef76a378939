import assert from "node:assert/strict";
import { createHash, generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import {
  credentialLists,
  parseDomainDocument,
  shardName,
  shardText,
  type DomainDocument,
  type RelayDocument,
} from "../../api/relayconfig.ts";
import type { ConfigurationFiles, Files } from "./files.ts";
import { SnapshotLoader } from "./load.ts";

const { privateKey } = generateKeyPairSync("ed25519");
const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();

function domainOf(domain: string, keys: DomainDocument["keys"] = [{ selector: "s1", privateKey: pem }]): string {
  const document: DomainDocument = {
    version: 2,
    senderDomain: { namespace: "shop", name: "example" },
    domain,
    keys,
    senders: {
      credentials: [
        {
          identity: "shop/app",
          username: "app",
          scram: { iterations: 4096, salt: "c2FsdA==", storedKey: "c3RvcmVk", serverKey: "c2VydmVy" },
        },
      ],
      serviceAccounts: [],
      clientCertificates: [],
      trustedNetworks: false,
    },
    localParts: ["*"],
    smarthosts: [],
    limits: {},
  };
  return JSON.stringify(document);
}

function relayOf(revision: string, shards: ReadonlyMap<string, Files>): string {
  const document: RelayDocument = {
    version: 2,
    revision,
    relay: { namespace: "mail", name: "outbound" },
    hostname: "relay.example.com",
    listeners: [],
    credentials: [],
    spool: { capacityBytes: 1e9, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: [],
      fallbackSmarthosts: [],
      retry: { firstMs: 60_000, maxMs: 14_400_000, expireAfterMs: 432_000_000, notifyDelayAfterMs: 14_400_000 },
      destinations: [],
      dnsServers: [],
    },
    limits: { messageSizeBytes: 1e6, recipients: 100, connections: 100, connectionsPerClient: 10 },
    shards: Object.fromEntries(
      [...shards].map(([name, files]) => [name, createHash("sha256").update(shardText(files)).digest("hex")]),
    ),
  };
  return JSON.stringify(document);
}

function filesOf(revision: string, domains: Files, mounted: Files = domains): ConfigurationFiles {
  const shard = shardName(0);
  return {
    relay: relayOf(revision, new Map([[shard, domains]])),
    tls: {},
    peer: {},
    shards: new Map([[shard, mounted]]),
  };
}

test("a complete configuration is in force with its revision, its domains, keys and credentials", () => {
  const { snapshot, errors } = new SnapshotLoader().load(
    filesOf("r1", { "example.com.json": domainOf("example.com") }),
  );
  assert.deepEqual(errors, []);
  assert.ok(snapshot);
  assert.equal(snapshot.revision, "r1");
  const domain = snapshot.domains.get("example.com");
  assert.ok(domain);
  assert.equal(domain.keys[0]?.algorithm, "ed25519-sha256");
  assert.deepEqual([...domain.identities], ["shop/app"]);
  assert.equal(snapshot.credentials.get("app")?.length, 1);
});

test("a revision is not reported while a shard is still the old one", () => {
  const domains = { "example.com.json": domainOf("example.com") };
  const { snapshot, errors } = new SnapshotLoader().load(filesOf("r2", domains, {}));
  assert.deepEqual(errors, []);
  assert.equal(snapshot?.revision, undefined);
});

test("a login whose time ends is one of the logins, and of those that its domain names", () => {
  const document = parseDomainDocument(JSON.parse(domainOf("example.com")));
  const [app] = document.senders.credentials;
  assert.ok(app !== undefined);
  const guest = { ...app, identity: "shop/guest", expiresAt: 5 };
  const senders = { ...document.senders, ...credentialLists([app, guest]) };
  const text = JSON.stringify({ ...document, senders });
  const { snapshot } = new SnapshotLoader().load(filesOf("r1", { "example.com.json": text }));
  assert.ok(snapshot);
  assert.deepEqual(snapshot.credentials.get("app"), [app, guest]);
  assert.deepEqual([...(snapshot.domains.get("example.com")?.identities ?? [])], ["shop/app", "shop/guest"]);
});

test("the same credential granted by two domains is one credential", () => {
  const domains = { "a.example.json": domainOf("a.example"), "b.example.json": domainOf("b.example") };
  const { snapshot } = new SnapshotLoader().load(filesOf("r1", domains));
  assert.equal(snapshot?.credentials.get("app")?.length, 1);
});

const faults = [
  {
    name: "a relay document that is not JSON",
    change: { relay: "{" },
    error: /^relay\.json: it is no JSON at position 1$/,
  },
  {
    name: "a relay document that is a password",
    change: { relay: "pass word" },
    error: /^relay\.json: it is no JSON$/,
  },
  {
    name: "a relay document with a wrong field",
    change: { relay: '{"version":1}' },
    error: /relay\.json: .*hostname: /,
  },
  { name: "a missing relay document", change: { relay: undefined }, error: /relay\.json: the file is missing/ },
  {
    name: "half a certificate",
    change: { tls: { "tls.crt": "x" } },
    error: /tls: tls\.crt and tls\.key belong together/,
  },
  {
    name: "half a peer certificate",
    change: { peer: { "ca.crt": "x" } },
    error: /^peer: tls\.crt, tls\.key and ca\.crt belong together/,
  },
  {
    name: "a domain whose key is no key",
    change: {
      shards: new Map([["00", { "example.com.json": domainOf("example.com", [{ selector: "s1", privateKey: "x" }]) }]]),
    },
    error: /^example\.com\.json: /,
  },
] as const;

for (const { name, change, error } of faults) {
  test(`${name} is named, and the last good version stays in force`, () => {
    const loader = new SnapshotLoader();
    const good = filesOf("r1", { "example.com.json": domainOf("example.com") });
    loader.load(good);
    const { snapshot, errors } = loader.load({ ...good, ...change });
    assert.match(errors.join("\n"), error);
    assert.ok(snapshot);
    assert.equal(snapshot.revision, undefined);
    assert.equal(snapshot.relay.hostname, "relay.example.com");
    assert.equal(snapshot.domains.get("example.com")?.keys.length, 1);
    assert.equal(loader.load(good).snapshot?.revision, "r1");
  });
}

test("a domain that could never be read is known by its name, until it can be read", () => {
  const loader = new SnapshotLoader();
  const newer = { "a.example.json": domainOf("a.example"), "b.example.json": '{"version":99}' };
  const { snapshot, errors } = loader.load(filesOf("r1", newer));
  assert.match(errors.join("\n"), /^b\.example\.json: version: is 99, and this release reads 1 to 2$/);
  assert.deepEqual([...(snapshot?.domains.keys() ?? [])], ["a.example"]);
  assert.deepEqual(snapshot?.gaps, { domains: new Set(["b.example"]), shards: false, relay: false });
  const later = loader.load(filesOf("r2", { ...newer, "b.example.json": domainOf("b.example") }));
  assert.deepEqual(later.snapshot?.gaps, none);
  // A good version stays in force: the domain goes on, and who it does not know may be in the newer one.
  const again = loader.load(filesOf("r3", newer)).snapshot;
  assert.deepEqual([...(again?.domains.keys() ?? [])], ["a.example", "b.example"]);
  assert.deepEqual([...(again?.gaps.domains ?? [])], ["b.example"]);
});

const none = { domains: new Set(), shards: false, relay: false };
const present = { "example.com.json": domainOf("example.com") };
for (const [what, files, gaps] of [
  ["everything that was meant", filesOf("r2", present), none],
  ["no shard although one was meant", filesOf("r2", present, {}), { ...none, shards: true }],
  [
    "no directory of a shard that was meant",
    { ...filesOf("r2", present), shards: new Map() },
    { ...none, shards: true },
  ],
  ["a shard that was not meant", filesOf("r2", {}, present), { ...none, shards: true }],
  [
    "a relay document of another version",
    { ...filesOf("r2", present), relay: '{"version":99}' },
    { ...none, relay: true },
  ],
] as const) {
  test(`a configuration with ${what} says where its gaps are`, () => {
    const loader = new SnapshotLoader();
    loader.load(filesOf("r1", present));
    const { snapshot } = loader.load(files);
    assert.deepEqual(snapshot?.gaps, gaps);
    assert.equal(snapshot.revision, gaps === none ? "r2" : undefined);
    assert.deepEqual(loader.load(filesOf("r3", present)).snapshot?.gaps, none);
  });
}

test("nothing is in force before the first usable relay document", () => {
  const { snapshot, errors } = new SnapshotLoader().load({ relay: undefined, tls: {}, peer: {}, shards: new Map() });
  assert.equal(snapshot, undefined);
  assert.equal(errors.length, 1);
});
