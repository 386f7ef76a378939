/** Listeners that follow the configuration, and leave politely. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { afterEach, test } from "node:test";
import type { DrainOrder } from "../../api/administration.ts";
import {
  credentialOf,
  makeCertificate,
  openBed,
  snapshotOf,
  type Bed,
  type SnapshotWish,
} from "../../test/support/submission.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";

const certificate = await makeCertificate();
const second = await makeCertificate();
const loopback = ["127.0.0.0/8"];
const pods = { name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: loopback };
const submission = { name: "submission", tlsMode: "StartTLS", authentication: "Required" };
const submissions = { name: "submissions", tlsMode: "Implicit", authentication: "Required" };
const wish: SnapshotWish = {
  listeners: [pods, submission, submissions],
  credentials: [credentialOf("shop", "shop/mail")],
  domains: { "example.com": { identities: ["shop/mail"], trustedNetworks: true } },
  certificate,
};
const message = "From: a@example.com\r\n\r\nx";

const beds: Bed[] = [];
afterEach(async () => {
  for (const bed of beds.splice(0)) await bed.close();
});

async function bedOf(change: Partial<SnapshotWish> = {}): Promise<Bed> {
  const bed = await openBed({ ...wish, ...change });
  beds.push(bed);
  return bed;
}

async function greeted(bed: Bed, listener: string): Promise<SmtpClient> {
  const client = await bed.connect(listener);
  assert.match(await client.reply(), /^220 /);
  await client.command("EHLO client.example");
  return client;
}

/** The new snapshot has been acted on when this port has changed hands. */
async function settled(bed: Bed, done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(bed.submission.addresses.size > 0);
}

const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");

