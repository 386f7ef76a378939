import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Readable } from "node:stream";
import type { SmarthostDocument } from "../../../api/relayconfig.ts";
import { judge } from "../../delivery/policy/failure.ts";
import { startHop, usualExtensions, type Script, type ScriptedHop } from "../../../test/support/scriptedhop.ts";
import type { HostAnswer } from "../../mail/hostanswer.ts";
import type { Outgoing } from "./transaction.ts";
import { ConnectError, openConnection, type NextHopConnection } from "./transport.ts";

async function hopFor(t: TestContext, script: Script): Promise<ScriptedHop> {
  const hop = await startHop(script);
  t.after(() => hop.close());
  return hop;
}

async function connectionTo(
  t: TestContext,
  hop: ScriptedHop,
  smarthost: Partial<SmarthostDocument> = {},
): Promise<NextHopConnection> {
  const full = { host: "127.0.0.1", port: hop.port, tlsMode: "None" as const, ...smarthost };
  const connection = await openConnection({ key: "hop", smarthost: full, helo: "relay.test" });
  t.after(() => connection.destroy());
  return connection;
}

function mail(changes: Partial<Outgoing> = {}): Outgoing {
  const head = Buffer.from("Subject: hello\r\n\r\n");
  const body = Buffer.from("one\r\n");
  const recipients = [{ address: "a@example.net" }, { address: "b@example.net" }];
  const usual = { sender: "s@example.com", recipients, smtpUtf8: false, eightBit: false, head, body };
  return { ...usual, sizeBytes: head.length + body.length, ...changes };
}

/** `delivered`, or what was decided and the enhanced code, for each recipient. */
function fates(answers: readonly HostAnswer[]): string[] {
  return answers.map((answer) => {
    if (answer.kind === "accepted") return "delivered";
    const { kind, scope, reply } = judge(answer.trouble);
    return `${kind} ${scope} ${reply.enhanced ?? ""}`;
  });
}

test("a connection sends MAIL, RCPT and DATA in one segment when PIPELINING is offered", async (t) => {
  const hop = await hopFor(t, {});
  const connection = await connectionTo(t, hop);
  const report = await connection.transact(mail());
  assert.deepEqual(fates(report.answers), ["delivered", "delivered"]);
  assert.deepEqual(hop.sessions[0]?.segments.slice(0, 2), [
    "EHLO relay.test\r\n",
    "MAIL FROM:<s@example.com> SIZE=23\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n",
  ]);
  assert.equal(hop.messages[0]?.raw.toString(), "Subject: hello\r\n\r\none\r\n.\r\n");
});

test("a connection waits for each reply when PIPELINING is not offered", async (t) => {
  const hop = await hopFor(t, { extensions: [] });
  const connection = await connectionTo(t, hop);
  const report = await connection.transact(mail());
  assert.deepEqual(fates(report.answers), ["delivered", "delivered"]);
  assert.deepEqual(hop.sessions[0]?.segments.slice(1, 5), [
    "MAIL FROM:<s@example.com>\r\n",
    "RCPT TO:<a@example.net>\r\n",
    "RCPT TO:<b@example.net>\r\n",
    "DATA\r\n",
  ]);
});

test("a connection gives each recipient its own NOTIFY and ORCPT, and MAIL its RET and ENVID", async (t) => {
  const hop = await hopFor(t, {});
  const connection = await connectionTo(t, hop);
  const recipients = [
    { address: "a@example.net", notify: ["SUCCESS", "FAILURE"] as const, orcpt: "rfc822;A+2Ba@example.net" },
    { address: "b@example.net", notify: ["NEVER"] as const },
    { address: "c@example.net" },
  ];
  await connection.transact(mail({ recipients, ret: "HDRS", envid: "x+2By" }));
  assert.deepEqual(hop.sessions[0]?.lines.slice(1, 5), [
    "MAIL FROM:<s@example.com> SIZE=23 RET=HDRS ENVID=x+2By",
    "RCPT TO:<a@example.net> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;A+2Ba@example.net",
    "RCPT TO:<b@example.net> NOTIFY=NEVER",
    "RCPT TO:<c@example.net>",
  ]);
});

test("a connection leaves DSN parameters out when the hop does not offer DSN", async (t) => {
  const hop = await hopFor(t, { extensions: ["PIPELINING"] });
  const connection = await connectionTo(t, hop);
  await connection.transact(
    mail({ recipients: [{ address: "a@x.test", notify: ["NEVER"] }], ret: "FULL", envid: "e" }),
  );
  assert.deepEqual(hop.sessions[0]?.lines.slice(1, 3), ["MAIL FROM:<s@example.com>", "RCPT TO:<a@x.test>"]);
});

