/**
 * A table of DNS zoos: each row's message ends where RFC 5321 section 5 says, within the time that the row says. Real DNS
 * packets, real SMTP hosts on loopback addresses, the real relay.
 */
import assert from "node:assert/strict";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import type { Zone } from "../support/dns.ts";
import { openMailWorld, type MailWorld } from "../support/mailworld.ts";
import type { NextHop } from "../support/nexthop.ts";
import { subjectOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

const one = "127.0.1.1";
const two = "127.0.1.2";
const three = "127.0.1.3";
const six = "::1";
/** Says 421 to everybody, cuts everybody off, and is not there at all. */
const busy = "127.0.1.4";
const rude = "127.0.1.5";
const absent = "127.0.1.99";

const ones = { a: [one] };
const twos = { a: [two] };

interface Row {
  readonly name: string;
  readonly domain: string;
  readonly zone: Zone;
  /** The address where the message arrives, the status of the bounce, or that of the deferral. */
  readonly ends: { readonly at: string } | { readonly bounced: string } | { readonly deferred: string };
  readonly withinMs: number;
}

/** Nothing but the way there. */
const atOnce = 3_000;
/** A lookup that nobody answers: two seconds, then four. */
const lookupTimeout = 8_000;
const retry = { firstMs: 2_000, maxMs: 2_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 3_000_000 };
/** One deferral, with its jitter and what it takes. */
const oneRetry = atOnce + 2_500;

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === six));

