/** Clients that come and do not go on, come in pieces, leave halfway or at once: what they may take, and what they get. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import {
  credentialOf,
  makeCertificate,
  openBed,
  type Bed,
  type BedWish,
  type SnapshotWish,
} from "../../test/support/submission.ts";
import { until } from "../../test/support/until.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";

const certificate = await makeCertificate();
const loopback = ["127.0.0.0/8"];
const pods = { name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: loopback };
const plain = { name: "plain", tlsMode: "None", authentication: "Optional" };
const submission = { name: "submission", tlsMode: "StartTLS", authentication: "Required" };
const submissions = { name: "submissions", tlsMode: "Implicit", authentication: "Required" };
const proxied = { ...plain, name: "proxied", proxyProtocol: { trustedNetworks: ["127.0.0.0/31"] } };
const proxiedTls = { ...submissions, name: "proxiedTls", proxyProtocol: { trustedNetworks: ["127.0.0.0/31"] } };
const message = "From: a@example.com\r\n\r\nx";

async function bedOf(t: TestContext, wish: Partial<SnapshotWish> = {}, more: BedWish = {}): Promise<Bed> {
  const bed = await openBed(
    {
      listeners: [pods, plain, submission, submissions, proxied, proxiedTls],
      credentials: [credentialOf("shop", "shop/mail")],
      domains: { "example.com": { identities: ["shop/mail"], trustedNetworks: true } },
      certificate,
      ...wish,
    },
    more,
  );
  t.after(() => bed.close());
  return bed;
}

/** A socket that says nothing by itself. */
async function socketTo(
  t: TestContext,
  bed: Bed,
  [listener, from = "127.0.0.1"]: readonly [string, string?],
): Promise<Socket> {
  const port = bed.submission.addresses.get(listener) ?? 0;
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) await once(socket, "close");
}

async function greeted(bed: Bed, listener: string, from = "127.0.0.1"): Promise<SmtpClient> {
  const client = await bed.connect(listener, { from });
  assert.match(await client.reply(), /^220 /);
  await client.command("EHLO client.example");
  return client;
}

const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");

/** Everything of a session in one piece. */
const wholeSession = (text = message): string =>
  `EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n${text}\r\n.\r\nQUIT\r\n`;

test("a client that closes its side behind its last octet gets every reply, its 250 included", async (t) => {
  const bed = await bedOf(t);
  const hold = Promise.withResolvers<void>();
  bed.spool.hold = hold.promise;
  const client = await bed.connect("pods", { halfOpen: true });
  assert.match(await client.reply(), /^220 /);
  const replies = Array.from({ length: 6 }, () => client.reply());
  client.end(wholeSession());
  // The end of what the client says is here before its message is safe.
  await until("the commit", () => bed.spool.committing > 0 || undefined);
  (await greeted(bed, "pods")).destroy();
  hold.resolve();
  const heard = (await Promise.all(replies)).map((reply) => reply.slice(0, 3));
  assert.deepEqual(heard, ["250", "250", "250", "354", "250", "221"]);
  await client.closed;
  await until("the place to be free", () => bed.connections() === 0 || undefined);
  assert.equal(bed.spool.kept.length, 1);
});

test("it gets them inside TLS too", async (t) => {
  const bed = await bedOf(t);
  for (const listener of ["submissions", "submission"]) {
    const client = await bed.connect(listener, { halfOpen: true });
    await client.reply();
    await client.command("EHLO x");
    if (listener === "submission") {
      await client.startTls();
      await client.command("EHLO x");
    }
    assert.equal(codes(await client.login("shop")), "235 2.7.0");
    const replies = Array.from({ length: 6 }, () => client.reply());
    client.end(wholeSession());
    assert.equal((await Promise.all(replies)).map((reply) => reply.slice(0, 3)).join(" "), "250 250 250 354 250 221");
    await client.closed;
  }
  assert.equal(bed.spool.kept.length, 2);
});