const utf8Head = Buffer.from("Subject: grüße\r\n\r\n");
const carriage: readonly {
  name: string;
  extensions: readonly string[];
  mail: Partial<Outgoing>;
  fates: readonly string[];
  command?: string;
}[] = [
  {
    name: "refuses a message that needs SMTPUTF8 with 5.6.7 before MAIL",
    extensions: ["PIPELINING", "8BITMIME"],
    mail: { smtpUtf8: true, eightBit: true, head: utf8Head },
    fates: ["failed message 5.6.7", "failed message 5.6.7"],
  },
  {
    name: "refuses only the recipient that needs SMTPUTF8",
    extensions: ["PIPELINING"],
    mail: { smtpUtf8: true, recipients: [{ address: "jürgen@example.net" }, { address: "b@example.net" }] },
    fates: ["failed message 5.6.7", "delivered"],
    command: "MAIL FROM:<s@example.com>",
  },
  {
    name: "refuses an 8-bit body with 5.6.3 when the hop lacks 8BITMIME",
    extensions: ["PIPELINING", "SMTPUTF8"],
    mail: { eightBit: true },
    fates: ["failed message 5.6.3", "failed message 5.6.3"],
  },
  {
    name: "says BODY=8BITMIME and SMTPUTF8 when they are needed",
    extensions: usualExtensions,
    mail: { smtpUtf8: true, eightBit: true, head: utf8Head },
    fates: ["delivered", "delivered"],
    command: "MAIL FROM:<s@example.com> SIZE=23 BODY=8BITMIME SMTPUTF8",
  },
  {
    name: "does not say SMTPUTF8 for a message that does not need it",
    extensions: usualExtensions,
    mail: { smtpUtf8: true },
    fates: ["delivered", "delivered"],
    command: "MAIL FROM:<s@example.com> SIZE=23",
  },
  {
    name: "refuses with 5.3.4 what is larger than the hop's SIZE",
    extensions: ["SIZE 10"],
    mail: {},
    fates: ["failed message 5.3.4", "failed message 5.3.4"],
  },
];

for (const row of carriage) {
  test(`a connection ${row.name}`, async (t) => {
    const hop = await hopFor(t, { extensions: row.extensions });
    const connection = await connectionTo(t, hop);
    const report = await connection.transact(mail(row.mail));
    assert.deepEqual(fates(report.answers), row.fates);
    assert.equal(hop.sessions[0]?.lines[1], row.command);
    assert.equal(connection.alive, true);
  });
}

/** What the hop answers to the line that starts so, and what comes of it; each with and without PIPELINING. */
const refusals: readonly { line: string; answer: string; fates: readonly string[]; alive: boolean }[] = [
  { line: "RCPT TO:<a", answer: "550 5.1.1 no", fates: ["failed recipient 5.1.1", "delivered"], alive: true },
  { line: "RCPT TO:<a", answer: "450 4.2.1 later", fates: ["deferred recipient 4.2.1", "delivered"], alive: true },
  { line: "RCPT TO:<a", answer: "552 too many", fates: ["deferred recipient 4.5.3", "delivered"], alive: true },
  { line: "RCPT", answer: "550 5.1.1 no", fates: ["failed recipient 5.1.1", "failed recipient 5.1.1"], alive: true },
  { line: "MAIL", answer: "550 5.7.1 no", fates: ["failed message 5.7.1", "failed message 5.7.1"], alive: true },
  { line: "MAIL", answer: "452 4.3.1 full", fates: ["deferred host 4.3.1", "deferred host 4.3.1"], alive: true },
  { line: "DATA", answer: "554 5.7.1 no", fates: ["failed message 5.7.1", "failed message 5.7.1"], alive: true },
  { line: "DATA", answer: "250 2.0.0 what", fates: ["deferred message 4.5.0", "deferred message 4.5.0"], alive: false },
  { line: "END", answer: "554 5.6.0 spam", fates: ["failed message 5.6.0", "failed message 5.6.0"], alive: true },
  { line: "END", answer: "451 4.3.0 no", fates: ["deferred message 4.3.0", "deferred message 4.3.0"], alive: true },
  { line: "END", answer: "354 what", fates: ["deferred message 4.5.0", "deferred message 4.5.0"], alive: false },
  { line: "RCPT TO:<a", answer: "251 2.1.5 will forward", fates: ["delivered", "delivered"], alive: true },
  { line: "RCPT TO:<a", answer: "252 2.1.5 will try", fates: ["delivered", "delivered"], alive: true },
  { line: "RCPT TO:<a", answer: "551 5.1.6 <x@y.test>", fates: ["failed recipient 5.1.6", "delivered"], alive: true },
  {
    line: "END",
    answer: "250-scanning\r\n550 5.7.1 rejected",
    fates: ["failed message 5.7.1", "failed message 5.7.1"],
    alive: true,
  },
  { line: "RCPT TO:<a", answer: "250-hm\r\n550 5.1.1 no", fates: ["failed recipient 5.1.1", "delivered"], alive: true },
  {
    line: "END",
    answer: "250-ok\r\nwhat?\r\n250 ok",
    fates: ["deferred message 4.4.2", "deferred message 4.4.2"],
    alive: false,
  },
  { line: "MAIL", answer: "421 4.3.2 bye", fates: ["deferred host 4.3.2", "deferred host 4.3.2"], alive: false },
  { line: "RCPT TO:<b", answer: "421 4.3.2 bye", fates: ["deferred host 4.3.2", "deferred host 4.3.2"], alive: false },
  { line: "DATA", answer: "421 4.3.2 bye", fates: ["deferred host 4.3.2", "deferred host 4.3.2"], alive: false },
  { line: "END", answer: "421 4.3.2 bye", fates: ["deferred host 4.3.2", "deferred host 4.3.2"], alive: false },
  { line: "MAIL", answer: "close", fates: ["deferred host 4.4.2", "deferred host 4.4.2"], alive: false },
  { line: "RCPT TO:<b", answer: "close", fates: ["deferred host 4.4.2", "deferred host 4.4.2"], alive: false },
  { line: "MAIL", answer: "what?", fates: ["deferred host 4.4.2", "deferred host 4.4.2"], alive: false },
  { line: "RCPT TO:<b", answer: "99", fates: ["deferred host 4.4.2", "deferred host 4.4.2"], alive: false },
  { line: "END", answer: "what?", fates: ["deferred message 4.4.2", "deferred message 4.4.2"], alive: false },
  { line: "END", answer: "close", fates: ["deferred message 4.4.2", "deferred message 4.4.2"], alive: false },
];

