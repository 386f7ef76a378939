/** delivery.destinations and delivery.fallbackSmarthosts, as the hosts on the other side see them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate } from "../support/keys.ts";
import { openMailWorld } from "../support/mailworld.ts";
import { NextHop } from "../support/nexthop.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { subjectOf } from "../support/stage.ts";
import { until } from "../support/until.ts";

const one = "127.0.2.1";
const two = "127.0.2.2";
const everywhere = "0.0.0.0";
const nobody = "::1";
const retry = { firstMs: 1_000, maxMs: 2_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 3_000_000 };

test("domains with the same MX hosts share one limit of connections, whichever of them is named", async (t) => {
  const mx = [
    [10, "one.test"],
    [10, "two.test"],
  ] as const;
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "connections",
    hosts: { [everywhere]: { delayMs: () => 20 } },
    zone: {
      "named.test": { mx },
      "other.test": { mx: mx.toReversed() },
      "one.test": { a: [one] },
      "two.test": { a: [two] },
    },
    delivery: { destinations: [{ name: "provider", match: ["named.test"], maxConnections: 3 }] },
  });
  const hop = world.host(everywhere);
  await world.send(["first@named.test"], "first");
  await hop.waitForMails(1);
  for (let count = 0; count < 40; count += 1) {
    await world.send([`a@named.test`], `named ${count}`);
    await world.send([`b@other.test`], `other ${count}`);
  }
  await hop.waitForMails(81);
  assert.equal(hop.peakConnections, 3);
});

test("a destination gets no more messages a minute than it takes, and what waits is not due", async (t) => {
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "pace",
    hosts: { [one]: {} },
    zone: { "slow.test": { a: [one] }, "fast.test": { a: [one] } },
    delivery: { destinations: [{ name: "slow", match: ["slow.test"], messagesPerMinute: 30 }] },
  });
  for (let count = 0; count < 5; count += 1) await world.send(["someone@slow.test"], `slow ${count}`);
  await world.send(["someone@fast.test"], "fast");
  const hop = world.host(one);
  await hop.waitForMails(2);
  await until("the others back in the spool", async () => {
    const { queuedMessages, oldestDueTime } = (await world.relay.status()).spool;
    return queuedMessages === 4 && oldestDueTime === undefined;
  });
  await hop.waitForMails(6);
  const arrivals = hop.mails.filter(({ message }) => subjectOf(message).startsWith("slow")).map(({ at }) => at);
  const gaps = arrivals.slice(1).map((at, index) => at - (arrivals[index] ?? 0));
  assert.ok(
    gaps.every((gap) => gap > 1_700 && gap < 4_000),
    `gaps of ${gaps.join(", ")} ms`,
  );
  const attempts = world.relay.program.logs("delivered").map(({ fields }) => fields["attempt"]);
  assert.deepEqual(new Set(attempts), new Set([1]), "waiting counted as an attempt");
});

test("a connection is closed after as many messages as the destination wants", async (t) => {
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "messages",
    hosts: { [one]: {} },
    zone: { "picky.test": { mx: [[10, "mx.provider.test"]] }, "mx.provider.test": { a: [one] } },
    delivery: {
      // Named by its provider's hosts.
      destinations: [{ name: "picky", match: ["*.provider.test"], maxConnections: 1, messagesPerConnection: 2 }],
    },
  });
  for (let count = 0; count < 7; count += 1) await world.send(["someone@picky.test"], `message ${count}`);
  const hop = world.host(one);
  await hop.waitForMails(7);
  const sizes = [...Map.groupBy(hop.mails, ({ connection }) => connection).values()].map((mails) => mails.length);
  assert.ok(
    sizes.every((size) => size <= 2),
    `connections with ${sizes.join(", ")} messages`,
  );
});

test("a destination gets the TLS that is asked for it", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "certificate");
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "tls",
    hosts: { [one]: { tls: makeCertificate(directory, "mx.other.example") } },
    zone: { "plain.test": { a: [one] }, "usual.test": { a: [one] }, "strict.test": { a: [one] } },
    delivery: {
      destinations: [
        { name: "plain", match: ["plain.test"], tlsMode: "None" },
        { name: "strict", match: ["strict.test"], tlsMode: "Required" },
      ],
    },
  });
  for (const domain of ["plain.test", "usual.test", "strict.test"]) await world.send([`someone@${domain}`], domain);
  const hop = world.host(one);
  await hop.waitForMails(2);
  const deferred = await world.relay.program.waitForLog("deferred");
  assert.equal(deferred.fields["recipientDomain"], "strict.test");
  assert.equal(deferred.fields["enhanced"], "4.7.5");
  const secure = Object.fromEntries(hop.mails.map(({ message, secure: isSecure }) => [subjectOf(message), isSecure]));
  assert.deepEqual(secure, { "plain.test": false, "usual.test": true });
});

test("fallback smarthosts take what the MX hosts keep failing to, and nothing else", async (t) => {
  const fallback = await NextHop.start();
  t.after(() => fallback.stop());
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "fallback",
    hosts: {
      [one]: {
        recipient: (address, attempt) => {
          if (address === "busy@fine.test" && attempt < 3) return "451 4.2.0 mailbox busy";
          return address === "gone@fine.test" ? "550 5.1.1 no such user" : undefined;
        },
      },
    },
    zone: {
      "dead.test": { mx: [[10, "mx.dead.test"]] },
      "mx.dead.test": { aaaa: [nobody] },
      "dark.test": { code: "SERVFAIL" },
      "fine.test": { a: [one] },
      "example.com": { a: [one] },
    },
    delivery: { retry, fallbackSmarthosts: [{ ...fallback.address, tlsMode: "None" }] },
  });
  const recipients = [
    "a@dead.test",
    "b@dark.test",
    "c@missing.test",
    "busy@fine.test",
    "gone@fine.test",
    "ok@fine.test",
  ];
  for (const recipient of recipients) await world.send([recipient], recipient);
  await fallback.waitForMails(2);
  const hop = world.host(one);
  // Two that are taken, one of them at last, and notices of the two that failed.
  await hop.waitForMails(4);
  const subjects = fallback.mails.map(({ message }) => subjectOf(message));
  assert.deepEqual(subjects.toSorted(), ["a@dead.test", "b@dark.test"]);
  const [first] = world.relay.program
    .logs("deferred")
    .filter(({ fields }) => fields["recipientDomain"] === "dead.test");
  assert.equal(first?.fields["enhanced"], "4.4.1", "it did not try the MX first");
  // Now that the MX is known to be dead for longer than a first retry, new mail does not wait for its own.
  await world.send(["late@dead.test"], "late@dead.test");
  await fallback.waitForMails(3);
  const attempts = await until("both in the log", () => {
    const lines = world.relay.program
      .logs("delivered")
      .filter(({ fields }) => fields["recipientDomain"] === "dead.test");
    return lines.length === 2 && lines.map(({ fields }) => fields["attempt"]);
  });
  assert.deepEqual(attempts, [2, 1]);
});
