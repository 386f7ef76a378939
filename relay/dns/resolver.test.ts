import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../runtime/clock.ts";
import { TestDns, type Zone } from "../../test/support/dns.ts";
import type { Answer, RecordType } from "./answer.ts";
import { Resolver } from "./resolver.ts";
import { parseServer, serversOf, type NameServer } from "./servers.ts";

const zone: Zone = {
  "plain.test": { mx: [[10, "MX1.plain.test."]], a: ["192.0.2.1", "192.0.2.2"], aaaa: ["2001:db8::1"] },
  "null.test": { mx: [[0, "."]] },
  "empty.test": { ttl: 7 },
  "forgetful.test": { trick: "no-soa" },
  "alias.test": { cname: "alias2.test", ttl: 20 },
  "alias2.test": { cname: "plain.test" },
  "lazy.test": { cname: "plain.test", trick: "lazy" },
  "nowhere.test": { cname: "missing.test" },
  "circle.test": { cname: "circle.test" },
  "large.test": { a: ["192.0.2.3"], trick: "truncated" },
  "old.test": { a: ["192.0.2.4"], trick: "no-edns" },
  "forged.test": { a: ["192.0.2.5"], trick: "forged" },
  "poison.test": { a: ["192.0.2.6"], trick: "poison" },
  "garbage.test": { trick: "garbage" },
  "silent.test": { trick: "silent" },
  "broken.test": { code: "SERVFAIL" },
  "refused.test": { code: "REFUSED" },
  "slow.test": { a: ["192.0.2.7"], delayMs: 60 },
};

async function startDns(t: TestContext, table: Zone = zone): Promise<TestDns> {
  const dns = await TestDns.start(table);
  t.after(() => dns.stop());
  return dns;
}

function serverOf(dns: TestDns): NameServer {
  const server = parseServer(dns.server);
  assert.ok(server);
  return server;
}

function resolverFor(t: TestContext, servers: readonly NameServer[], now = (): number => Date.now()): Resolver {
  const resolver = new Resolver({ clock: { now }, servers, timeoutsMs: [100, 150] });
  t.after(() => resolver.close());
  return resolver;
}

function wordsOf(answer: Answer): string {
  if (answer.kind === "trouble") return `trouble ${answer.detail.replace(/ from .*/, "")}`;
  if (answer.kind !== "records") return `${answer.kind} ${answer.ttlSeconds}`;
  const exchangers = answer.exchangers.map(({ preference, exchange }) => `${preference} ${exchange}`);
  return [...exchangers, ...answer.addresses, answer.ttlSeconds].join(" ");
}

const rows: readonly (readonly [name: string, type: RecordType, answer: string])[] = [
  ["plain.test", "MX", "10 mx1.plain.test 300"],
  ["plain.test", "A", "192.0.2.1 192.0.2.2 300"],
  ["plain.test", "AAAA", "2001:db8::1 300"],
  ["null.test", "MX", "0  300"],
  ["empty.test", "MX", "no-data 7"],
  ["forgetful.test", "MX", "no-data 0"],
  ["missing.test", "A", "no-domain 300"],
  ["alias.test", "A", "192.0.2.1 192.0.2.2 20"],
  ["alias.test", "MX", "10 mx1.plain.test 20"],
  ["lazy.test", "A", "192.0.2.1 192.0.2.2 300"],
  ["nowhere.test", "A", "no-domain 300"],
  ["circle.test", "A", "trouble aliases lead in a circle"],
  ["large.test", "A", "192.0.2.3 300"],
  ["old.test", "A", "192.0.2.4 300"],
  ["forged.test", "A", "192.0.2.5 300"],
  ["poison.test", "A", "192.0.2.6 300"],
  ["garbage.test", "A", "trouble malformed answer"],
  ["silent.test", "A", "trouble timeout"],
  ["broken.test", "A", "trouble SERVFAIL"],
  ["refused.test", "A", "trouble REFUSED"],
  ["slow.test", "A", "192.0.2.7 300"],
];