const allRows: readonly Row[] = [
  {
    name: "the best of three preferences",
    domain: "best.test",
    zone: {
      "best.test": {
        mx: [
          [30, "two.test"],
          [10, "one.test"],
          [20, "two.test"],
        ],
      },
    },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "a domain without MX is its own host",
    domain: "bare.test",
    zone: { "bare.test": twos },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "a host with an IPv6 address only",
    domain: "six.test",
    zone: { "six.test": { mx: [[10, "mx.six.test"]] }, "mx.six.test": { aaaa: [six] } },
    ends: { at: six },
    withinMs: atOnce,
  },
  {
    name: "an alias as the domain",
    domain: "alias.test",
    zone: { "alias.test": { cname: "real.test" }, "real.test": { mx: [[10, "two.test"]] } },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "an alias that the name server does not follow",
    domain: "lazy.test",
    zone: { "lazy.test": { cname: "real2.test", trick: "lazy" }, "real2.test": { mx: [[10, "two.test"]] } },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "an alias as the MX host, which RFC 2181 forbids and people do",
    domain: "mxalias.test",
    zone: { "mxalias.test": { mx: [[10, "mx.mxalias.test"]] }, "mx.mxalias.test": { cname: "one.test" } },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "an alias that leads nowhere",
    domain: "lost.test",
    zone: { "lost.test": { cname: "nothing.test" } },
    ends: { bounced: "5.1.2" },
    withinMs: atOnce,
  },
  {
    name: "an alias that leads to itself",
    domain: "circle.test",
    zone: { "circle.test": { cname: "circle.test" } },
    ends: { deferred: "4.4.3" },
    withinMs: atOnce,
  },
  {
    name: "null MX",
    domain: "null.test",
    zone: { "null.test": { mx: [[0, "."]] } },
    ends: { bounced: "5.1.10" },
    withinMs: atOnce,
  },
  {
    name: "a domain that does not exist",
    domain: "missing.test",
    zone: {},
    ends: { bounced: "5.1.2" },
    withinMs: atOnce,
  },
  {
    name: "a domain without MX and address",
    domain: "empty.test",
    zone: { "empty.test": {} },
    ends: { bounced: "5.1.2" },
    withinMs: atOnce,
  },
  {
    name: "MX hosts without an address",
    domain: "hollow.test",
    zone: { "hollow.test": { mx: [[10, "nowhere.test"]] } },
    ends: { bounced: "5.4.4" },
    withinMs: atOnce,
  },
  {
    name: "a host with an address that leads back to whoever connects to it",
    domain: "zero.test",
    zone: { "zero.test": { mx: [[10, "mx.zero.test"]] }, "mx.zero.test": { a: ["0.0.0.0"] } },
    ends: { bounced: "5.4.6" },
    withinMs: atOnce,
  },
  {
    name: "SERVFAIL that goes away",
    domain: "mended.test",
    zone: { "mended.test": ({ count }) => (count === 1 ? { code: "SERVFAIL" } : { mx: [[10, "one.test"]] }) },
    // The failure is remembered for five seconds: the second retry finds it mended.
    ends: { at: one },
    withinMs: 5_000 + 2 * oneRetry,
  },
  {
    name: "SERVFAIL",
    domain: "broken.test",
    zone: { "broken.test": { code: "SERVFAIL" } },
    ends: { deferred: "4.4.3" },
    withinMs: atOnce,
  },
  {
    name: "a name server that says nothing",
    domain: "mute.test",
    zone: { "mute.test": { trick: "silent" } },
    ends: { deferred: "4.4.3" },
    withinMs: lookupTimeout,
  },
  {
    name: "an MX host that cannot be looked up beside one that can",
    domain: "half.test",
    zone: {
      "half.test": {
        mx: [
          [10, "mx.mute2.test"],
          [20, "two.test"],
        ],
      },
      "mx.mute2.test": { trick: "silent" },
    },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "the only MX host cannot be looked up",
    domain: "dark.test",
    zone: { "dark.test": { mx: [[10, "mx.dark.test"]] }, "mx.dark.test": { code: "SERVFAIL" } },
    ends: { deferred: "4.4.3" },
    withinMs: atOnce,
  },
  {
    name: "an answer too large for UDP",
    domain: "large.test",
    zone: {
      "large.test": {
        mx: Array.from({ length: 60 }, (_, index) => [100 - index, index === 59 ? "one.test" : `m${index}.large.test`]),
        trick: "truncated",
      },
    },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "a name server without EDNS",
    domain: "old.test",
    zone: { "old.test": { mx: [[10, "one.test"]], trick: "no-edns" } },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "octets that are no DNS packet",
    domain: "garbage.test",
    zone: { "garbage.test": { trick: "garbage" } },
    ends: { deferred: "4.4.3" },
    withinMs: atOnce,
  },
  {
    name: "forged answers before the true one",
    domain: "forged.test",
    zone: { "forged.test": { a: [two], trick: "forged" } },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "an answer with records of another domain",
    domain: "poison.test",
    zone: { "poison.test": { mx: [[10, "one.test"]], trick: "poison" } },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "the domain that those records were about",
    domain: "victim.test",
    zone: { "victim.test": { mx: [[10, "two.test"]] } },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "the best host is not there",
    domain: "absent.test",
    zone: {
      "absent.test": {
        mx: [
          [10, "absent-mx.test"],
          [20, "two.test"],
        ],
      },
    },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "the best host says 421",
    domain: "busy.test",
    zone: {
      "busy.test": {
        mx: [
          [10, "busy-mx.test"],
          [20, "two.test"],
        ],
      },
    },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "the best host cuts the connection",
    domain: "rude.test",
    zone: {
      "rude.test": {
        mx: [
          [10, "rude-mx.test"],
          [20, "two.test"],
        ],
      },
    },
    ends: { at: two },
    withinMs: atOnce,
  },
  {
    name: "the first address of the only host is dead",
    domain: "addresses.test",
    zone: { "addresses.test": { mx: [[10, "mx.addresses.test"]] }, "mx.addresses.test": { a: [absent, one] } },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "every host is dead",
    domain: "dead.test",
    zone: { "dead.test": { mx: [[10, "absent-mx.test"]] } },
    ends: { deferred: "4.4.1" },
    withinMs: atOnce,
  },
  {
    name: "this relay is the best host",
    domain: "self.test",
    zone: {
      "self.test": {
        mx: [
          [10, "relay.example.net"],
          [20, "two.test"],
        ],
      },
    },
    ends: { bounced: "5.4.6" },
    withinMs: atOnce,
  },
  {
    name: "this relay is the second host, and the first takes the mail",
    domain: "second.test",
    zone: {
      "second.test": {
        mx: [
          [10, "one.test"],
          [20, "Relay.Example.NET"],
        ],
      },
    },
    ends: { at: one },
    withinMs: atOnce,
  },
  {
    name: "this relay is the second host, the first is dead, and nobody worse is tried",
    domain: "waits.test",
    zone: {
      "waits.test": {
        mx: [
          [10, "absent-mx.test"],
          [20, "relay.example.net"],
          [30, "two.test"],
        ],
      },
    },
    ends: { deferred: "4.4.1" },
    withinMs: atOnce,
  },
  { name: "an address literal", domain: `[${one}]`, zone: {}, ends: { at: one }, withinMs: atOnce },
];

// A machine may have no IPv6 at all, not even for itself.
const rows = allRows.filter(({ ends }) => hasIPv6 || !("at" in ends) || ends.at !== six);

const zone: Zone = Object.assign(
  {
    // Bounces go here.
    "example.com": { mx: [[10, "three.test"]] },
    "one.test": ones,
    "two.test": twos,
    "three.test": { a: [three] },
    "busy-mx.test": { a: [busy] },
    "rude-mx.test": { a: [rude] },
    "absent-mx.test": { a: [absent] },
    "relay.example.net": twos,
  },
  ...rows.map((row) => row.zone),
) as Zone;