for (const row of refusals) {
  for (const extensions of [usualExtensions, ["8BITMIME"]]) {
    const how = extensions.includes("PIPELINING") ? "pipelined" : "one by one";
    test(`a connection (${how}) answered "${row.answer}" to ${row.line} ends in ${row.fates.join(", ")}`, async (t) => {
      const answer = (line: string): string | undefined => (line.startsWith(row.line) ? row.answer : undefined);
      const hop = await hopFor(t, { extensions, answer });
      const connection = await connectionTo(t, hop);
      const report = await connection.transact(mail());
      assert.deepEqual(fates(report.answers), row.fates);
      assert.equal(connection.alive, row.alive);
      // What was answered positively goes out again on a connection that lives.
      if (row.alive) assert.equal((await connection.transact(mail())).answers.length, 2);
    });
  }
}

for (const refused of ["RCPT", "MAIL"]) {
  test(`a connection whose hop refuses ${refused} and takes DATA all the same sends a single dot, and is kept`, async (t) => {
    const answer = (line: string): string | undefined =>
      line.startsWith(refused) ? "550 5.1.1 no" : line === "DATA" ? "354 go on" : undefined;
    const hop = await hopFor(t, { answer });
    const connection = await connectionTo(t, hop);
    for (let count = 0; count < 3; count += 1) {
      const report = await connection.transact(mail());
      const fate = refused === "RCPT" ? "failed recipient 5.1.1" : "failed message 5.1.1";
      assert.deepEqual(fates(report.answers), [fate, fate]);
      assert.equal(connection.alive, true);
    }
    assert.deepEqual(new Set(hop.messages.map(({ raw }) => raw.toString())), new Set([".\r\n"]));
    assert.equal(hop.sessions.length, 1);
  });
}

test("a kept connection that died before MAIL was judged says that it was stale", async (t) => {
  const answer = (line: string, session: { number: number; lines: string[] }): string | undefined =>
    line.startsWith("MAIL") && session.lines.length > 3 ? "close" : undefined;
  const hop = await hopFor(t, { answer });
  const connection = await connectionTo(t, hop);
  assert.equal((await connection.transact(mail())).stale, false);
  assert.equal((await connection.transact(mail())).stale, true);
});

const bodies: readonly { name: string; body: string; sent: string }[] = [
  { name: "an empty body", body: "", sent: ".\r\n" },
  { name: "a body that is a dot", body: ".\r\n", sent: "..\r\n.\r\n" },
  { name: "dots at line starts", body: ".a\r\n..b\r\nc.\r\n.\r\n", sent: "..a\r\n...b\r\nc.\r\n..\r\n.\r\n" },
  { name: "a last line without end", body: "a\r\n.b", sent: "a\r\n..b\r\n.\r\n" },
  { name: "empty lines", body: "\r\n\r\n.\r\n\r\n", sent: "\r\n\r\n..\r\n\r\n.\r\n" },
];

