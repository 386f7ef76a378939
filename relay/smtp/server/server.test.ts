/** What smtp-server must do and not do, asked over the wire of the installed package: each override has its row here. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";
import { credentialOf, makeCertificate, openBed, type Bed } from "../../../test/support/submission.ts";
import type { SmtpClient } from "../../../test/support/smtpclient.ts";

let bed: Bed;
before(async () => {
  const loopback = ["127.0.0.0/8"];
  bed = await openBed({
    listeners: [
      { name: "submission", tlsMode: "StartTLS", authentication: "Required" },
      { name: "submissions", tlsMode: "Implicit", authentication: "Required" },
      { name: "smtp", tlsMode: "StartTLS", authentication: "Optional" },
      { name: "trusted", tlsMode: "StartTLS", authentication: "Optional", trustedNetworks: loopback },
      { name: "plain", tlsMode: "None", authentication: "Optional" },
      { name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: loopback },
    ],
    limits: { messageSizeBytes: 20_000, recipients: 3, connections: 500, connectionsPerClient: 500 },
    credentials: [credentialOf("shop", "shop/mail")],
    domains: {
      "example.com": { identities: ["shop/mail"], trustedNetworks: true },
      "other.example": { identities: ["other/mail"] },
      "keyless.example": { identities: ["shop/mail"], keyless: true },
    },
    certificate: await makeCertificate(),
  });
});
after(() => bed.close());

/** A session that has greeted, and has taken the steps named. */
async function session(listener: string, ...steps: readonly ("tls" | "login")[]): Promise<SmtpClient> {
  const client = await bed.connect(listener);
  assert.match(await client.reply(), /^220 relay\.example\.com ESMTP$/);
  await client.command("EHLO client.example");
  for (const step of steps) {
    if (step === "tls") {
      assert.match(await client.startTls(), /^220 /);
      await client.command("EHLO client.example");
    } else assert.equal(await client.login("shop"), "235 2.7.0 Authentication successful");
  }
  return client;
}

const codes = (reply: string): string => /^\d{3} \d\.\d{1,3}\.\d{1,3}/.exec(reply)?.[0] ?? reply;

const base = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "SIZE 20000"];
const offers: readonly (readonly [string, readonly ("tls" | "login")[], readonly string[]])[] = [
  ["submission", [], [...base, "STARTTLS"]],
  ["submission", ["tls"], [...base, "AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"]],
  ["submission", ["tls", "login"], base],
  ["submissions", [], [...base, "AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS"]],
  ["smtp", [], [...base, "STARTTLS"]],
  ["plain", [], base],
];
for (const [listener, steps, expected] of offers) {
  test(`EHLO on ${listener} after ${steps.join(" and ") || "nothing"} offers exactly ${expected.at(-1)} and the base`, async () => {
    const client = await session(listener, ...steps);
    const lines = (await client.command("EHLO client.example")).split("\n").map((line) => line.slice(4));
    assert.deepEqual(lines, ["relay.example.com", ...expected]);
  });
}

interface Exchange {
  readonly name: string;
  readonly listener: string;
  readonly steps?: readonly ("tls" | "login")[];
  readonly lines: readonly string[];
  /** Of the last line. */
  readonly reply: string;
}

const mail = "MAIL FROM:<a@example.com>";
const rcpt = "RCPT TO:<b@example.net>";
const wrong = `AUTH PLAIN ${Buffer.from("\0shop\0wrong").toString("base64")}`;
const foreign = `AUTH PLAIN ${Buffer.from("boss\0shop\0correct horse").toString("base64")}`;