for (const [name, type, answer] of rows) {
  test(`ask() for ${type} of ${name} gives ${answer}`, async (t) => {
    const resolver = resolverFor(t, [serverOf(await startDns(t))]);
    assert.equal(wordsOf(await resolver.ask({ name, type })).replace(/answer \(.*/, "answer"), answer);
  });
}

test("ask() goes by TCP when the answer by UDP is cut, and only then", async (t) => {
  const dns = await startDns(t);
  const resolver = resolverFor(t, [serverOf(dns)]);
  await resolver.ask({ name: "large.test", type: "A" });
  await resolver.ask({ name: "plain.test", type: "A" });
  assert.deepEqual(
    dns.queries.map(({ name, tcp }) => `${name} ${tcp}`),
    ["large.test false", "large.test true", "plain.test false"],
  );
});

test("ask() keeps an answer as long as its TTL, also a negative one", async (t) => {
  let now = 0;
  const dns = await startDns(t);
  const resolver = resolverFor(t, [serverOf(dns)], () => now);
  const ask = (): Promise<Answer> => resolver.ask({ name: "empty.test", type: "MX" });
  await ask();
  now = 6_999;
  await ask();
  assert.equal(dns.asked("empty.test"), 1);
  now = 7_000;
  await ask();
  assert.equal(dns.asked("empty.test"), 2);
});

test("ask() puts equal questions that are under way on the wire once", async (t) => {
  const dns = await startDns(t);
  // Patient: a question that is asked again after its time is another packet.
  const resolver = new Resolver({ clock: { now: Date.now }, servers: [serverOf(dns)], timeoutsMs: [10_000] });
  t.after(() => resolver.close());
  const answers = await Promise.all([1, 2, 3].map(() => resolver.ask({ name: "slow.test", type: "A" })));
  assert.equal(dns.asked("slow.test", "A"), 1);
  assert.deepEqual(new Set(answers.map(wordsOf)), new Set(["192.0.2.7 300"]));
});

test("ask() goes to the next server, and leaves a silent one for last from then on", async (t) => {
  const silent = createSocket("udp4");
  silent.bind(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  let heard = 0;
  silent.on("message", () => (heard += 1));
  const dns = await startDns(t);
  const resolver = resolverFor(t, [{ address: "127.0.0.1", port: silent.address().port }, serverOf(dns)]);
  assert.equal(wordsOf(await resolver.ask({ name: "plain.test", type: "A" })), "192.0.2.1 192.0.2.2 300");
  assert.equal(wordsOf(await resolver.ask({ name: "plain.test", type: "MX" })), "10 mx1.plain.test 300");
  assert.equal(heard, 1);
});

test("ask() goes to the next server when nobody listens at the first, or it fails", async (t) => {
  const broken = await startDns(t, { "plain.test": { code: "SERVFAIL" } });
  const dns = await startDns(t);
  const servers = [{ address: "127.0.0.1", port: 1 }, serverOf(broken), serverOf(dns)];
  const resolver = resolverFor(t, servers);
  assert.equal(wordsOf(await resolver.ask({ name: "plain.test", type: "MX" })), "10 mx1.plain.test 300");
});

test("ask() goes to the next server when there is no way to the first", async (t) => {
  const dns = await startDns(t);
  // Linux refuses to connect to the broadcast address as it does to one without a route.
  const resolver = resolverFor(t, [{ address: "255.255.255.255", port: 53 }, serverOf(dns)]);
  assert.equal(wordsOf(await resolver.ask({ name: "plain.test", type: "MX" })), "10 mx1.plain.test 300");
});

test("ask() asks a silent server again within one question: packets get lost", async (t) => {
  const dns = await startDns(t, {
    "lossy.test": ({ count }) => (count === 1 ? { trick: "silent" } : { a: ["192.0.2.9"] }),
  });
  const resolver = resolverFor(t, [serverOf(dns)]);
  assert.equal(wordsOf(await resolver.ask({ name: "lossy.test", type: "A" })), "192.0.2.9 300");
});

test("close() ends the questions under way as trouble", async (t) => {
  const resolver = new Resolver({ clock: systemClock, servers: [serverOf(await startDns(t))], timeoutsMs: [60_000] });
  const answer = resolver.ask({ name: "silent.test", type: "A" });
  resolver.close();
  assert.equal((await answer).kind, "trouble");
});

test("serversOf() reads resolv.conf as the C library does", () => {
  const text = "# made by hand\nsearch a.test\n nameserver 192.0.2.1\nnameserver\t2001:db8::1 # two\nnameserver x\n";
  assert.deepEqual(serversOf(text), [
    { address: "192.0.2.1", port: 53 },
    { address: "2001:db8::1", port: 53 },
  ]);
});

test("parseServer() reads an address with and without a port", () => {
  assert.deepEqual(parseServer("192.0.2.1:5353"), { address: "192.0.2.1", port: 5353 });
  assert.deepEqual(parseServer("[2001:db8::1]:5353"), { address: "2001:db8::1", port: 5353 });
  assert.deepEqual(parseServer("2001:db8::1"), { address: "2001:db8::1", port: 53 });
  for (const text of ["dns.test", "192.0.2.1:0", "192.0.2.1:99999", ""]) assert.equal(parseServer(text), undefined);
});