const hosts = {
  [one]: {},
  [two]: {},
  [three]: {},
  ...(hasIPv6 ? { [six]: {} } : {}),
  [busy]: { greeting: "421 4.3.2 too busy" },
  [rude]: { greeting: "drop" },
};

function arrival(host: NextHop, subject: string): number | undefined {
  return host.mails.find((mail) => subjectOf(mail.message) === subject)?.at;
}

/** When the row's message ended where it should; undefined until it did. */
function endOf(world: MailWorld, { domain, ends }: Row): number | undefined {
  if ("at" in ends) return arrival(world.host(ends.at), domain);
  if ("bounced" in ends) {
    const notice = world.host(three).mails.find(({ message }) => {
      const text = message.toString("latin1");
      return (
        text.includes(`Final-Recipient: rfc822; someone@${domain}`) && text.includes(`Status: ${ends.bounced}\r\n`)
      );
    });
    return notice?.at;
  }
  const line = world.relay.program
    .logs("deferred")
    .find(({ fields }) => fields["recipientDomain"] === domain && fields["enhanced"] === ends.deferred);
  return line === undefined ? undefined : Date.parse(String(line.fields["time"]));
}

function wordOf({ ends }: Row): string {
  if ("at" in ends) return `arrives at ${ends.at}`;
  return "bounced" in ends ? `bounces with ${ends.bounced}` : `waits with ${ends.deferred}`;
}

test("each message ends where RFC 5321 section 5 says, in time", async (t) => {
  const world = await openMailWorld(t, { file: import.meta.url, zone, hosts, delivery: { retry } });
  const sentAt = new Map<string, number>();
  for (const row of rows) {
    sentAt.set(row.domain, Date.now());
    await world.send([`someone@${row.domain}`], row.domain);
  }
  for (const row of rows) {
    await t.test(`${row.name}: ${wordOf(row)}`, async () => {
      const endedAt = await until(wordOf(row), () => endOf(world, row), 30_000);
      const tookMs = endedAt - (sentAt.get(row.domain) ?? 0);
      assert.ok(tookMs <= row.withinMs, `took ${tookMs} ms of ${row.withinMs}`);
    });
  }
  const sentTo = (host: string) => world.host(host).mails.map(({ message }) => subjectOf(message));
  const arrived = [one, two, ...(hasIPv6 ? [six] : [])].flatMap(sentTo);
  assert.equal(new Set(arrived).size, arrived.length, "a message arrived twice");
  const wanted = rows.filter(({ ends }) => "at" in ends).length;
  assert.equal(arrived.length, wanted, "a message arrived that should not have");
});

test("equal preferences share the mail, and a destination's recipients share a transaction", async (t) => {
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "sharing",
    hosts: { [one]: {}, [two]: {} },
    zone: {
      "shared.test": {
        mx: [
          [10, "one.test"],
          [10, "two.test"],
        ],
      },
      "other.test": { mx: [[10, "two.test"]] },
      "one.test": ones,
      "two.test": twos,
    },
  });
  for (let count = 0; count < 60; count += 1) await world.send([`someone@shared.test`], `shared ${count}`);
  const shares = () => [one, two].map((host) => world.host(host).mails.length);
  await until("60 mails", () => (shares()[0] ?? 0) + (shares()[1] ?? 0) === 60);
  // A fair coin gives a side fewer than 10 of 60 once in ten million.
  assert.ok(
    shares().every((share) => share >= 10),
    `shares ${shares().join(" and ")}`,
  );
  assert.equal(world.dns.asked("shared.test"), 1);
  const many = ["a@shared.test", "b@other.test", "c@shared.test", "d@other.test"];
  await world.send(many, "many");
  const ofMany = () =>
    [one, two].flatMap((host) => world.host(host).mails).filter(({ message }) => subjectOf(message) === "many");
  await until("both destinations", () => ofMany().flatMap(({ recipients }) => recipients).length === 4);
  assert.deepEqual(
    ofMany()
      .map(({ recipients }) => recipients.join(" "))
      .toSorted(),
    ["a@shared.test c@shared.test", "b@other.test d@other.test"],
  );
});

test("a domain that moves is followed when its TTL has passed", async (t) => {
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "moving",
    hosts: { [one]: {}, [two]: {} },
    zone: { "moving.test": { mx: [[10, "one.test"]], ttl: 1 }, "one.test": ones, "two.test": twos },
  });
  await world.send(["someone@moving.test"], "before");
  await until("mail at the first host", () => arrival(world.host(one), "before"));
  world.dns.zone = { ...world.dns.zone, "moving.test": { mx: [[10, "two.test"]], ttl: 1 } };
  let count = 0;
  await until("mail at the second host", async () => {
    await world.send(["someone@moving.test"], `after ${(count += 1)}`);
    return world.host(two).mails.length > 0;
  });
});