const exchanges: readonly Exchange[] = [
  { name: "MAIL before TLS", listener: "submission", lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL with nonsense before TLS", listener: "submission", lines: ["MAIL FROM:<a> X=y"], reply: "530 5.7.0" },
  { name: "MAIL before AUTH", listener: "submission", steps: ["tls"], lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL before AUTH", listener: "submissions", lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL before TLS after RSET", listener: "submission", lines: ["RSET", mail], reply: "530 5.7.0" },
  { name: "MAIL before AUTH after RSET", listener: "submissions", lines: ["RSET", mail], reply: "530 5.7.0" },
  { name: "MAIL after a second EHLO", listener: "submissions", lines: ["EHLO x", mail], reply: "530 5.7.0" },
  { name: "MAIL after HELO", listener: "submissions", lines: ["HELO x", mail], reply: "530 5.7.0" },
  { name: "MAIL after a failed AUTH", listener: "submissions", lines: [wrong, mail], reply: "530 5.7.0" },
  {
    name: "MAIL after AUTH and RSET",
    listener: "submissions",
    steps: ["login"],
    lines: ["RSET", mail],
    reply: "250 2.1.0",
  },
  { name: "MAIL untrusted", listener: "smtp", lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL untrusted inside TLS", listener: "smtp", steps: ["tls"], lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL after AUTH", listener: "smtp", steps: ["tls", "login"], lines: [mail], reply: "250 2.1.0" },
  { name: "MAIL trusted", listener: "trusted", lines: [mail], reply: "250 2.1.0" },
  { name: "MAIL untrusted", listener: "plain", lines: [mail], reply: "550 5.7.1" },
  { name: "MAIL trusted", listener: "pods", lines: [mail], reply: "250 2.1.0" },
  { name: "AUTH before TLS", listener: "submission", lines: [wrong], reply: "538 5.7.11" },
  { name: "AUTH where there is no TLS", listener: "plain", lines: [wrong], reply: "502 5.5.1" },
  { name: "STARTTLS where there is none", listener: "plain", lines: ["STARTTLS"], reply: "502 5.5.1" },
  { name: "STARTTLS twice", listener: "submission", steps: ["tls"], lines: ["STARTTLS"], reply: "503 5.5.1" },
  { name: "STARTTLS with words", listener: "submission", lines: ["STARTTLS now"], reply: "501 5.5.4" },
  { name: "a wrong password", listener: "submissions", lines: [wrong], reply: "535 5.7.8" },
  { name: "acting for another", listener: "submissions", lines: [foreign], reply: "535 5.7.8" },
  { name: "an unknown mechanism", listener: "submissions", lines: ["AUTH CRAM-MD5"], reply: "504 5.5.4" },
  { name: "a cancelled AUTH", listener: "submissions", lines: ["AUTH LOGIN", "*"], reply: "501 5.5.2" },
  { name: "an undecodable AUTH", listener: "submissions", lines: ["AUTH PLAIN eA=="], reply: "501 5.5.2" },
  { name: "AUTH that is no base64", listener: "submissions", lines: ["AUTH PLAIN a!b="], reply: "501 5.5.2" },
  {
    name: "a password that is no base64",
    listener: "submissions",
    lines: ["AUTH LOGIN c2hvcA==", "a!b="],
    reply: "501 5.5.2",
  },
  { name: "AUTH of two messages", listener: "submissions", lines: ["AUTH PLAIN eA== eA=="], reply: "501 5.5.4" },
  { name: "AUTH of no mechanism", listener: "submissions", lines: ["AUTH"], reply: "504 5.5.4" },
  { name: "an empty message of PLAIN", listener: "submissions", lines: ["AUTH PLAIN ="], reply: "501 5.5.2" },
  {
    name: "NOOP after a cancelled AUTH",
    listener: "submissions",
    lines: ["AUTH PLAIN", "*", "NOOP"],
    reply: "250 2.0.0",
  },
  { name: "a second AUTH", listener: "submissions", steps: ["login"], lines: [wrong], reply: "503 5.5.1" },
  { name: "AUTH inside a transaction", listener: "trusted", steps: ["tls"], lines: [mail, wrong], reply: "503 5.5.1" },
  { name: "a foreign sender domain", listener: "pods", lines: ["MAIL FROM:<a@other.example>"], reply: "550 5.7.1" },
  { name: "an unknown sender domain", listener: "pods", lines: ["MAIL FROM:<a@unknown.example>"], reply: "550 5.7.1" },
  { name: "the null sender", listener: "pods", lines: ["MAIL FROM:<>"], reply: "250 2.1.0" },
  { name: "a size that is too large", listener: "pods", lines: [`${mail} SIZE=20001`], reply: "552 5.3.4" },
  { name: "a size that fits", listener: "pods", lines: [`${mail} SIZE=20000`], reply: "250 2.1.0" },
  { name: "an unknown MAIL parameter", listener: "pods", lines: [`${mail} REQUIRETLS`], reply: "555 5.5.4" },
  { name: "an unknown RCPT parameter", listener: "pods", lines: [mail, `${rcpt} X=1`], reply: "555 5.5.4" },
  { name: "a non-ASCII sender", listener: "pods", lines: ["MAIL FROM:<é@example.com>"], reply: "553 5.6.7" },
  { name: "a non-ASCII recipient", listener: "pods", lines: [mail, "RCPT TO:<é@example.net>"], reply: "553 5.6.7" },
  { name: "a recipient without domain", listener: "pods", lines: [mail, "RCPT TO:<b>"], reply: "501 5.1.3" },
  { name: "a sender without brackets", listener: "pods", lines: ["MAIL FROM:a@example.com"], reply: "250 2.1.0" },
  { name: "no sender at all", listener: "pods", lines: ["MAIL FROM:"], reply: "501 5.1.7" },
  {
    name: "a recipient without brackets",
    listener: "pods",
    lines: [mail, "RCPT TO:b@example.net"],
    reply: "250 2.1.5",
  },
  { name: "Postmaster alone", listener: "pods", lines: [mail, "RCPT TO:<Postmaster>"], reply: "250 2.1.5" },
  { name: "a name with spaces", listener: "pods", lines: ["HELO front office pc", mail], reply: "250 2.1.0" },
  { name: "nested MAIL", listener: "pods", lines: [mail, mail], reply: "503 5.5.1" },
  { name: "RCPT without MAIL", listener: "pods", lines: [rcpt], reply: "503 5.5.1" },
  { name: "RCPT after RSET", listener: "pods", lines: [mail, "RSET", rcpt], reply: "503 5.5.1" },
  { name: "DATA without RCPT", listener: "pods", lines: [mail, "DATA"], reply: "503 5.5.1" },
  { name: "DATA with words", listener: "pods", lines: [mail, rcpt, "DATA now"], reply: "501 5.5.4" },
  { name: "an empty line", listener: "pods", lines: [""], reply: "500 5.5.1" },
  { name: "a line of 2049 octets", listener: "pods", lines: [`NOOP ${"x".repeat(2044)}`], reply: "500 5.5.2" },
  { name: "a line of 2048 octets", listener: "pods", lines: [`NOOP ${"x".repeat(2043)}`], reply: "250 2.0.0" },
  { name: "a line of a megabyte", listener: "pods", lines: ["x".repeat(1_000_000)], reply: "500 5.5.2" },
  {
    name: "MAIL after a line of a megabyte",
    listener: "pods",
    lines: ["x".repeat(1_000_000), mail],
    reply: "250 2.1.0",
  },
  {
    name: "a long AUTH line",
    listener: "submissions",
    lines: [`AUTH PLAIN ${"A".repeat(12_000)}`],
    reply: "501 5.5.2",
  },
  {
    name: "an endless AUTH line",
    listener: "submissions",
    lines: ["AUTH LOGIN", "A".repeat(13_000)],
    reply: "500 5.5.2",
  },
  { name: "a control character", listener: "pods", lines: ["NOOP \u0001"], reply: "500 5.5.2" },
  { name: "NUL", listener: "pods", lines: ["NOOP \0"], reply: "500 5.5.2" },
  { name: "a bare CR", listener: "pods", lines: ["NOOP\rRSET"], reply: "500 5.5.2" },
  { name: "a bare LF", listener: "pods", lines: ["NOOP\nNOOP"], reply: "500 5.5.2" },
  { name: "VRFY", listener: "pods", lines: ["VRFY a@example.com"], reply: "252 2.5.0" },
  { name: "NOOP", listener: "pods", lines: ["NOOP"], reply: "250 2.0.0" },
  { name: "QUIT", listener: "pods", lines: ["QUIT"], reply: "221 2.0.0" },
  { name: "an HTTP request", listener: "pods", lines: ["GET / HTTP/1.1"], reply: "421 4.7.0" },
];
for (const { name, listener, steps = [], lines, reply } of exchanges) {
  test(`${name} on ${listener} is ${reply}`, async () => {
    const client = await session(listener, ...steps);
    let last = "";
    for (const line of lines) last = await client.command(line);
    assert.equal(codes(last), reply);
  });
}

for (const command of [
  "WIZ",
  "SHELL",
  "KILL",
  "XCLIENT",
  "XFORWARD",
  "BDAT",
  "EXPN",
  "TURN",
  "ETRN",
  "LHLO",
  "constructor",
]) {
  test(`${command} does not exist`, async () => {
    const client = await session("pods");
    assert.equal(codes(await client.command(`${command} x`)), "500 5.5.1");
  });
}

test("nothing before EHLO is served but the harmless", async () => {
  const client = await bed.connect("pods");
  await client.reply();
  assert.equal(codes(await client.command(mail)), "503 5.5.1");
  assert.equal(await client.command("EHLO"), "501 Syntax: EHLO or HELO and your host name");
});

test("the tenth bad command ends the session", async () => {
  const client = await session("pods");
  for (let count = 1; count < 10; count += 1) assert.equal(codes(await client.command("WHAT")), "500 5.5.1");
  assert.equal(codes(await client.command("WHAT")), "421 4.7.0");
  await client.closed;
});

test("the third failed login ends the session", async () => {
  const client = await session("submissions");
  assert.equal(codes(await client.login("shop", "a")), "535 5.7.8");
  assert.equal(codes(await client.login("nobody", "a")), "535 5.7.8");
  assert.equal(codes(await client.login("shop", "b")), "421 4.7.0");
  await client.closed;
});

for (const [what, gaps] of [
  ["a shard that has not arrived", { shards: true }],
  ["a newer document of the relay that cannot be read", { relay: true }],
] as const) {
  test(`with ${what} no login and no sender is refused for good`, async (t) => {
    const complete = bed.snapshots.current();
    const old = await session("submissions");
    assert.equal(codes(await old.login("shop")), "235 2.7.0");
    const lost = { ...complete, domains: new Map(), credentials: new Map(), gaps: { ...complete.gaps, ...gaps } };
    bed.snapshots.set(lost);
    t.after(() => bed.snapshots.set(complete));
    assert.equal(codes(await old.command("MAIL FROM:<a@example.com>")), "451 4.3.5");
    const client = await session("submissions");
    assert.equal(codes(await client.login("shop")), "454 4.7.0");
    bed.snapshots.set(complete);
    assert.equal(codes(await old.command("MAIL FROM:<a@example.com>")), "250 2.1.0");
    assert.equal(codes(await client.login("shop")), "235 2.7.0");
  });
}

test("a login that may be of a domain that cannot be read is to be tried again, and failures are counted", async (t) => {
  const complete = bed.snapshots.current();
  bed.snapshots.set({ ...complete, gaps: { ...complete.gaps, domains: new Set(["newer.example"]) } });
  t.after(() => bed.snapshots.set(complete));
  const client = await session("submissions");
  assert.equal(codes(await client.login("newer", "a")), "454 4.7.0");
  assert.equal(codes(await client.login("newer", "a")), "454 4.7.0");
  assert.equal(codes(await client.login("newer", "a")), "421 4.7.0");
  await client.closed;
});

test("what a client wrote wrong, and what it gave up, are no failed logins", async () => {
  const client = await session("submissions");
  for (const lines of [["AUTH PLAIN eA=="], ["AUTH LOGIN", "*"], ["AUTH LOGIN c2hvcA==", "!"], ["AUTH PLAIN ="]]) {
    let last = "";
    for (const line of lines) last = await client.command(line);
    assert.equal(codes(last), "501 5.5.2");
  }
  assert.equal(codes(await client.login("shop", "a")), "535 5.7.8");
  assert.equal(await client.login("shop"), "235 2.7.0 Authentication successful");
});

test("AUTH PLAIN without a message asks for it with a challenge that is empty", async () => {
  const client = await session("submissions");
  assert.equal(await client.command("AUTH PLAIN"), "334");
  assert.equal(codes(await client.command(Buffer.from("\0shop\0correct horse").toString("base64"))), "235 2.7.0");
});

test("AUTH LOGIN asks for name and password", async () => {
  const client = await session("submissions");
  assert.equal(await client.command("AUTH LOGIN"), "334 VXNlcm5hbWU6");
  assert.equal(await client.command(Buffer.from("shop").toString("base64")), "334 UGFzc3dvcmQ6");
  assert.equal(codes(await client.command(Buffer.from("correct horse").toString("base64"))), "235 2.7.0");
});

test("what was pipelined behind STARTTLS is thrown away, not run inside TLS", async () => {
  const client = await session("trusted");
  const ready = client.reply();
  client.write(`STARTTLS\r\n${mail}\r\nRSET\r\n`);
  assert.match(await ready, /^220 /);
  await client.upgrade();
  // Had the MAIL been run, the answers would be one behind.
  assert.equal(codes(await client.command("RCPT TO:<b@example.net>")), "503 5.5.1");
  assert.match(await client.command("EHLO x"), /AUTH PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS$/);
});

test("STARTTLS forgets who the client said it was", async () => {
  const client = await session("trusted");
  assert.match(await client.startTls(), /^220 /);
  assert.equal(codes(await client.command(mail)), "503 5.5.1");
});

test("AUTH straight after STARTTLS is taken, and mail after it, which says so in its Received field", async () => {
  const client = await session("submission");
  assert.match(await client.startTls(), /^220 /);
  assert.equal(codes(await client.login("shop")), "235 2.7.0");
  assert.equal(
    codes(await client.send("a@example.com", ["b@example.net"], "From: a@example.com\r\n\r\nx")),
    "250 2.6.0",
  );
  const received = bed.spool.kept.at(-1)?.message.header.toString().split("\r\n").slice(0, 2).join("");
  assert.match(received ?? "", /^Received: from unknown \(\[127\.0\.0\.1\]\)\tby relay\.example\.com with ESMTPSA id /);
});

test("before STARTTLS, and inside implicit TLS, AUTH still needs a name first", async () => {
  const client = await bed.connect("submissions");
  await client.reply();
  assert.equal(codes(await client.login("shop")), "503 5.5.1");
});

test("mail to Postmaster alone goes to the postmaster of the relay's own name", async () => {
  const client = await session("pods");
  await client.command(mail);
  await client.command("RCPT TO:<Postmaster>");
  await client.command("DATA");
  assert.equal(codes(await client.command("From: a@example.com\r\n\r\nx\r\n.")), "250 2.6.0");
  assert.equal(bed.spool.kept.at(-1)?.recipients[0]?.address, "Postmaster@relay.example.com");
});

test("refusals without end finish a session with 421, and a message that is taken counts from the start again", async () => {
  const stranger = await session("plain");
  for (let count = 1; count <= 30; count += 1) assert.equal(codes(await stranger.command(mail)), "550 5.7.1");
  assert.equal(codes(await stranger.command(mail)), "421 4.7.0");
  await stranger.closed;
  const known = await session("pods");
  for (const most of [150, 150]) {
    for (let count = 1; count <= most; count += 1) assert.equal(codes(await known.command(rcpt)), "503 5.5.1");
    assert.equal(
      codes(await known.send("a@example.com", ["b@example.net"], "From: a@example.com\r\n\r\nx")),
      "250 2.6.0",
    );
  }
  for (let count = 1; count <= 200; count += 1) assert.equal(codes(await known.command(rcpt)), "503 5.5.1");
  assert.equal(codes(await known.command(rcpt)), "421 4.7.0");
});

test("a client that is told that the disk is full may ask as often as it likes", async () => {
  const client = await session("pods");
  bed.spool.full = true;
  try {
    for (let count = 1; count <= 250; count += 1) assert.equal(codes(await client.command(mail)), "452 4.3.1");
  } finally {
    bed.spool.full = false;
  }
  assert.equal(codes(await client.command(mail)), "250 2.1.0");
});

test("recipients beyond the limit are no errors of the client", async () => {
  const client = await session("pods");
  await client.command(mail);
  for (const name of ["b", "c", "d"]) await client.command(`RCPT TO:<${name}@example.net>`);
  for (let count = 1; count <= 250; count += 1) {
    assert.equal(codes(await client.command(`RCPT TO:<e${count}@example.net>`)), "452 4.5.3");
  }
  assert.match(await client.command("DATA"), /^354 /);
});

test("TLS 1.1 is refused", async () => {
  const { connect } = await import("node:tls");
  const port = bed.submission.addresses.get("submissions") ?? 0;
  const failed = Promise.withResolvers<string>();
  const ciphers = "DEFAULT@SECLEVEL=0";
  const socket = connect({
    port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    maxVersion: "TLSv1.1",
    minVersion: "TLSv1",
    ciphers,
  });
  socket.once("secureConnect", () => failed.resolve("connected"));
  socket.once("error", (error: Error & { readonly code?: string }) => failed.resolve(error.code ?? error.message));
  assert.match(await failed.promise, /ALERT_PROTOCOL_VERSION|ECONNRESET/);
  socket.destroy();
});

test("too many recipients are 452, and those before stay", async () => {
  const client = await session("pods");
  await client.command(mail);
  for (const name of ["b", "c", "d", "b"])
    assert.equal(codes(await client.command(`RCPT TO:<${name}@example.net>`)), "250 2.1.5");
  assert.equal(codes(await client.command("RCPT TO:<e@example.net>")), "452 4.5.3");
  assert.match(await client.command("DATA"), /^354 /);
  const reply = await client.command("From: a@example.com\r\n\r\nx\r\n.");
  assert.equal(codes(reply), "250 2.6.0");
  assert.equal(bed.spool.kept.at(-1)?.recipients.length, 3);
});

test("messages that came together, body and all, are each taken and answered", async () => {
  const client = await session("pods");
  const kept = bed.spool.kept.length;
  const replies = Array.from({ length: 50 }, () => [
    client.reply(),
    client.reply(),
    client.reply(),
    client.reply(),
  ]).flat();
  client.write(`${mail}\r\n${rcpt}\r\nDATA\r\nFrom: a@example.com\r\n\r\nx\r\n.\r\n`.repeat(50));
  const said = (await Promise.all(replies)).map((reply) => reply.slice(0, 3));
  assert.deepEqual(said, Array.from({ length: 50 }, () => ["250", "250", "354", "250"]).flat());
  assert.equal(bed.spool.kept.length - kept, 50);
});

test("a client that talks before the greeting is cut off, unless its network is trusted", async () => {
  const early = await bed.connect("smtp");
  const reply = early.reply();
  early.write("EHLO early\r\n");
  assert.equal(codes(await reply), "421 4.7.0");
  const known = await bed.connect("trusted");
  const greeting = known.reply();
  known.write("EHLO early\r\n");
  assert.match(await greeting, /^220 /);
});

test("replies to commands that came together leave together", async () => {
  const client = await session("pods");
  const last = [client.reply(), client.reply(), client.reply(), client.reply()].at(-1);
  const packets = client.packets;
  client.write(`${mail}\r\n${rcpt}\r\nRSET\r\nNOOP\r\n`);
  assert.equal(await last, "250 2.0.0 OK");
  assert.equal(client.packets - packets, 1);
});

test("every refusal is counted with its listener and codes", async () => {
  const already = bed.refusals.length;
  const client = await session("plain");
  await client.command(mail);
  await client.command("WHAT");
  assert.deepEqual(bed.refusals.slice(already), ["plain 550 5.7.1", "plain 500 5.5.1"]);
});

/** Connects so often and resets each connection, while this process waits for it and accepts none. */
const comeAndReset = (port: number, times: number): string => `
  const { connect } = require("node:net");
  for (let count = 0; count < ${times}; count += 1) {
    const socket = connect(${port}, "127.0.0.1", () => socket.resetAndDestroy());
    socket.on("error", () => undefined);
  }`;

test("a connection that was reset before it was accepted begins no session", async () => {
  const opened = bed.connectionsBegun();
  const { status } = spawnSync(process.execPath, [
    "--eval",
    comeAndReset(bed.submission.addresses.get("plain") ?? 0, 20),
  ]);
  assert.equal(status, 0);
  await session("plain");
  assert.equal(bed.connectionsBegun() - opened, 1, "that of who came after them");
});