for (const row of bodies) {
  test(`a connection sends ${row.name} whole, inline and in chunks of every size`, async (t) => {
    const hop = await hopFor(t, {});
    const connection = await connectionTo(t, hop);
    const bytes = Buffer.from(row.body);
    const head = Buffer.from("A: b\r\n\r\n");
    await connection.transact(mail({ head, body: bytes }));
    for (let size = 1; size <= Math.min(3, bytes.length); size += 1) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      await connection.transact(mail({ head, body: () => Readable.from(chunks) }));
    }
    assert.equal(hop.messages.length, 1 + Math.min(3, bytes.length));
    for (const message of hop.messages) assert.equal(message.raw.toString(), `A: b\r\n\r\n${row.sent}`);
  });
}

test("a connection streams a large body with its bytes unchanged", async (t) => {
  const hop = await hopFor(t, {});
  const connection = await connectionTo(t, hop);
  const chunk = Buffer.from(`${"x".repeat(62)}\r\n`.repeat(1_024));
  const body = (): Readable => Readable.from(Array.from({ length: 64 }, () => chunk));
  const report = await connection.transact(mail({ body, recipients: [{ address: "a@example.net" }] }));
  assert.deepEqual(fates(report.answers), ["delivered"]);
  assert.equal(hop.messages[0]?.raw.length, chunk.length * 64 + "Subject: hello\r\n\r\n.\r\n".length);
});

test("a body that cannot be read ends the connection, and the message is deferred, not cut short", async (t) => {
  const hop = await hopFor(t, {});
  const connection = await connectionTo(t, hop);
  async function* body(): AsyncIterable<Buffer> {
    yield Buffer.from("half of it\r\n");
    throw new Error("EIO");
  }
  const report = await connection.transact(mail({ body }));
  assert.deepEqual(fates(report.answers), ["deferred message 4.3.0", "deferred message 4.3.0"]);
  assert.equal(connection.alive, false);
  assert.equal(hop.messages.length, 0);
});

test("a hop that goes away while a body is streamed defers it for another host", async (t) => {
  const hop = await hopFor(t, {});
  const connection = await connectionTo(t, hop);
  async function* body(): AsyncIterable<Buffer> {
    yield Buffer.from("half of it\r\n");
    await hop.close();
    for (;;) yield Buffer.alloc(65_536, "x");
  }
  const report = await connection.transact(mail({ body }));
  assert.deepEqual(fates(report.answers), ["deferred host 4.4.2", "deferred host 4.4.2"]);
});

const openings: readonly { name: string; script: Script; verdict: string; smarthost?: Partial<SmarthostDocument> }[] = [
  { name: "554 for a greeting", script: { answer: greet("554 5.7.1 no") }, verdict: "deferred host 4.3.2" },
  { name: "421 for a greeting", script: { answer: greet("421 4.7.0 busy") }, verdict: "deferred host 4.7.0" },
  { name: "no greeting", script: { answer: greet("close") }, verdict: "deferred host 4.4.2" },
  {
    name: "no STARTTLS where TLS is required",
    script: { extensions: [], answer: (line) => (line === "STARTTLS" ? "502 5.5.1 what" : undefined) },
    smarthost: { tlsMode: "Required" },
    verdict: "deferred host 4.7.4",
  },
  {
    name: "a refused STARTTLS where TLS is required",
    script: { extensions: ["STARTTLS"], answer: (line) => (line === "STARTTLS" ? "454 4.7.0 not now" : undefined) },
    smarthost: { tlsMode: "Required" },
    verdict: "deferred host 4.7.5",
  },
  {
    name: "credentials and no TLS",
    script: { extensions: ["AUTH PLAIN"] },
    smarthost: { credentials: { username: "u", password: "p" } },
    verdict: "deferred host 4.7.0",
  },
];

function greet(answer: string): NonNullable<Script["answer"]> {
  return (line) => (line === "CONNECT" ? answer : undefined);
}

for (const row of openings) {
  test(`openConnection() with ${row.name} is ${row.verdict}`, async (t) => {
    const hop = await hopFor(t, row.script);
    const error = await connectionTo(t, hop, row.smarthost).catch((reason: unknown) => reason);
    assert.ok(error instanceof ConnectError);
    const { kind, scope, reply } = judge(error.trouble);
    assert.equal(`${kind} ${scope} ${reply.enhanced}`, row.verdict);
    assert.ok(!hop.sessions[0]?.lines.some((line) => line.startsWith("AUTH")));
  });
}

test("openConnection() to a closed port is a deferral for the host", async (t) => {
  const hop = await hopFor(t, {});
  await hop.close();
  const error = await connectionTo(t, { ...hop, port: 1 }).catch((reason: unknown) => reason);
  assert.ok(error instanceof ConnectError);
  assert.equal(judge(error.trouble).reply.enhanced, "4.4.1");
});
