/** What the real program refuses, over the wire, on each of its listeners, with its enhanced code. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { user, type RelayPlan } from "../support/configuration.ts";
import { type WireClient, openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";

const limits = { messageSizeBytes: 20_000, recipients: 3 };
const listeners: RelayPlan["listeners"] = [
  { name: "submission", port: 0, tlsMode: "StartTLS", authentication: "Required", trustedNetworks: [] },
  { name: "submissions", port: 0, tlsMode: "Implicit", authentication: "Required", trustedNetworks: [] },
  { name: "smtp", port: 0, tlsMode: "StartTLS", authentication: "Optional", trustedNetworks: [] },
  { name: "internal", port: 0, tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] },
];

const mail = `MAIL FROM:<${sender}>`;
const rcpt = (name: string): string => `RCPT TO:<${name}@example.org>`;
const plain = (password: string): string =>
  `AUTH PLAIN ${Buffer.from(`\0${user.name}\0${password}`).toString("base64")}`;

interface Row {
  readonly name: string;
  readonly lines: readonly string[];
  /** Code and enhanced code of the reply to the last line. */
  readonly reply: string;
}

/** Before STARTTLS, where there is one. */
const inClear: readonly Row[] = [
  { name: "MAIL before TLS", lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL before TLS and after RSET", lines: ["RSET", mail], reply: "530 5.7.0" },
  { name: "MAIL before TLS and after HELO", lines: ["HELO x", mail], reply: "530 5.7.0" },
  { name: "AUTH before TLS", lines: [plain(user.password)], reply: "538 5.7.11" },
];

/** Inside TLS, nobody yet. */
const unauthenticated: readonly Row[] = [
  { name: "MAIL before AUTH", lines: [mail], reply: "530 5.7.0" },
  { name: "MAIL before AUTH and after RSET", lines: ["RSET", mail], reply: "530 5.7.0" },
  { name: "MAIL of nobody before AUTH", lines: ["MAIL FROM:<>"], reply: "530 5.7.0" },
  { name: "a wrong password", lines: [plain("wrong")], reply: "535 5.7.8" },
  { name: "MAIL after a wrong password", lines: [plain("wrong"), mail], reply: "530 5.7.0" },
  { name: "MAIL after a wrong password and RSET", lines: [plain("wrong"), "RSET", mail], reply: "530 5.7.0" },
];

/** From a client that may send. */
const admitted: readonly Row[] = [
  { name: "a foreign domain in the envelope", lines: ["MAIL FROM:<app@foreign.example>"], reply: "550 5.7.1" },
  { name: "a size that is too large", lines: [`${mail} SIZE=20001`], reply: "552 5.3.4" },
  { name: "an unknown parameter of MAIL", lines: [`${mail} X-FLAG=1`], reply: "555 5.5.4" },
  { name: "an unknown parameter of RCPT", lines: [mail, `${rcpt("a")} X-FLAG=1`], reply: "555 5.5.4" },
  { name: "too many recipients", lines: [mail, rcpt("a"), rcpt("b"), rcpt("c"), rcpt("d")], reply: "452 4.5.3" },
  { name: "an unknown command", lines: ["XPLODE now"], reply: "500 5.5.1" },
  { name: "a line that is too long", lines: [`NOOP ${"x".repeat(4_000)}`], reply: "500 5.5.2" },
  { name: "RCPT before MAIL", lines: [rcpt("a")], reply: "503 5.5.1" },
  { name: "RCPT after RSET", lines: [mail, "RSET", rcpt("a")], reply: "503 5.5.1" },
];

const messages: readonly { readonly name: string; readonly message: Buffer; readonly reply: string }[] = [
  { name: "a foreign domain in the header", message: simpleMessage("x", "app@foreign.example"), reply: "550 5.7.1" },
  {
    name: "two From fields",
    message: Buffer.from(`From: ${sender}\r\nFrom: ${sender}\r\n\r\nx\r\n`),
    reply: "550 5.6.0",
  },
  { name: "two domains in From", message: simpleMessage("x", `${sender}, app@foreign.example`), reply: "550 5.6.0" },
  { name: "no From", message: Buffer.from("Subject: x\r\n\r\nx\r\n"), reply: "550 5.6.0" },
  {
    name: "a message that is too large",
    message: simpleMessage("x", sender, "y\r\n".repeat(10_000)),
    reply: "552 5.3.4",
  },
  { name: "a bare LF", message: simpleMessage("x", sender, "one\ntwo\r\n"), reply: "550 5.6.0" },
];

test("refusals over the wire", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    plan: { limits, listeners },
    relay: { ports: { internal: 0 } },
  });
  const exchange = async (client: WireClient, row: Row): Promise<void> => {
    let last = "";
    for (const line of row.lines) {
      const reply = await client.command(line);
      last = `${reply.code} ${reply.text}`;
    }
    client.destroy();
    assert.ok(last.startsWith(`${row.reply} `), `${last} instead of ${row.reply}`);
  };
  const inTls = async (listener: { readonly name: string; readonly port: number }): Promise<WireClient> => {
    const client = await openSession(listener);
    if (listener.name !== "submissions") {
      assert.equal((await client.startTls()).code, 220);
      await client.command("EHLO client.example.net");
    }
    return client;
  };

  for (const { name, tlsMode } of listeners) {
    const listener = { name, port: stage.relay.port(name) };
    const open = (): Promise<WireClient> => openSession(listener, tlsMode === "None" ? undefined : user);
    for (const row of tlsMode === "StartTLS" ? inClear : []) {
      await t.test(`${name}: ${row.name} is ${row.reply}`, async () => exchange(await openSession(listener), row));
    }
    for (const row of tlsMode === "None" ? [] : unauthenticated) {
      await t.test(`${name}: ${row.name} is ${row.reply}`, async () => exchange(await inTls(listener), row));
    }
    for (const row of admitted) {
      await t.test(`${name}: ${row.name} is ${row.reply}`, async () => exchange(await open(), row));
    }
    for (const { name: what, message, reply } of messages) {
      await t.test(`${name}: ${what} is ${reply}`, async () => {
        const client = await open();
        const answer = await client.send(sender, ["a@example.org"], message);
        assert.ok(`${answer.code} ${answer.text}`.startsWith(`${reply} `), `${answer.code} ${answer.text}`);
        const good = await client.send(sender, ["a@example.org"], simpleMessage("good"));
        assert.equal(good.code, 250, good.text);
        client.destroy();
      });
    }
  }
  await onlyGoodOnesArrived(stage, listeners.length * messages.length);
});

/** After each refused message its session sent a good one: these and nothing else arrive. */
async function onlyGoodOnesArrived(stage: Stage, count: number): Promise<void> {
  await stage.hop.waitForMails(count);
  const subjects = new Set(
    stage.hop.mails.map((one) => /^Subject: (.*)\r$/m.exec(one.message.toString("latin1"))?.[1]),
  );
  assert.deepEqual([...subjects], ["good"]);
  assert.equal(stage.hop.mails.length, count);
}