test("a client that closes its side without QUIT is let go, and one inside its message leaves nothing", async (t) => {
  const bed = await bedOf(t);
  for (const last of ["NOOP\r\n", "MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nFrom: half", ""]) {
    const client = await bed.connect("pods", { halfOpen: true });
    assert.match(await client.reply(), /^220 /);
    await client.command("EHLO x");
    client.end(last);
    await client.closed;
  }
  await until("the places to be free", () => bed.connections() === 0 || undefined);
  assert.equal(bed.spool.kept.length, 0);
  assert.equal(bed.spool.open.size, 0);
});

for (const listener of ["submissions", "proxied", "proxiedTls"]) {
  test(`silent sockets of one address shut ${listener} for that address only, from the first octet on`, async (t) => {
    const limits = { connections: 100, connectionsPerClient: 3 };
    const bed = await bedOf(t, { listeners: [submissions, proxied, proxiedTls], limits });
    const silent = await Promise.all([1, 2, 3].map(() => socketTo(t, bed, [listener, "127.0.0.1"])));
    await until("three places", () => bed.connections() === 3 || undefined);
    await closed(await socketTo(t, bed, [listener, "127.0.0.1"]));
    assert.equal(bed.connections(), 3);
    await greeted(bed, "submissions", "127.0.0.9");
    silent[0]?.resetAndDestroy();
    await until("a place of the first", () => bed.connections() === 3 || undefined);
    await greeted(bed, "submissions", "127.0.0.1");
  });

  test(`a socket that says nothing, or an octet now and then, is closed after its time on ${listener}`, async (t) => {
    const bed = await bedOf(t, {}, { patience: { arrivalMs: 100 } });
    const silent = await socketTo(t, bed, [listener]);
    const slow = await socketTo(t, bed, [listener]);
    // The first octets of a header, or of a handshake that never goes on.
    const octets = listener === "submissions" ? "\x16\x03\x01\x02\x00\x01" : "PROXY TCP4 1";
    const started = performance.now();
    for (const octet of octets) {
      if (!slow.destroyed) slow.write(octet, "latin1");
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    await closed(slow);
    await closed(silent);
    assert.ok(performance.now() - started < 5000);
    await until("the places to be free", () => bed.connections() === 0 || undefined);
  });
}

test("a client that leaves in the middle of a handshake is not waited for", async (t) => {
  const bed = await bedOf(t);
  const leaving = await socketTo(t, bed, ["submissions"]);
  await until("its place", () => bed.connections() === 1 || undefined);
  leaving.end();
  await until("the place to be free", () => bed.connections() === 0 || undefined, 5000);
});

test("a handshake after STARTTLS has its own time, however long a known client may take otherwise", async (t) => {
  const bed = await bedOf(
    t,
    { listeners: [{ ...submission, authentication: "Optional", trustedNetworks: loopback }] },
    {
      patience: { handshakeMs: 100 },
    },
  );
  const client = await greeted(bed, "submission");
  assert.match(await client.command("STARTTLS"), /^220 /);
  await client.closed;
  await until("the place to be free", () => bed.connections() === 0 || undefined);
});

for (const [what, line] of [
  ["NOOP", "NOOP\r\n"],
  ["RSET", "RSET\r\n"],
  ["a name", "EHLO x\r\n"],
  ["half an AUTH", "AUTH LOGIN\r\n*\r\n"],
  ["a line without end", "x".repeat(5000)],
] as const) {
  test(`a stranger's time to log in is not prolonged by ${what}`, async (t) => {
    const bed = await bedOf(t, {}, { patience: { loginMs: 300 } });
    const client = await greeted(bed, "submissions");
    const talk = setInterval(() => client.write(line), 20);
    t.after(() => clearInterval(talk));
    const started = performance.now();
    await client.closed;
    clearInterval(talk);
    const tookMs = performance.now() - started;
    assert.ok(tookMs < 3000, `${tookMs} ms`);
    assert.ok(bed.refusals.includes("submissions 421 4.4.2"), bed.refusals.join());
  });
}

test("an AUTH exchange that never ends is over when the time to log in is", async (t) => {
  const bed = await bedOf(t, {}, { patience: { loginMs: 200 } });
  const client = await greeted(bed, "submissions");
  assert.equal(await client.command("AUTH LOGIN"), "334 VXNlcm5hbWU6");
  assert.equal(codes(await client.reply()), "421 4.4.2");
  await client.closed;
});

test("who has logged in, or is trusted, may take longer than a stranger, and NOOP keeps neither", async (t) => {
  const bed = await bedOf(t, {}, { patience: { loginMs: 100, idleMs: 600 } });
  const user = await greeted(bed, "submissions");
  assert.equal(codes(await user.login("shop")), "235 2.7.0");
  const trusted = await greeted(bed, "pods");
  const started = performance.now();
  const talk = setInterval(() => [user, trusted].forEach((client) => client.write("NOOP\r\n")), 50);
  t.after(() => clearInterval(talk));
  const lived = await Promise.all(
    [user, trusted].map((client) => client.closed.then(() => performance.now() - started)),
  );
  for (const livedMs of lived) assert.ok(livedMs > 400 && livedMs < 5000, `${livedMs} ms`);
});

test("who gets on with a message keeps the session", async (t) => {
  const bed = await bedOf(t, {}, { patience: { idleMs: 400 } });
  const client = await greeted(bed, "pods");
  const started = performance.now();
  while (performance.now() - started < 1000) {
    assert.equal(codes(await client.command("MAIL FROM:<a@example.com>")), "250 2.1.0");
    assert.equal(codes(await client.command("RSET")), "250 2.0.0");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
});

test("strangers that never log in do not keep out who comes to log in, nor put out who has", async (t) => {
  const limits = { connections: 12, connectionsPerClient: 6 };
  const bed = await bedOf(t, { limits });
  // Of the client with the most strangers, and older than all of them.
  const user = await greeted(bed, "submissions", "127.0.0.2");
  await user.login("shop");
  const strangers: SmtpClient[] = [];
  for (const from of ["127.0.0.2", "127.0.0.3"]) {
    for (let count = 0; count < 5; count += 1) {
      const client = await bed.connect(count % 2 === 0 ? "submissions" : "submission", { from });
      strangers.push(client);
      await client.reply().catch(() => "");
    }
  }
  assert.ok(bed.connections() <= 1 + 9, `${bed.connections()} places`);
  const first = strangers[0];
  const goodbye = first?.reply();
  const newcomer = await greeted(bed, "submissions", "127.0.0.4");
  assert.equal(codes((await goodbye) ?? ""), "421 4.3.2");
  assert.equal(codes(await newcomer.login("shop")), "235 2.7.0");
  // Places that strangers cannot have.
  const more = await greeted(bed, "pods", "127.0.0.5");
  for (const client of [user, newcomer, more]) {
    assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
  }
});

test("a peer that is no load balancer is refused where they alone may come", async (t) => {
  const bed = await bedOf(t);
  const outsider = await bed.connect("proxied", { from: "127.0.0.9" });
  outsider.write("PROXY TCP4 198.51.100.7 192.0.2.1 1234 25\r\n");
  assert.equal(codes(await outsider.reply()), "421 4.7.1");
  await outsider.closed;
  await closed(await socketTo(t, bed, ["proxiedTls", "127.0.0.9"]));
  assert.deepEqual(bed.refusals, ["proxied 421 4.7.1", "proxiedTls 421 4.7.1"]);
});

const address = Buffer.from([198, 51, 100, 7, 192, 0, 2, 1, 0x12, 0x34, 0, 25]);
const binary = (command: number, family: number, rest: Buffer): Buffer =>
  Buffer.concat([Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1"), Buffer.from([command, family, 0, rest.length]), rest]);
const headers: readonly (readonly [string, Buffer, string])[] = [
  ["TCP4 of a trusted client", Buffer.from("PROXY TCP4 198.51.100.7 192.0.2.1 1234 25\r\n"), "250 2.1.0"],
  ["TCP4 of another", Buffer.from("PROXY TCP4 203.0.113.7 192.0.2.1 1234 25\r\n"), "550 5.7.1"],
  ["UNKNOWN with a trusted address", Buffer.from("PROXY UNKNOWN 198.51.100.7 192.0.2.1 1234 25\r\n"), "550 5.7.1"],
  ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), "550 5.7.1"],
  ["version 2 of a trusted client", binary(0x21, 0x11, address), "250 2.1.0"],
  ["version 2 LOCAL", binary(0x20, 0x11, address), "550 5.7.1"],
  ["version 2 UNSPEC", binary(0x21, 0, address), "550 5.7.1"],
];
for (const [name, header, expected] of headers) {
  test(`${name}, octet by octet with the rest of the session behind it, is answered ${expected}`, async (t) => {
    // The proxy's own network is trusted too: it is not the client.
    const trusting = { ...proxied, trustedNetworks: ["198.51.100.0/24", "127.0.0.0/8"] };
    const bed = await bedOf(t, { listeners: [trusting] });
    const client = await bed.connect("proxied", { halfOpen: true });
    for (const octet of header) {
      client.write(Buffer.from([octet]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.match(await client.reply(), /^220 /);
    await client.command("EHLO x");
    assert.equal(codes(await client.command("MAIL FROM:<a@example.com>")), expected);
  });
}

test("clients behind a load balancer count for themselves, and one over its limit is told so", async (t) => {
  const bed = await bedOf(t, { listeners: [proxied], limits: { connections: 100, connectionsPerClient: 2 } });
  const through = async (client: string): Promise<SmtpClient> => {
    const socket = await bed.connect("proxied");
    socket.write(`PROXY TCP6 ${client} 2001:db8::1 1234 25\r\n`);
    return socket;
  };
  // Addresses of one /64 network are one client.
  for (const client of ["2001:db8:1:1::7", "2001:db8:1:1::8", "2001:db8:1:2::7"]) {
    assert.match(await (await through(client)).reply(), /^220 /);
  }
  assert.equal(codes(await (await through("2001:db8:1:1::9")).reply()), "421 4.7.0");
});

test("a reset in any state frees the place and harms nobody", async (t) => {
  const bed = await bedOf(t);
  const opening = "EHLO x\r\nMAIL FROM:<a@example.com>\r\n";
  const states: readonly (readonly [string, string])[] = [
    ["submissions", ""],
    ["submissions", "\x16\x03\x01"],
    ["proxied", ""],
    ["proxied", "PROXY TCP4"],
    ["plain", ""],
    ["pods", "EHLO x\r\nNO"],
    ["pods", opening],
    ["pods", `${opening}RCPT TO:<b@example.net>\r\nDATA\r\nFrom: a`],
    ["submission", "EHLO x\r\nSTARTTLS\r\n"],
    ["submission", "EHLO x\r\nSTARTTLS\r\n\x16\x03\x01"],
  ];
  for (const [listener, bytes] of states) {
    const socket = await socketTo(t, bed, [listener]);
    socket.write(bytes, "latin1");
    await until("its place", () => bed.connections() === 1 || undefined);
    if (bytes.includes("\r\n")) await once(socket, "data");
    socket.resetAndDestroy();
    await until(`the place on ${listener} to be free`, () => bed.connections() === 0 || undefined, 5000);
  }
  assert.equal(bed.spool.open.size, 0);
  const client = await greeted(bed, "pods");
  assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
});

test("sockets that are half open or not yet a session do not hold up the end", async (t) => {
  const bed = await bedOf(t);
  const sockets = await Promise.all(
    ["submissions", "proxied", "submission"].map((listener) => socketTo(t, bed, [listener])),
  );
  const deaf = await bed.connect("pods", { halfOpen: true });
  await deaf.reply();
  const handshaking = await bed.connect("submission", { halfOpen: true });
  await handshaking.reply();
  await handshaking.command("EHLO x");
  await handshaking.command("STARTTLS");
  await until("five places", () => bed.connections() === 5 || undefined);
  const started = performance.now();
  await bed.submission.close(60_000);
  const tookMs = performance.now() - started;
  // Less than the time after which the library cuts a client that does not close its side.
  assert.ok(tookMs < 3000, `${tookMs} ms`);
  await Promise.all(sockets.map(closed));
  assert.equal(bed.connections(), 0);
});

test("a client's refusals are said in the log up to a rate, and counted beyond it", async (t) => {
  const bed = await bedOf(t, {}, { logLevel: "info", clock: { now: () => 0 } });
  for (let session = 0; session < 5; session += 1) {
    const client = await greeted(bed, "plain");
    for (let count = 0; count < 30; count += 1) await client.command("MAIL FROM:<a@example.com>");
    client.destroy();
    await until("its end", () => bed.connections() === 0 || undefined);
  }
  const told = bed.lines.filter((line) => line["msg"] === "refused").length;
  // The end of the first session without a login counts, too.
  assert.equal(told, 49);
  await bed.submission.close(0);
  const withheld = bed.lines.filter((line) => line["msg"] === "lines about clients withheld: there were too many");
  assert.equal(
    withheld.reduce((sum, line) => sum + Number(line["lines"]), 0),
    bed.refusals.length - told,
  );
});

/** ms that so many commands take, sent at once. */
async function talkMs(client: SmtpClient, count: number): Promise<number> {
  const started = performance.now();
  const replies = Array.from({ length: count }, () => client.reply());
  client.write("NOOP\r\n".repeat(count));
  await Promise.all(replies);
  return performance.now() - started;
}

test("a stranger that says a lot is answered more slowly, who is known is not", async (t) => {
  const bed = await bedOf(t, {}, { patience: { pauseMs: 100 } });
  const stranger = await greeted(bed, "plain");
  assert.ok((await talkMs(stranger, 30)) > 700);
  const user = await greeted(bed, "submissions");
  await user.login("shop");
  assert.ok((await talkMs(user, 300)) < 700);
});

test("a client that is refused again and again, or comes and goes, waits for its next session; others do not", async (t) => {
  // A rate is not used up by who is slow: time stands still.
  const bed = await bedOf(t, {}, { patience: { pauseMs: 2_000 }, clock: { now: () => 0 } });
  const greetingMs = async (listener: string, from: string): Promise<number> => {
    const started = performance.now();
    const client = await bed.connect(listener, { from });
    await client.reply();
    client.destroy();
    return performance.now() - started;
  };
  for (let session = 0; session < 60; session += 1) {
    const socket = await socketTo(t, bed, ["submission", "127.0.0.8"]);
    socket.destroy();
  }
  await until("all to be gone", () => bed.connections() === 0 || undefined);
  assert.ok((await greetingMs("submission", "127.0.0.8")) > 1_900);
  assert.ok((await greetingMs("submissions", "127.0.0.8")) > 1_900);
  assert.ok((await greetingMs("submission", "127.0.0.9")) < 1_500);
  assert.ok((await greetingMs("pods", "127.0.0.8")) < 1_500);
});

test("a message whose octets come now and then is over when its time is, and one that comes at the least pace is taken", async (t) => {
  const bed = await bedOf(t, {}, { patience: { idleMs: 1500, octetsPerSecond: 500 } });
  const begin = async (): Promise<SmtpClient> => {
    const client = await greeted(bed, "pods");
    for (const line of ["MAIL FROM:<a@example.com>", "RCPT TO:<b@example.net>", "DATA"]) await client.command(line);
    client.write("From: a@example.com\r\n\r\n");
    return client;
  };
  const [slow, steady] = [await begin(), await begin()];
  const reply = slow.reply();
  const enough = setTimeout(() => slow.destroy(), 15_000);
  t.after(() => clearTimeout(enough));
  const started = performance.now();
  const trickle = setInterval(() => slow.write("x"), 20);
  const flow = setInterval(() => steady.write(`${"x".repeat(28)}\r\n`), 20);
  t.after(() => [trickle, flow].forEach((timer) => clearInterval(timer)));
  assert.equal(await reply, "421 4.4.2 Timeout, the message came too slowly");
  await slow.closed;
  const tookMs = performance.now() - started;
  assert.ok(tookMs > 1400 && tookMs < 15_000, `${tookMs} ms`);
  while (performance.now() - started < 3500) await new Promise((resolve) => setTimeout(resolve, 20));
  clearInterval(flow);
  const taken = steady.reply();
  steady.write(".\r\n");
  assert.equal(codes(await taken), "250 2.6.0");
  assert.ok(bed.refusals.includes("pods 421 4.4.2"));
});
