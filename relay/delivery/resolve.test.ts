import assert from "node:assert/strict";
import { test } from "node:test";
import { judge } from "../mail/outcome.ts";
import type { Route } from "../mail/route.ts";
import { smarthostAt } from "./fixtures.ts";
import { ResolveError, resolveHops, type MailLookup } from "./resolve.ts";

type Zone = Readonly<Record<string, { mx?: { exchange: string; priority: number }[]; a?: string[]; error?: string }>>;

function lookupIn(zone: Zone): MailLookup {
  const ask = (name: string, type: "mx" | "a"): unknown[] => {
    const found = zone[name];
    const code =
      found === undefined ? "ENOTFOUND" : (found.error ?? (found[type] === undefined ? "ENODATA" : undefined));
    if (code !== undefined) throw Object.assign(new Error(code), { code });
    return found?.[type] ?? [];
  };
  return {
    resolveMx: (async (name: string) => ask(name, "mx")) as MailLookup["resolveMx"],
    resolve4: (async (name: string) => ask(name, "a")) as MailLookup["resolve4"],
    resolve6: (async (name: string) => ask(name, "a")) as MailLookup["resolve6"],
  };
}

async function hostsOf(domain: string, zone: Zone): Promise<string> {
  const route: Route = { kind: "mx", key: `mx ${domain}`, domain };
  const options = { hostname: "relay.test", dnsServers: [], chance: () => 0.5, lookup: lookupIn(zone) };
  try {
    const hops = await resolveHops(route, options);
    return hops.map(({ smarthost }) => `${smarthost.host}:${smarthost.port}/${smarthost.tlsMode}`).join(" ");
  } catch (error) {
    assert.ok(error instanceof ResolveError);
    const { kind, reply } = judge(error.trouble);
    return `${kind} ${reply.enhanced}`;
  }
}

const mx = [
  { exchange: "second.test", priority: 20 },
  { exchange: "first.test", priority: 10 },
];
const rows: readonly { name: string; domain: string; zone: Zone; hosts: string }[] = [
  {
    name: "MX hosts by preference",
    domain: "x.test",
    zone: { "x.test": { mx } },
    hosts: "first.test:25/Opportunistic second.test:25/Opportunistic",
  },
  {
    name: "the domain itself without MX",
    domain: "x.test",
    zone: { "x.test": { a: ["192.0.2.1"] } },
    hosts: "x.test:25/Opportunistic",
  },
  { name: "an address literal", domain: "[192.0.2.7]", zone: {}, hosts: "192.0.2.7:25/Opportunistic" },
  { name: "an IPv6 literal", domain: "[ipv6:2001:db8::1]", zone: {}, hosts: "2001:db8::1:25/Opportunistic" },
  {
    name: "null MX",
    domain: "x.test",
    zone: { "x.test": { mx: [{ exchange: "", priority: 0 }] } },
    hosts: "failed 5.1.10",
  },
  { name: "a domain that does not exist", domain: "x.test", zone: {}, hosts: "failed 5.1.2" },
  { name: "a domain without address", domain: "x.test", zone: { "x.test": {} }, hosts: "failed 5.1.2" },
  { name: "SERVFAIL", domain: "x.test", zone: { "x.test": { error: "ESERVFAIL" } }, hosts: "deferred 4.4.3" },
  { name: "a timeout", domain: "x.test", zone: { "x.test": { error: "ETIMEOUT" } }, hosts: "deferred 4.4.3" },
];

for (const row of rows) {
  test(`resolveHops() of ${row.name} is ${row.hosts}`, async () => {
    assert.equal(await hostsOf(row.domain, row.zone), row.hosts);
  });
}

test("resolveHops() keeps smarthosts in their order, and their credentials make another connection", async () => {
  const plain = smarthostAt(25);
  const named = smarthostAt(25, { credentials: { username: "u", password: "p" } });
  const route: Route = { kind: "smarthosts", key: "s", hosts: [plain, named] };
  const hops = await resolveHops(route, { hostname: "relay.test", dnsServers: [], chance: () => 0 });
  assert.deepEqual(
    hops.map(({ smarthost }) => smarthost),
    [plain, named],
  );
  assert.notEqual(hops[0]?.key, hops[1]?.key);
});

test("resolveHops() of a held route defers with its reason", async () => {
  const route: Route = { kind: "held", key: "held", reason: "delivery.mode Capture is not supported" };
  await assert.rejects(resolveHops(route, { hostname: "r", dnsServers: [], chance: () => 0 }), (error) => {
    assert.ok(error instanceof ResolveError);
    assert.match(judge(error.trouble).reply.text, /delivery.mode Capture/);
    return true;
  });
});