test("a listener that stays keeps its port and every connection; others come and go", async () => {
  const bed = await bedOf();
  const port = bed.submission.addresses.get("pods");
  const staying = await greeted(bed, "pods");
  const going = await greeted(bed, "submission");
  const fresh = { ...pods, name: "fresh" };
  bed.snapshots.set(snapshotOf({ ...wish, listeners: [{ ...pods, authentication: "Optional" }, submissions, fresh] }));
  await settled(bed, () => bed.submission.addresses.has("fresh"));
  assert.equal(bed.submission.addresses.get("pods"), port);
  assert.equal(bed.submission.addresses.has("submission"), false);
  assert.equal(codes(await staying.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
  // Its listener is gone, it is not.
  assert.match(await going.startTls(), /^220 /);
  await going.command("EHLO x");
  assert.equal(codes(await going.login("shop")), "235 2.7.0");
  assert.equal(codes(await going.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
  assert.match(await (await greeted(bed, "fresh")).command("NOOP"), /^250 /);
});

test("a new certificate serves new handshakes and disturbs no session", async () => {
  const bed = await bedOf();
  const old = await greeted(bed, "submissions");
  const plain = await greeted(bed, "submission");
  assert.equal(old.fingerprint, certificate.fingerprint);
  bed.snapshots.set(
    snapshotOf({ ...wish, listeners: [...wish.listeners, { ...pods, name: "next" }], certificate: second }),
  );
  await settled(bed, () => bed.submission.addresses.has("next"));
  assert.equal((await greeted(bed, "submissions")).fingerprint, second.fingerprint);
  await plain.startTls();
  assert.equal(plain.fingerprint, second.fingerprint);
  assert.equal(codes(await old.login("shop")), "235 2.7.0");
  assert.equal(codes(await old.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
});

test("without a certificate STARTTLS is neither offered nor done, and an implicit TLS listener waits for one", async () => {
  const bed = await bedOf({ certificate: undefined });
  assert.equal(bed.submission.addresses.has("submissions"), false);
  const client = await greeted(bed, "submission");
  assert.doesNotMatch(await client.command("EHLO x"), /STARTTLS|AUTH/);
  assert.equal(codes(await client.command("STARTTLS")), "454 4.7.0");
  assert.equal(codes(await client.command("MAIL FROM:<a@example.com>")), "530 5.7.0");
  bed.snapshots.set(snapshotOf(wish));
  await settled(bed, () => bed.submission.addresses.has("submissions"));
  assert.equal((await greeted(bed, "submissions")).fingerprint, certificate.fingerprint);
  assert.match(await client.command("EHLO x"), /STARTTLS/);
  await client.startTls();
  assert.equal(client.fingerprint, certificate.fingerprint);
});

test("limits, trust and credentials are those of now, in sessions that are open", async () => {
  const bed = await bedOf();
  const trusted = await greeted(bed, "pods");
  const user = await greeted(bed, "submissions");
  await user.login("shop");
  const changed = { ...wish, limits: { messageSizeBytes: 5000 }, credentials: [] };
  bed.snapshots.set(snapshotOf({ ...changed, listeners: [{ ...pods, trustedNetworks: [] }, submission, submissions] }));
  assert.equal(codes(await user.command("MAIL FROM:<a@example.com>")), "421 4.7.0");
  assert.equal(codes(await trusted.command("MAIL FROM:<a@example.com>")), "550 5.7.1");
  bed.snapshots.set(snapshotOf(changed));
  assert.match(await trusted.command("EHLO x"), /SIZE 5000/);
  assert.equal(codes(await trusted.command("MAIL FROM:<a@example.com> SIZE=5001")), "552 5.3.4");
});

const limits: readonly (readonly [Readonly<Record<string, number>>, string])[] = [
  [{ connections: 2, connectionsPerClient: 5 }, "421 4.3.2"],
  [{ connections: 5, connectionsPerClient: 2 }, "421 4.7.0"],
];
for (const [limit, expected] of limits) {
  test(`the third connection of two allowed by ${JSON.stringify(limit)} is ${expected}, until one has gone`, async () => {
    const bed = await bedOf({ limits: limit });
    const first = await greeted(bed, "pods");
    await greeted(bed, "pods");
    const third = await bed.connect("pods");
    assert.equal(codes(await third.reply()), expected);
    await third.closed;
    await first.command("QUIT");
    await first.closed;
    assert.match(await greeted(bed, "pods").then((client) => client.command("NOOP")), /^250 /);
  });
}

test("leaving says 421 to idle sessions at once and lets a message under way finish first", async () => {
  const bed = await bedOf();
  const idle = await greeted(bed, "pods");
  const busy = await greeted(bed, "pods");
  const gate = Promise.withResolvers<void>();
  bed.spool.hold = gate.promise;
  const sent = busy.send("a@example.com", ["b@example.net"], message);
  const watcher = await greeted(bed, "pods");
  while (bed.spool.open.size === 0) await watcher.command("NOOP");
  const goodbye = idle.reply();
  const closed = bed.submission.close(10_000);
  assert.equal(codes(await goodbye), "421 4.3.2");
  await idle.closed;
  gate.resolve();
  assert.equal(codes(await sent), "250 2.6.0");
  assert.equal(codes(await busy.reply()), "421 4.3.2");
  await closed;
  assert.equal(bed.spool.kept.length, 1);
});

test("leaving cuts what is still inside DATA at the deadline, and keeps nothing of it", async () => {
  const bed = await bedOf();
  const slow = await greeted(bed, "pods");
  await slow.command("MAIL FROM:<a@example.com>");
  await slow.command("RCPT TO:<b@example.net>");
  await slow.command("DATA");
  slow.write(`${message} and never more`);
  await bed.submission.close(50);
  await slow.closed;
  assert.equal(bed.spool.kept.length, 0);
});

test("leaving cuts an idle client that does not hang up itself, long before the deadline", async () => {
  const bed = await bedOf();
  const deaf = await bed.connect("pods", { halfOpen: true });
  await deaf.reply();
  await deaf.command("EHLO x");
  const goodbye = deaf.reply();
  const started = performance.now();
  await bed.submission.close(60_000);
  const tookMs = performance.now() - started;
  assert.equal(codes(await goodbye), "421 4.3.2");
  // The library itself would wait for it for five seconds.
  assert.ok(tookMs >= 400 && tookMs < 3000, `${tookMs} ms`);
});

test("a lenient listener takes lines that end with a line feed alone from trusted clients, and hands on CRLF", async () => {
  const lenient = { ...pods, trustedNetworks: ["127.0.0.1/32"], lineEnds: "Lenient" };
  const bed = await bedOf({ listeners: [lenient] });
  const device = await bed.connect("pods");
  await device.reply();
  const replies = Array.from({ length: 6 }, () => device.reply());
  device.write("HELO old printer\nMAIL FROM:a@example.com\nRCPT TO:b@example.net\nDATA\n");
  device.write("From: a@example.com\n\nx\n..y\n.\nQUIT\n");
  assert.equal((await Promise.all(replies)).map((reply) => reply.slice(0, 3)).join(" "), "250 250 250 354 250 221");
  assert.equal(bed.spool.kept[0]?.body.toString(), "x\r\n.y\r\n");
  const other = await bed.connect("pods", { from: "127.0.0.2" });
  await other.reply();
  const refused = other.reply();
  other.write("NOOP\n");
  assert.equal(codes(await refused), "500 5.5.2");
});

test("on a lenient listener a dot between line feeds ends no message of a client that ends its commands with CRLF", async () => {
  const bed = await bedOf({ listeners: [{ ...pods, lineEnds: "Lenient" }] });
  const client = await greeted(bed, "pods");
  const smuggled =
    "\n.\nMAIL FROM:<a@example.com>\nRCPT TO:<victim@example.net>\nDATA\nFrom: a@example.com\n\nhidden\n.\n";
  assert.equal(codes(await client.send("a@example.com", ["b@example.net"], `${message}${smuggled}`)), "250 2.6.0");
  assert.equal(bed.spool.kept.length, 1);
  assert.match(bed.spool.kept[0]?.body.toString() ?? "", /^x\r\n\.\r\nMAIL FROM/);
});

test("leaving waits for nobody when nobody is there", async () => {
  const bed = await bedOf();
  const started = performance.now();
  await bed.submission.close(60_000);
  assert.ok(performance.now() - started < 5000);
});

const order: DrainOrder = { version: 1, peers: [] };

test("under an order idle and new clients hear 421, and nothing can come in any more once a message under way is kept", async () => {
  const bed = await bedOf();
  const [idle, between, busy] = [await greeted(bed, "pods"), await greeted(bed, "pods"), await greeted(bed, "pods")];
  await between.command("MAIL FROM:<a@example.com>");
  await between.command("RCPT TO:<b@example.net>");
  const hold = Promise.withResolvers<void>();
  bed.spool.hold = hold.promise;
  const sent = busy.send("a@example.com", ["b@example.net"], message);
  const watcher = await greeted(bed, "pods");
  while (bed.spool.open.size === 0) await watcher.command("NOOP");
  const goodbyes = [idle.reply(), between.reply()];
  bed.orders.give(order);
  for (const goodbye of goodbyes) assert.equal(codes(await goodbye), "421 4.3.2");
  for (const listener of ["pods", "submission", "submissions"]) {
    const late = await bed.connect(listener);
    assert.equal(codes(await late.reply()), "421 4.3.2");
    await late.closed;
  }
  assert.equal(bed.gate.isShut(), false);
  hold.resolve();
  assert.equal(codes(await sent), "250 2.6.0");
  assert.equal(codes(await busy.reply()), "421 4.3.2");
  await busy.closed;
  assert.equal(bed.gate.isShut(), true);
  assert.equal(bed.spool.kept.length, 1);
});

test("an order that is taken back opens the door again, also for the session that was inside DATA", async () => {
  const bed = await bedOf();
  const busy = await greeted(bed, "pods");
  const hold = Promise.withResolvers<void>();
  bed.spool.hold = hold.promise;
  const sent = busy.send("a@example.com", ["b@example.net"], message);
  const watcher = await greeted(bed, "pods");
  while (bed.spool.open.size === 0) await watcher.command("NOOP");
  bed.orders.give(order);
  bed.orders.takeBack();
  hold.resolve();
  assert.equal(codes(await sent), "250 2.6.0");
  assert.equal(codes(await busy.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
  const fresh = await greeted(bed, "pods");
  assert.equal(codes(await fresh.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
  assert.equal(bed.gate.isShut(), false);
});

test("a message counts as on its way in until it is kept, also when its client has gone", async () => {
  const bed = await bedOf();
  const gone = await greeted(bed, "pods");
  const hold = Promise.withResolvers<void>();
  bed.spool.hold = hold.promise;
  const sent = gone.send("a@example.com", ["b@example.net"], message);
  const lost = assert.rejects(sent);
  const watcher = await greeted(bed, "pods");
  while (bed.spool.committing === 0) await watcher.command("NOOP");
  gone.destroy();
  await lost;
  await gone.closed;
  bed.orders.give(order);
  await watcher.closed;
  assert.equal(bed.gate.isShut(), false);
  hold.resolve();
  while (bed.spool.kept.length === 0) await new Promise((resolve) => setImmediate(resolve));
  while (!bed.gate.isShut()) await new Promise((resolve) => setImmediate(resolve));
});

test("a port that is taken is an error at the start", async () => {
  const blocker = createServer().listen(0, "127.0.0.1");
  await once(blocker, "listening");
  const { port } = blocker.address() as AddressInfo;
  await assert.rejects(openBed({ ...wish, listeners: [{ ...pods, port }] }), /EADDRINUSE/);
  blocker.close();
});

test("behind a trusted proxy the client is the one the proxy names", async () => {
  const proxied = { ...pods, trustedNetworks: ["198.51.100.0/24"], proxyProtocol: { trustedNetworks: loopback } };
  const bed = await bedOf({ listeners: [proxied] });
  for (const [address, expected] of [
    ["198.51.100.7", "250 2.1.0"],
    ["203.0.113.7", "550 5.7.1"],
  ] as const) {
    const client = await bed.connect("pods");
    client.write(`PROXY TCP4 ${address} 192.0.2.1 1234 25\r\n`);
    assert.match(await client.reply(), /^220 /);
    await client.command("EHLO x");
    assert.equal(codes(await client.command("MAIL FROM:<a@example.com>")), expected);
  }
});
