/** What a hop may do to a dialogue: talk out of turn, without end, too late or not at all. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { until } from "../../../test/support/until.ts";
import { judge } from "../../delivery/policy/failure.ts";
import { createPool } from "../../delivery/pool.ts";
import { silentMetrics } from "../../../test/support/relayvalues.ts";
import { startHop, type Script, type ScriptedHop } from "../../../test/support/scriptedhop.ts";
import type { Outgoing, TransactionReport } from "./transaction.ts";
import { openConnection, patience, type NextHopConnection, type NextHop, type Patience } from "./transport.ts";
import { longestReplyOctets } from "./replyreader.ts";

async function hopFor(t: TestContext, script: Script): Promise<ScriptedHop> {
  const hop = await startHop(script);
  t.after(() => hop.close());
  return hop;
}

function hopAt(port: number): NextHop {
  return { key: "hop", smarthost: { host: "127.0.0.1", port, tlsMode: "None" }, helo: "relay.test" };
}

async function connectionTo(t: TestContext, port: number, times: Partial<Patience> = {}): Promise<NextHopConnection> {
  const connection = await openConnection(hopAt(port), { ...patience, ...times });
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

function wordsOf({ answers }: TransactionReport): string {
  const [answer] = answers;
  if (answer?.kind !== "trouble") return "delivered";
  const { kind, scope, reply } = judge(answer.trouble);
  return `${kind} ${scope} ${reply.enhanced}: ${reply.text}`;
}

/** A hop of octets: greets, answers EHLO, and then does what `act` does with each chunk. */
async function rawHop(t: TestContext, act: (chunk: string, socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.write("220 raw.test\r\n");
    socket.on("data", (chunk: Buffer) => {
      const text = chunk.toString("latin1");
      if (text.startsWith("EHLO")) socket.write("250-raw.test\r\n250 PIPELINING\r\n");
      else act(text, socket);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

const taken = "250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n";

test("a reply that comes in advance is never taken for the next message's", async (t) => {
  const answer = (line: string): string | undefined =>
    line === "END" ? "250 2.0.0 taken\r\n250 2.0.0 and more\r\n354 go" : undefined;
  const hop = await hopFor(t, { answer });
  const connection = await connectionTo(t, hop.port);
  assert.equal(wordsOf(await connection.transact(mail())), "delivered");
  await until("the end of the connection", () => !connection.alive);
});

test("half a reply that comes in advance is not taken for the next message's either", async (t) => {
  const port = await rawHop(t, (chunk, socket) => {
    if (chunk.startsWith("MAIL")) socket.write(taken);
    else socket.write("250 2.0.0 taken\r\n250 2.0.0 al");
  });
  const connection = await connectionTo(t, port);
  assert.equal(wordsOf(await connection.transact(mail())), "delivered");
  await until("the end of the connection", () => !connection.alive);
});

test("consent that comes together with 354 is no delivery", async (t) => {
  const hop = await hopFor(t, { answer: (line) => (line === "DATA" ? "354 go\r\n250 2.0.0 taken" : undefined) });
  const connection = await connectionTo(t, hop.port);
  assert.match(wordsOf(await connection.transact(mail())), /^deferred /);
  assert.equal(connection.alive, false);
});

test("a hop that leaves out a reply loses the connection, because the next ones answer other commands", async (t) => {
  const port = await rawHop(t, (chunk, socket) => {
    if (chunk.startsWith("MAIL")) socket.write("250 2.1.0 ok\r\n354 go\r\n");
  });
  const connection = await connectionTo(t, port);
  assert.match(wordsOf(await connection.transact(mail())), /^deferred host 4\.4\.2/);
  assert.equal(connection.alive, false);
});

/** Answers as soon as octets of the message arrive. */
async function hastyHop(t: TestContext, reply: string): Promise<{ readonly port: number; readonly chunks: string[] }> {
  const chunks: string[] = [];
  const port = await rawHop(t, (chunk, socket) => {
    if (chunk.startsWith("MAIL")) socket.write(taken);
    else if (chunks.push(chunk) === 1) socket.write(reply);
  });
  return { port, chunks };
}

for (const [reply, words] of [
  ["250 2.0.0 taken\r\n", /^deferred host 4\.4\.2/],
  ["552 5.3.4 too large\r\n", /^failed message 5\.3\.4/],
] as const) {
  test(`"${reply.trim()}" in the middle of a message is no consent, and the rest is not sent`, async (t) => {
    const { port, chunks } = await hastyHop(t, reply);
    const connection = await connectionTo(t, port);
    const answered = Promise.withResolvers<void>();
    async function* body(): AsyncIterable<Buffer> {
      yield Buffer.from("the first half\r\n");
      await until("the first half", () => chunks.length > 0);
      setTimeout(answered.resolve, 100);
      await answered.promise;
      for (let count = 0; count < 50; count += 1) yield Buffer.from("the second half\r\n");
    }
    const report = await connection.transact(mail({ body }));
    assert.match(wordsOf(report), words);
    assert.equal(connection.alive, false);
    assert.ok(!chunks.join("").includes("\r\n.\r\n"), "the message was ended");
    assert.ok(!chunks.join("").includes("QUIT"), "QUIT would be a line of the message");
  });
}

for (const [name, piece] of [
  ["line", "x".repeat(4_096)],
  ["reply", "250-scanning\r\n".repeat(300)],
] as const) {
  test(`a ${name} without end costs the connection, not memory`, async (t) => {
    let sent = 0;
    const port = await rawHop(t, (chunk, socket) => {
      if (!chunk.startsWith("MAIL")) return;
      const talk = (): void => {
        while (!socket.destroyed && socket.writable) {
          sent += piece.length;
          if (!socket.write(piece)) return void socket.once("drain", talk);
        }
      };
      socket.write(name === "line" ? "250 " : "");
      talk();
    });
    const connection = await connectionTo(t, port);
    const words = wordsOf(await connection.transact(mail()));
    assert.match(words, new RegExp(`^deferred host 4\\.4\\.2.*more than ${longestReplyOctets} octets`));
    assert.equal(connection.alive, false);
    assert.ok(sent < 64 * 2 ** 20);
  });
}

test("a reply that trickles has the time of one reply, not of each line", async (t) => {
  const timers = new Set<NodeJS.Timeout>();
  t.after(() => timers.forEach((timer) => clearInterval(timer)));
  const port = await rawHop(t, (_chunk, socket) => {
    timers.add(setInterval(() => socket.writable && socket.write("250-wait\r\n"), 20));
  });
  const connection = await connectionTo(t, port, { commandMs: 300 });
  assert.match(wordsOf(await connection.transact(mail())), /^deferred host 4\.4\.2.*no reply within 0\.3 s/);
});

const waits: readonly (readonly [verb: string, time: keyof Patience, words: RegExp])[] = [
  ["MAIL", "commandMs", /^deferred host 4\.4\.2: connection lost after MAIL/],
  ["RCPT", "commandMs", /^deferred host 4\.4\.2: connection lost after RCPT/],
  ["DATA", "dataMs", /^deferred host 4\.4\.2: connection lost after DATA/],
  ["END", "endMs", /^deferred message 4\.4\.2: connection lost after the message was sent; it may arrive twice/],
];

for (const [verb, time, words] of waits) {
  test(`a hop that is silent after ${verb} is given up after its time`, async (t) => {
    const answer = (line: string): string | undefined => (line.startsWith(verb) ? "silence" : undefined);
    const hop = await hopFor(t, { extensions: [], answer });
    const connection = await connectionTo(t, hop.port, { [time]: 100 });
    assert.match(wordsOf(await connection.transact(mail())), words);
    assert.equal(connection.alive, false);
  });
}

test("a hop that takes no octets of the message is given up after the time for a block", async (t) => {
  const port = await rawHop(t, (chunk, socket) => {
    if (!chunk.startsWith("MAIL")) return;
    socket.write(taken);
    socket.pause();
  });
  const connection = await connectionTo(t, port, { blockMs: 200 });
  async function* body(): AsyncIterable<Buffer> {
    for (;;) yield Buffer.alloc(65_536, "x");
  }
  assert.match(wordsOf(await connection.transact(mail({ body }))), /^deferred host 4\.4\.2: connection lost while/);
});

test("times are those that RFC 5321 section 4.5.3.2 asks for at least", () => {
  const { commandMs, dataMs, blockMs, endMs } = patience;
  assert.deepEqual(
    [commandMs, dataMs, blockMs, endMs].map((ms) => ms / 60_000),
    [5, 2, 3, 10],
  );
});

test("a hop that talks on after QUIT is not listened to", async (t) => {
  let closed = false;
  const port = await rawHop(t, (chunk, socket) => {
    socket.on("close", () => (closed = true));
    if (!chunk.startsWith("QUIT")) return;
    const talk = (): void => {
      while (!socket.destroyed && socket.writable) if (!socket.write("250 and another thing\r\n")) break;
    };
    socket.on("drain", talk);
    talk();
  });
  const connection = await connectionTo(t, port);
  connection.quit();
  assert.equal(connection.alive, false);
  await until("the end of the connection", () => closed, 20_000);
});

test("a hop that does not answer QUIT is left all the same", async (t) => {
  const hop = await hopFor(t, { answer: (line) => (line === "QUIT" ? "silence" : undefined) });
  const connection = await connectionTo(t, hop.port);
  connection.quit();
  await until("the end of the connection", () => hop.openConnections === 0, 10_000);
});

test("a kept connection that the hop ends with 421 is not used again", async (t) => {
  const port = await rawHop(t, (chunk, socket) => {
    if (chunk.startsWith("MAIL")) socket.write(taken);
    else socket.write("250 2.0.0 taken\r\n421 4.4.2 idle for too long\r\n");
  });
  const connection = await connectionTo(t, port);
  assert.equal(wordsOf(await connection.transact(mail())), "delivered");
  await until("the end of the connection", () => !connection.alive);
});

const messages: readonly (readonly [what: string, answer: NonNullable<Script["answer"]>])[] = [
  ["refused after the final dot", (line) => (line === "END" ? "554 5.6.0 spam" : undefined)],
  ["put off after the final dot", (line) => (line === "END" ? "451 4.3.0 later" : undefined)],
  ["refused at DATA", (line) => (line === "DATA" ? "554 5.6.0 spam" : undefined)],
  ["refused at RCPT", (line) => (line.startsWith("RCPT") ? "550 5.1.1 no" : undefined)],
  [
    "refused at RCPT by a hop that takes DATA",
    (line) => (line.startsWith("RCPT") ? "550 5.1.1 no" : line === "DATA" ? "354 go" : undefined),
  ],
  ["refused at MAIL", (line) => (line.startsWith("MAIL") ? "550 5.7.1 no" : undefined)],
];

for (const [what, answer] of messages) {
  test(`twenty messages ${what} go over one connection`, async (t) => {
    const hop = await hopFor(t, { answer });
    const pool = createPool({ clock: { now: Date.now }, metrics: silentMetrics });
    t.after(() => pool.close());
    for (let count = 0; count < 20; count += 1) {
      const connection = await pool.acquire(hopAt(hop.port));
      assert.notEqual(wordsOf(await connection.transact(mail())), "delivered");
      pool.release(connection);
    }
    assert.equal(hop.sessions.length, 1);
    pool.close();
    await until("QUIT", () => hop.sessions[0]?.lines.at(-1) === "QUIT");
  });
}
