/** How a session is opened, and left: what a hop says before the first message, and what it is told at the end. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import type { SmarthostDocument } from "../../../api/relayconfig.ts";
import { makeCertificate } from "../../../test/support/keys.ts";
import { until } from "../../../test/support/until.ts";
import { judge } from "../../delivery/policy/failure.ts";
import {
  replyAndSilence,
  startHop,
  usualExtensions,
  type Script,
  type ScriptedHop,
} from "../../../test/support/scriptedhop.ts";
import type { Outgoing } from "./transaction.ts";
import { ConnectError, openConnection, patience, type NextHopConnection, type Patience } from "./transport.ts";
import { PlainHosts } from "./plainhosts.ts";

const directory = mkdtempSync(join(tmpdir(), "mailboat-opening-"));
let tls: { readonly key: string; readonly cert: string };

before(() => {
  const { certificate, privateKey } = makeCertificate(directory, "hop.test");
  tls = { cert: certificate, key: privateKey };
});
after(() => rmSync(directory, { recursive: true, force: true }));

async function hopFor(t: TestContext, script: Script): Promise<ScriptedHop> {
  const hop = await startHop(script);
  t.after(() => hop.close());
  return hop;
}

interface Dial {
  readonly smarthost?: Partial<SmarthostDocument>;
  readonly times?: Partial<Patience>;
  readonly plainHosts?: PlainHosts;
}

async function connectionTo(t: TestContext, hop: ScriptedHop, dial: Dial = {}): Promise<NextHopConnection> {
  const smarthost = { host: "localhost", port: hop.port, tlsMode: "None" as const, ...dial.smarthost };
  const to = { key: "hop", smarthost, address: "127.0.0.1", helo: "relay.test" };
  const connection = await openConnection(to, { ...patience, ...dial.times }, dial.plainHosts);
  t.after(() => connection.destroy());
  return connection;
}

function mail(changes: Partial<Outgoing> = {}): Outgoing {
  const head = Buffer.from("Subject: hello\r\n\r\n");
  const body = Buffer.from("one\r\n");
  const recipients = [{ address: "a@example.net" }];
  const usual = { sender: "s@example.com", recipients, smtpUtf8: false, eightBit: false, head, body };
  return { ...usual, sizeBytes: head.length + body.length, ...changes };
}

const eightBit: Partial<Outgoing> = { eightBit: true };
const utf8: Partial<Outgoing> = { smtpUtf8: true, head: Buffer.from("Subject: grüße\r\n\r\n") };

async function fateOf(connection: NextHopConnection, changes?: Partial<Outgoing>): Promise<string> {
  const [result] = (await connection.transact(mail(changes))).answers;
  if (result?.kind !== "trouble") return "delivered";
  const { kind, scope, reply } = judge(result.trouble);
  return `${kind} ${scope} ${reply.enhanced}`;
}

async function refusalOf(opened: Promise<NextHopConnection>): Promise<string> {
  const error = await opened.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConnectError, String(error));
  const { kind, scope, reply } = judge(error.trouble);
  return `${kind} ${scope} ${reply.enhanced}`;
}

function saysTo(verb: string, answer: string): NonNullable<Script["answer"]> {
  return (line) => (line.split(" ")[0] === verb ? answer : undefined);
}

const hellos: readonly { name: string; hello: string; mail?: Partial<Outgoing>; fate: string; command?: string }[] = [
  {
    name: "a greeting that talks of a size",
    hello: "250-mx.test Hello relay, message size 10 MB max\r\n250-SIZE 10485760\r\n250 8BITMIME",
    fate: "delivered",
    command: "MAIL FROM:<s@example.com> SIZE=23",
  },
  {
    name: "a greeting that is only words of extensions",
    hello: "250-mx.test PIPELINING SIZE 1 DSN 8BITMIME SMTPUTF8 STARTTLS AUTH PLAIN\r\n250 HELP",
    fate: "delivered",
    command: "MAIL FROM:<s@example.com>",
  },
  {
    name: "a greeting that is 8BITMIME",
    hello: "250-mx.test 8BITMIME\r\n250 HELP",
    mail: eightBit,
    fate: "failed message 5.6.3",
  },
  {
    name: "a greeting that is SMTPUTF8",
    hello: "250-mx.test SMTPUTF8\r\n250 8BITMIME",
    mail: utf8,
    fate: "failed message 5.6.7",
  },
  {
    name: "extensions as parameters of another",
    hello: "250-mx.test\r\n250-XFORWARD SIZE 1 DSN\r\n250-X-SIZE 2\r\n250 HELP 8BITMIME",
    mail: eightBit,
    fate: "failed message 5.6.3",
  },
  {
    name: "extensions in lower case",
    hello: "250-mx.test\r\n250-size 10485760\r\n250 8bitmime",
    mail: eightBit,
    fate: "delivered",
    command: "MAIL FROM:<s@example.com> SIZE=23 BODY=8BITMIME",
  },
  { name: "a SIZE that is no number", hello: "250-mx.test\r\n250 SIZE much", fate: "delivered" },
  { name: "a SIZE that is too small", hello: "250-mx.test\r\n250 SIZE 10", fate: "failed message 5.3.4" },
];

for (const row of hellos) {
  test(`a hop that answers EHLO with ${row.name}: ${row.fate}`, async (t) => {
    const hop = await hopFor(t, { answer: saysTo("EHLO", row.hello) });
    const connection = await connectionTo(t, hop);
    assert.equal(await fateOf(connection, row.mail), row.fate);
    const command = hop.sessions[0]?.lines.find((line) => line.startsWith("MAIL"));
    if (row.command !== undefined) assert.equal(command, row.command);
    if (row.fate === "delivered") assert.equal(hop.messages.length, 1);
  });
}

for (const answer of ["451 4.3.0 later", "450 busy", "502 5.5.1 what", "550 5.7.1 not you"]) {
  test(`a hop that answers EHLO with "${answer}" and then takes HELO has not said what it cannot do`, async (t) => {
    const hop = await hopFor(t, { answer: saysTo("EHLO", answer) });
    const plain = await connectionTo(t, hop);
    assert.equal(await fateOf(plain), "delivered");
    assert.deepEqual(hop.sessions[0]?.lines.slice(0, 3), [
      "EHLO relay.test",
      "HELO relay.test",
      "MAIL FROM:<s@example.com>",
    ]);
    assert.equal(await fateOf(plain, eightBit), "deferred host 4.6.3");
    assert.equal(plain.alive, false, "the next session may begin with an answer");
    assert.equal(await fateOf(await connectionTo(t, hop), utf8), "deferred host 4.6.7");
    assert.equal(hop.messages.length, 1);
    await until("QUIT", () => hop.sessions.every(({ lines }) => lines.at(-1) === "QUIT"));
  });
}

const offersTls = ["STARTTLS", "AUTH PLAIN", ...usualExtensions];
const credentials = { username: "u", password: "p" };

const refusals: readonly {
  name: string;
  script: Script;
  smarthost?: () => Partial<SmarthostDocument>;
  verdict: string;
}[] = [
  { name: "a greeting of 554", script: { answer: saysTo("CONNECT", "554 5.7.1 no") }, verdict: "deferred host 4.3.2" },
  { name: "a greeting of 450", script: { answer: saysTo("CONNECT", "450 4.7.0 no") }, verdict: "deferred host 4.7.0" },
  {
    name: "a refusal of EHLO and HELO",
    script: { answer: (line) => (/^(?:EHLO|HELO)/.test(line) ? "550 5.7.1 no" : undefined) },
    verdict: "deferred host 4.3.2",
  },
  {
    name: "a refusal of STARTTLS",
    script: { extensions: offersTls, answer: saysTo("STARTTLS", "454 4.7.0 not now") },
    smarthost: () => ({ tlsMode: "Required" }),
    verdict: "deferred host 4.7.5",
  },
  {
    name: "a refusal of AUTH",
    script: { extensions: offersTls, answer: saysTo("AUTH", "535 5.7.8 who") },
    smarthost: () => ({ tlsMode: "Required", ca: tls.cert, credentials }),
    verdict: "deferred host 4.7.8",
  },
  {
    name: "a temporary refusal of AUTH",
    script: { extensions: offersTls, answer: saysTo("AUTH", "454 4.7.0 later") },
    smarthost: () => ({ tlsMode: "Required", ca: tls.cert, credentials }),
    verdict: "deferred host 4.7.0",
  },
  {
    name: "no TLS for a password",
    script: {},
    smarthost: () => ({ credentials }),
    verdict: "deferred host 4.7.0",
  },
];

for (const row of refusals) {
  test(`after ${row.name} the hop is told QUIT`, async (t) => {
    const hop = await hopFor(t, { tls, ...row.script });
    assert.equal(await refusalOf(connectionTo(t, hop, { smarthost: row.smarthost?.() ?? {} })), row.verdict);
    await until("QUIT", () => hop.sessions[0]?.lines.at(-1) === "QUIT");
    await until("the end of the connection", () => hop.openConnections === 0);
    assert.equal(hop.sessions.length, 1);
  });
}

for (const verb of ["CONNECT", "EHLO", "STARTTLS", "AUTH"]) {
  for (const answer of ["close", "421 4.3.2 bye"]) {
    test(`a hop that answers ${verb} with "${answer}" is in trouble itself`, async (t) => {
      const hop = await hopFor(t, { tls, extensions: offersTls, answer: saysTo(verb, answer) });
      const smarthost = { tlsMode: "Required" as const, ca: tls.cert, credentials };
      assert.match(await refusalOf(connectionTo(t, hop, { smarthost })), /^deferred host /);
    });
  }
}

test("a hop that takes STARTTLS and falls silent costs its time once, and gets its mail in the clear", async (t) => {
  let now = 0;
  const plainHosts = new PlainHosts({ now: () => now });
  const hop = await hopFor(t, { tls, extensions: offersTls, answer: saysTo("STARTTLS", replyAndSilence) });
  const dial: Dial = { smarthost: { tlsMode: "Opportunistic" }, times: { handshakeMs: 100 }, plainHosts };
  assert.equal(await fateOf(await connectionTo(t, hop, dial)), "delivered");
  assert.equal(hop.sessions.length, 2);
  assert.equal(await fateOf(await connectionTo(t, hop, dial)), "delivered");
  assert.equal(hop.sessions.length, 3, "it was tried again at once");
  assert.ok(!hop.sessions[2]?.lines.includes("STARTTLS"));
  now += 3_600_000;
  assert.equal(await fateOf(await connectionTo(t, hop, dial)), "delivered");
  assert.ok(hop.sessions[3]?.lines.includes("STARTTLS"), "it was never tried again");
});

test("a hop that has to close at STARTTLS gets no mail in the clear, and is asked for TLS the next time", async (t) => {
  const plainHosts = new PlainHosts({ now: () => 0 });
  let isClosing = false;
  let closes = true;
  const answer = (line: string): string | undefined => {
    if (isClosing) return "close";
    if (line !== "STARTTLS") return undefined;
    isClosing = closes;
    return closes ? "421 4.3.2 closing" : replyAndSilence;
  };
  const hop = await hopFor(t, { tls, extensions: offersTls, answer });
  const dial: Dial = { smarthost: { tlsMode: "Opportunistic" }, plainHosts };
  assert.match(await refusalOf(connectionTo(t, hop, dial)), /^deferred host /);
  assert.equal(hop.sessions.length, 1);
  isClosing = closes = false;
  await fateOf(await connectionTo(t, hop, { ...dial, times: { handshakeMs: 100 } }));
  assert.ok(hop.sessions[1]?.lines.includes("STARTTLS"));
});

test("a hop that falls silent in the handshake is deferred where TLS is required", async (t) => {
  const hop = await hopFor(t, { tls, extensions: offersTls, answer: saysTo("STARTTLS", replyAndSilence) });
  const dial: Dial = { smarthost: { tlsMode: "Required", ca: tls.cert }, times: { handshakeMs: 100 } };
  assert.equal(await refusalOf(connectionTo(t, hop, dial)), "deferred host 4.7.5");
  assert.equal(hop.sessions.length, 1);
});

test("a hop that is silent where TLS is meant from the first octet is deferred for that", async (t) => {
  const hop = await hopFor(t, { answer: saysTo("CONNECT", "silence") });
  const dial: Dial = { smarthost: { tlsMode: "Implicit", ca: tls.cert }, times: { connectMs: 200 } };
  assert.equal(await refusalOf(connectionTo(t, hop, dial)), "deferred host 4.7.5");
});

test("a handshake has thirty seconds, and a greeting five minutes", () => {
  assert.deepEqual([patience.connectMs, patience.handshakeMs, patience.greetingMs], [30_000, 30_000, 300_000]);
});

test("a hop that never greets, or never answers EHLO, is given up after its time", async (t) => {
  const mute = await hopFor(t, { answer: saysTo("CONNECT", "silence") });
  assert.equal(await refusalOf(connectionTo(t, mute, { times: { greetingMs: 100 } })), "deferred host 4.4.2");
  const deaf = await hopFor(t, { answer: saysTo("EHLO", "silence") });
  assert.equal(await refusalOf(connectionTo(t, deaf, { times: { commandMs: 100 } })), "deferred host 4.4.2");
});

test("what a hop says in the clear after it took STARTTLS counts for nothing", async (t) => {
  const injected = "220 2.0.0 go\r\n250-evil.test\r\n250 SIZE 1";
  const hop = await hopFor(t, { tls, extensions: offersTls, answer: saysTo("STARTTLS", injected) });
  const connection = await connectionTo(t, hop, { smarthost: { tlsMode: "Required", ca: tls.cert } });
  assert.equal(await fateOf(connection, eightBit), "delivered");
  assert.equal(hop.sessions[0]?.secure, true);
  assert.equal(
    hop.sessions[0].lines.filter((line) => line.startsWith("EHLO")).length,
    2,
    "the answer to EHLO came from before TLS",
  );
});

test("what a hop offered before TLS counts no more inside it", async (t) => {
  let hellosSoFar = 0;
  const hop = await hopFor(t, {
    tls,
    answer: (line) => {
      if (!line.startsWith("EHLO")) return undefined;
      hellosSoFar += 1;
      return hellosSoFar === 1
        ? "250-hop.test\r\n250-STARTTLS\r\n250-8BITMIME\r\n250 SIZE 1"
        : "250-hop.test\r\n250 HELP";
    },
  });
  const connection = await connectionTo(t, hop, { smarthost: { tlsMode: "Required", ca: tls.cert } });
  assert.equal(await fateOf(connection, eightBit), "failed message 5.6.3");
  assert.equal(await fateOf(connection), "delivered");
});
