import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../../runtime/clock.ts";
import type { Answer, Lookup, MailExchanger } from "../../dns/answer.ts";
import { podLimits } from "../../limits/limits.ts";
import { judge } from "../policy/failure.ts";
import type { Route } from "../policy/route.ts";
import { relayDocumentOf, smarthostAt } from "../../../test/support/relayvalues.ts";
import type { NextHop } from "../../smtp/client/transport.ts";
import { Directory, hasRouteToIPv6 } from "./directory.ts";
import { NextHopFinder } from "./nexthops.ts";
import { attemptOrder, destinationOf, exchangersOf, type Found } from "./mailhosts.ts";

interface Entry {
  readonly mx?: readonly (readonly [number, string])[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly trouble?: string;
}
type Table = Readonly<Record<string, Entry>>;

const limits = podLimits(systemClock);

function answerIn(table: Table, name: string, type: string): Answer {
  const entry = table[name];
  if (entry === undefined) return { kind: "no-domain", ttlSeconds: 60 };
  if (entry.trouble !== undefined) return { kind: "trouble", detail: entry.trouble };
  const exchangers: MailExchanger[] =
    type === "MX" ? (entry.mx ?? []).map(([preference, exchange]) => ({ preference, exchange })) : [];
  const addresses = type === "A" ? (entry.a ?? []) : type === "AAAA" ? (entry.aaaa ?? []) : [];
  if (exchangers.length + addresses.length === 0) return { kind: "no-data", ttlSeconds: 60 };
  return { kind: "records", exchangers, addresses, ttlSeconds: 60 };
}

function lookupIn(table: Table): Lookup & { close(): void } {
  return { ask: async ({ name, type }) => answerIn(table, name, type), close: () => undefined };
}

function wordsOf(found: Found<readonly NextHop[]>): string {
  if (!("trouble" in found)) return found.map((hop) => `${hop.smarthost.host}=${hop.address}`).join(" ");
  const { kind, reply } = judge(found.trouble);
  return `${kind} ${reply.enhanced}`;
}

async function hopsOf(domain: string, table: Table): Promise<string> {
  const route: Route = { kind: "mx", key: `mx ${domain}`, domain };
  const finder = new NextHopFinder({
    clock: systemClock,
    chance: () => 0,
    limits,
    mxPort: 25,
    ownAddresses: () => ["203.0.113.7", "2001:db8::7"],
    openLookup: () => lookupIn(table),
  });
  return wordsOf(await finder.hops(route, relayDocumentOf({ blockedNetworks: ["10.0.0.0/8", "fe80::/10"] })));
}

const one = { a: ["192.0.2.1"] };
const two = { a: ["192.0.2.2"] };
const rows: readonly (readonly [name: string, table: Table, hops: string])[] = [
  [
    "MX hosts by preference",
    {
      "x.test": {
        mx: [
          [20, "two.test"],
          [10, "one.test"],
        ],
      },
      "one.test": one,
      "two.test": two,
    },
    "one.test=192.0.2.1 two.test=192.0.2.2",
  ],
  ["every address of a host", { "x.test": { a: ["192.0.2.1", "192.0.2.2"] } }, "x.test=192.0.2.1 x.test=192.0.2.2"],
  [
    "two names of one address, which is tried once",
    {
      "x.test": {
        mx: [
          [1, "one.test"],
          [2, "again.test"],
        ],
      },
      "one.test": one,
      "again.test": one,
    },
    "one.test=192.0.2.1",
  ],
  ["the domain itself without MX", { "x.test": one }, "x.test=192.0.2.1"],
  ["a host with IPv6 alone", { "x.test": { aaaa: ["2001:db8::1"] } }, "x.test=2001:db8::1"],
  [
    "an MX without address beside one with",
    {
      "x.test": {
        mx: [
          [1, "gone.test"],
          [2, "one.test"],
        ],
      },
      "one.test": one,
    },
    "one.test=192.0.2.1",
  ],
  [
    "an MX in trouble beside one with an address",
    {
      "x.test": {
        mx: [
          [1, "bad.test"],
          [2, "one.test"],
        ],
      },
      "bad.test": { trouble: "SERVFAIL" },
      "one.test": one,
    },
    "one.test=192.0.2.1",
  ],
  ["null MX", { "x.test": { mx: [[0, ""]] } }, "failed 5.1.10"],
  [
    "null MX beside a host, which RFC 7505 forbids",
    {
      "x.test": {
        mx: [
          [0, ""],
          [10, "one.test"],
        ],
      },
      "one.test": one,
    },
    "one.test=192.0.2.1",
  ],
  ["a domain that does not exist", {}, "failed 5.1.2"],
  ["a domain without MX and address", { "x.test": {} }, "failed 5.1.2"],
  ["MX hosts that do not exist", { "x.test": { mx: [[10, "gone.test"]] } }, "failed 5.4.4"],
  ["MX records that name no host", { "x.test": { mx: [[10, "not a host"]] } }, "failed 5.4.4"],
  [
    "addresses that no host has",
    { "x.test": { a: ["0.1.2.3", "224.0.0.1", "255.255.255.255"], aaaa: ["ff02::1"] } },
    "failed 5.1.2",
  ],
  ["this host, by its address 0.0.0.0", { "x.test": { a: ["0.0.0.0"] } }, "failed 5.4.6"],
  ["this host, by its address ::", { "x.test": { aaaa: ["::"] } }, "failed 5.4.6"],
  [
    "this host, by loopback",
    { "x.test": { mx: [[10, "one.test"]] }, "one.test": { a: ["127.0.0.53"] } },
    "failed 5.4.6",
  ],
  ["this host, by loopback of IPv6", { "x.test": { aaaa: ["::1"] } }, "failed 5.4.6"],
  ["this host, by loopback as IPv4 in IPv6", { "x.test": { aaaa: ["::ffff:127.0.0.1"] } }, "failed 5.4.6"],
  ["this host, by an address that it has", { "x.test": { a: ["203.0.113.7"] } }, "failed 5.4.6"],
  ["this host, by an IPv6 address that it has", { "x.test": { aaaa: ["2001:0db8:0::0007"] } }, "failed 5.4.6"],
  [
    "this host among the MX: only better ones are tried, and none of its own addresses",
    {
      "x.test": {
        mx: [
          [5, "one.test"],
          [10, "here.test"],
          [10, "equal.test"],
          [20, "two.test"],
        ],
      },
      "here.test": { a: ["192.0.2.9", "203.0.113.7"] },
      "one.test": one,
      "equal.test": two,
      "two.test": two,
    },
    "one.test=192.0.2.1",
  ],
  ["a blocked network", { "x.test": { a: ["10.1.2.3"] } }, "failed 5.7.1"],
  ["a blocked network of IPv6", { "x.test": { aaaa: ["fe80::1"] } }, "failed 5.7.1"],
  ["a blocked network as IPv4 in IPv6", { "x.test": { aaaa: ["::ffff:10.1.2.3"] } }, "failed 5.7.1"],
  ["a blocked network as IPv4 in the digits of IPv6", { "x.test": { aaaa: ["::ffff:a01:203"] } }, "failed 5.7.1"],
  ["a host with an address beside a blocked one", { "x.test": { a: ["10.1.2.3", "192.0.2.1"] } }, "x.test=192.0.2.1"],
  [
    "a blocked host beside a worse one",
    {
      "x.test": {
        mx: [
          [1, "inside.test"],
          [2, "one.test"],
        ],
      },
      "inside.test": { a: ["10.1.2.3"] },
      "one.test": one,
    },
    "one.test=192.0.2.1",
  ],
  ["SERVFAIL for the domain", { "x.test": { trouble: "SERVFAIL" } }, "deferred 4.4.3"],
  [
    "trouble with the only MX that may have an address",
    {
      "x.test": {
        mx: [
          [1, "gone.test"],
          [2, "bad.test"],
        ],
      },
      "bad.test": { trouble: "timeout" },
    },
    "deferred 4.4.3",
  ],
  ["this relay as the only MX", { "x.test": { mx: [[10, "relay.test"]] }, "relay.test": one }, "failed 5.4.6"],
  [
    "this relay among the MX: only better ones are tried",
    {
      "x.test": {
        mx: [
          [5, "one.test"],
          [10, "relay.test"],
          [10, "equal.test"],
          [20, "two.test"],
        ],
      },
      "relay.test": one,
      "one.test": one,
      "equal.test": two,
      "two.test": two,
    },
    "one.test=192.0.2.1",
  ],
];

for (const [name, table, hops] of rows) {
  test(`hops() of ${name}: ${hops}`, async () => {
    assert.equal(await hopsOf("x.test", table), hops);
  });
}

test("hops() of an address literal are that address, whatever the DNS says", async () => {
  assert.equal(await hopsOf("[192.0.2.7]", {}), "192.0.2.7=192.0.2.7");
  assert.equal(await hopsOf("[ipv6:2001:db8::1]", {}), "2001:db8::1=2001:db8::1");
});

const literals: readonly (readonly [literal: string, hops: string])[] = [
  ["[127.0.0.1]", "failed 5.4.6"],
  ["[ipv6:::1]", "failed 5.4.6"],
  ["[ipv6:::ffff:127.0.0.1]", "failed 5.4.6"],
  ["[0.0.0.0]", "failed 5.4.6"],
  ["[203.0.113.7]", "failed 5.4.6"],
  ["[10.0.0.1]", "failed 5.7.1"],
  ["[ipv6:fe80::1]", "failed 5.7.1"],
  // To the system a name, and an address: 127.0.0.1.
  ["[2130706433]", "failed 5.1.2"],
  ["[127.1]", "failed 5.1.2"],
  ["[1.2.3.4.5]", "failed 5.1.2"],
];

for (const [literal, hops] of literals) {
  test(`hops() of the address literal ${literal}: ${hops}`, async () => assert.equal(await hopsOf(literal, {}), hops));
}

test("hops() of smarthosts go on at addresses of this machine and of blocked networks: a manifest names them", async () => {
  const blockedNetworks = ["127.0.0.0/8", "10.0.0.0/8"];
  const finder = new NextHopFinder({ clock: systemClock, chance: () => 0, limits, mxPort: 25 });
  const hosts = [smarthostAt(25), smarthostAt(25, { host: "10.0.0.1" })];
  const hops = await finder.hops({ kind: "smarthosts", key: "s", hosts }, relayDocumentOf({ blockedNetworks }));
  assert.ok(!("trouble" in hops));
  assert.deepEqual(
    hops.map(({ smarthost }) => smarthost.host),
    ["127.0.0.1", "10.0.0.1"],
  );
});

test("hops() tell the hosts of a test on this machine from the relay by the ports that it listens on", async () => {
  const verdictAt = async (mxPort: number): Promise<string> => {
    const finder = new NextHopFinder({
      clock: systemClock,
      chance: () => 0,
      limits,
      mxPort,
      ownPorts: [2525],
      openLookup: () => lookupIn({ "x.test": { a: ["127.0.0.1"] } }),
    });
    const listener = { name: "smtp", port: 2025, tlsMode: "None", authentication: "Optional" } as const;
    const listeners = [{ ...listener, trustedNetworks: [] }];
    return wordsOf(await finder.hops({ kind: "mx", key: "k", domain: "x.test" }, { ...relayDocumentOf(), listeners }));
  };
  assert.equal(await verdictAt(2024), "x.test=127.0.0.1");
  assert.equal(await verdictAt(2025), "failed 5.4.6");
  assert.equal(await verdictAt(2525), "failed 5.4.6");
});

test("hops() have this pod's part of what the manifest allows, as it is at the moment", async () => {
  let maxConnections = 7;
  const destinations = { ...limits.destinations, part: <T>(whole: T): T => ({ ...whole, maxConnections }) };
  const finder = new NextHopFinder({
    clock: systemClock,
    chance: () => 0,
    limits: { destinations },
    mxPort: 25,
    openLookup: () => lookupIn({ "x.test": one }),
  });
  for (maxConnections of [7, 3]) {
    const found = await finder.hops({ kind: "mx", key: "k", domain: "x.test" }, relayDocumentOf());
    assert.deepEqual("trouble" in found || found.map((hop) => hop.limits?.maxConnections), [maxConnections]);
  }
});

test("NextHopFinder closes its resolver, and the one before it when the name servers change", async () => {
  const closed: string[] = [];
  const openLookup = (servers: readonly string[]) => ({
    ...lookupIn({ "x.test": one }),
    close: () => void closed.push(servers.join()),
  });
  const finder = new NextHopFinder({ clock: systemClock, chance: () => 0, limits, mxPort: 25, openLookup });
  const route: Route = { kind: "mx", key: "k", domain: "x.test" };
  await finder.hops(route, relayDocumentOf({ dnsServers: ["192.0.2.53"] }));
  await finder.hops(route, relayDocumentOf({ dnsServers: ["192.0.2.53"] }));
  assert.deepEqual(closed, []);
  await finder.hops(route, relayDocumentOf({ dnsServers: ["192.0.2.54"] }));
  assert.deepEqual(closed, ["192.0.2.53"]);
  finder.close();
  assert.deepEqual(closed, ["192.0.2.53", "192.0.2.54"]);
});

test("hops() go by what was found for the policy: one question a message, even where nothing may be kept", async () => {
  let now = 0;
  let asked = 0;
  const openLookup = () => ({
    close: () => undefined,
    ask: async ({ name, type }: { readonly name: string; readonly type: string }): Promise<Answer> => {
      if (type === "MX") asked += 1;
      return { ...answerIn({ "x.test": one }, name, type), ...(type === "MX" ? { ttlSeconds: 0 } : {}) };
    },
  });
  const finder = new NextHopFinder({ clock: { now: () => now }, chance: () => 0, limits, mxPort: 25, openLookup });
  const relay = relayDocumentOf({ dnsServers: ["192.0.2.53"] });
  const route: Route = { kind: "mx", key: "k", domain: "x.test" };
  const { finding } = await finder.find("x.test", relay);
  assert.equal(wordsOf(await finder.hops(route, relay, finding)), "x.test=192.0.2.1");
  assert.equal(asked, 1);
  await finder.hops(route, { ...relay, ...relayDocumentOf({ dnsServers: ["192.0.2.54"] }) }, finding);
  assert.equal(asked, 2, "other name servers may know better");
  now = 1_000;
  await finder.hops(route, relay, finding);
  assert.equal(asked, 3, "it is too long ago");
});

test("hops() of smarthosts keep their order, and their credentials make another connection", async () => {
  const plain = smarthostAt(25);
  const named = smarthostAt(25, { credentials: { username: "u", password: "p" } });
  const finder = new NextHopFinder({ clock: systemClock, chance: () => 0, limits, mxPort: 25 });
  const hops = await finder.hops({ kind: "smarthosts", key: "s", hosts: [plain, named] }, relayDocumentOf());
  assert.ok(!("trouble" in hops));
  assert.deepEqual(
    hops.map(({ smarthost }) => smarthost),
    [plain, named],
  );
  assert.notEqual(hops[0]?.key, hops[1]?.key);
});

test("hops() of smarthosts ask the name servers that are configured, and leave unknown names to the system", async () => {
  const finder = new NextHopFinder({
    clock: systemClock,
    chance: () => 0,
    limits,
    mxPort: 25,
    openLookup: () => lookupIn({ "known.test": { a: ["192.0.2.1", "192.0.2.2"] } }),
  });
  const hosts = ["known.test", "localname", "192.0.2.9"].map((host) => smarthostAt(587, { host }));
  const hops = await finder.hops(
    { kind: "smarthosts", key: "s", hosts },
    relayDocumentOf({ dnsServers: ["192.0.2.53"] }),
  );
  assert.equal(wordsOf(hops), "known.test=192.0.2.1 known.test=192.0.2.2 localname=undefined 192.0.2.9=undefined");
});

test("hops() of a held route defer with its reason", async () => {
  const finder = new NextHopFinder({ clock: systemClock, chance: () => 0, limits, mxPort: 25 });
  const route: Route = { kind: "held", key: "held", reason: "there is no smarthost" };
  const found = await finder.hops(route, relayDocumentOf());
  assert.ok("trouble" in found);
  assert.match(judge(found.trouble).reply.text, /there is no smarthost/);
});

test("hops() of captured mail are none", async () => {
  const finder = new NextHopFinder({ clock: systemClock, chance: () => 0, limits, mxPort: 25 });
  const found = await finder.hops({ kind: "captured", key: "captured" }, relayDocumentOf());
  assert.deepEqual(found, { trouble: { phase: "local", reason: "withheld" } });
});

const host = (name: string, preference: number, ...addresses: string[]) => ({ name, preference, addresses });

test("attemptOrder() draws among equal preferences, never across them", () => {
  const hosts = [host("a", 10, "192.0.2.1"), host("b", 10, "192.0.2.2"), host("c", 20, "192.0.2.3")];
  const orderWith = (...draws: number[]): string =>
    attemptOrder({ hosts }, { chance: () => draws.shift() ?? 0, hasIPv6: false })
      .map((target) => target.host)
      .join("");
  assert.equal(orderWith(0.1, 0.2, 0.0), "abc");
  assert.equal(orderWith(0.9, 0.2, 0.0), "bac");
});

test("attemptOrder() tries IPv6 first only where there is a way to it, and not more than ten addresses", () => {
  const mixed = { hosts: [host("a", 1, "192.0.2.1", "2001:db8::1")] };
  const first = (hasIPv6: boolean) => attemptOrder(mixed, { chance: () => 0, hasIPv6 })[0]?.address;
  assert.equal(first(true), "2001:db8::1");
  assert.equal(first(false), "192.0.2.1");
  const many = Array.from({ length: 12 }, (_, index) => [`192.0.2.${index + 1}`, `2001:db8::${index + 1}`]).flat();
  const tried = attemptOrder({ hosts: [host("a", 1, ...many)] }, { chance: () => 0, hasIPv6: true });
  assert.equal(tried.filter(({ address }) => address.includes(".")).length, 5, "a way to IPv6 may lead nowhere");
  const addresses = Array.from({ length: 30 }, (_, index) => `192.0.2.${index + 1}`);
  assert.equal(attemptOrder({ hosts: [host("a", 1, ...addresses)] }, { chance: () => 0, hasIPv6: false }).length, 10);
});

test("destinationOf() gives domains with the same set of MX hosts the same site", () => {
  const siteOf = (mx: readonly (readonly [number, string])[]): string => {
    const table: Table = { "x.test": { mx } };
    const exchangers = exchangersOf("x.test", answerIn(table, "x.test", "MX"), "relay.test");
    assert.ok(!("trouble" in exchangers));
    const answers = exchangers.exchangers.map((exchanger) => ({
      exchanger,
      answers: [{ kind: "records", exchangers: [], addresses: ["192.0.2.1"], ttlSeconds: 1 } as const],
    }));
    const found = destinationOf("x.test", exchangers, answers);
    assert.ok(!("trouble" in found));
    return found.site;
  };
  const site = siteOf([
    [1, "a.test"],
    [2, "b.test"],
  ]);
  const other = siteOf([
    [20, "a.test"],
    [10, "b.test"],
  ]);
  assert.equal(site, other);
  assert.notEqual(site, siteOf([[1, "a.test"]]));
});

test("Directory does not wait for a slow host once another is known", async () => {
  const table: Table = {
    "x.test": {
      mx: [
        [1, "slow.test"],
        [2, "one.test"],
      ],
    },
    "one.test": one,
  };
  const lookup: Lookup = {
    ask: async ({ name, type }) => (name === "slow.test" ? new Promise(() => undefined) : answerIn(table, name, type)),
  };
  const directory = new Directory({ lookup, clock: systemClock, hasIPv6: () => false });
  const startedAt = performance.now();
  const { found } = await directory.find("x.test", "relay.test");
  assert.ok(!("trouble" in found));
  assert.deepEqual(
    found.hosts.map(({ name }) => name),
    ["one.test"],
  );
  assert.ok(performance.now() - startedAt < 3_000);
});

test("hasRouteToIPv6() is false where the kernel refuses", async () => {
  // RFC 4007 section 6: a link-local address means nothing without its link.
  assert.equal(await hasRouteToIPv6("fe80::1"), false);
});
