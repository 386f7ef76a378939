/** Quotas over the wire: what is refused, when and in which words, and that nobody gets past them side by side. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { openBed, type Bed, type DomainWish } from "../../test/support/submission.ts";
import { until } from "../../test/support/until.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";

const opened: Bed[] = [];
afterEach(async () => {
  for (const bed of opened.splice(0)) await bed.close();
});

/** A clock that stands: nothing comes back. */
async function bedOf(domains: Readonly<Record<string, DomainWish>>, time = { now: 1_000_000_000_000 }): Promise<Bed> {
  const trusting = Object.entries(domains).map(([name, wish]) => [name, { trustedNetworks: true, ...wish }] as const);
  const bed = await openBed(
    {
      listeners: [{ name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] }],
      limits: { recipients: 1000, messageSizeBytes: 1_000_000 },
      domains: Object.fromEntries(trusting),
    },
    { clock: { now: () => time.now } },
  );
  opened.push(bed);
  return bed;
}

async function session(bed: Bed): Promise<SmtpClient> {
  const client = await bed.connect("pods");
  await client.reply();
  await client.command("EHLO client.example");
  return client;
}

const message = (from = "a@example.com", body = "x"): string => `From: ${from}\r\n\r\n${body}\r\n`;
const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");

test("the message after the last that may go is refused at MAIL, with the limit, its field and when to come again", async () => {
  const time = { now: 1_000_000_000_000 };
  const bed = await bedOf({ "example.com": { limits: { messagesPerHour: 3 } } }, time);
  const client = await session(bed);
  for (let sent = 0; sent < 3; sent += 1) {
    assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message())), "250 2.6.0");
  }
  assert.equal(
    await client.command("MAIL FROM:<a@example.com>"),
    "450 4.7.1 example.com has sent what it may for now, 3 messages an hour (spec.limits.messagesPerHour); try again in 1200 s",
  );
  assert.deepEqual([bed.spool.kept.length, bed.exhausted], [3, ["example.com messages"]]);
  time.now += 1_200_000;
  assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message())), "250 2.6.0");
});

test("what is kept with each message is what was used up with it", async () => {
  const bed = await bedOf({
    "example.com": { limits: { messagesPerHour: 10, recipientsPerHour: 50, bytesPerHour: 100_000 } },
    "other.example": {},
  });
  const client = await session(bed);
  await client.send("a@example.com", ["b@example.net", "c@example.net"], message());
  await client.send("a@example.com", ["b@example.net"], message());
  await client.send("a@other.example", ["b@example.net"], message("a@other.example"));
  // With the line end before the dot.
  const size = Buffer.byteLength(message()) + 2;
  assert.deepEqual(bed.spool.quotas, [
    [{ key: "domain example.com", at: 1_000_000_000_000, messages: 1, recipients: 2, bytes: size }],
    [{ key: "domain example.com", at: 1_000_000_000_000, messages: 2, recipients: 3, bytes: 2 * size }],
    [],
  ]);
});

test("a recipient too many is refused at RCPT, and the message goes to the others", async () => {
  const bed = await bedOf({ "example.com": { limits: { recipientsPerHour: 2 } } });
  const client = await session(bed);
  await client.command("MAIL FROM:<a@example.com>");
  assert.equal(codes(await client.command("RCPT TO:<b@example.net>")), "250 2.1.5");
  assert.equal(codes(await client.command("RCPT TO:<b@example.net>")), "250 2.1.5", "named twice is one");
  assert.equal(codes(await client.command("RCPT TO:<c@example.net>")), "250 2.1.5");
  assert.match(await client.command("RCPT TO:<d@example.net>"), /^450 4\.7\.1 .* 2 recipients an hour .*in 1800 s$/);
  await client.command("DATA");
  assert.equal(codes(await client.command(`${message()}.`)), "250 2.6.0");
  assert.equal(bed.spool.kept[0]?.recipients.length, 2);
});

test("recipients of a message that is given up at the one too many are not used up", async () => {
  const bed = await bedOf({ "example.com": { limits: { recipientsPerHour: 2, messagesPerHour: 2 } } });
  const client = await session(bed);
  for (const end of ["RSET", "MAIL", "QUIT"]) {
    const other = end === "QUIT" ? await session(bed) : client;
    await other.command("MAIL FROM:<a@example.com>");
    const replies = [await other.command("RCPT TO:<b@example.net>"), await other.command("RCPT TO:<c@example.net>")];
    assert.deepEqual(replies.map(codes), ["250 2.1.5", "250 2.1.5"], end);
    assert.match(await other.command("RCPT TO:<d@example.net>"), /^450 4\.7\.1 /);
    await other.command(end === "MAIL" ? "EHLO client.example" : end);
  }
  assert.equal(codes(await client.send("a@example.com", ["b@example.net", "c@example.net"], message())), "250 2.6.0");
  assert.equal(bed.spool.kept.length, 1);
});

test("octets are refused at MAIL where SIZE tells, at the end where it does not, and for good when they never fit", async () => {
  const bed = await bedOf({ "example.com": { limits: { bytesPerHour: 70_000 } } });
  const client = await session(bed);
  assert.match(
    await client.command("MAIL FROM:<a@example.com> SIZE=70001"),
    /^552 5\.3\.4 .*spec\.limits\.bytesPerHour/,
  );
  const large = message("a@example.com", `${"y".repeat(900)}\r\n`.repeat(40));
  assert.equal(codes(await client.send("a@example.com", ["b@example.net"], large)), "250 2.6.0");
  assert.match(await client.command("MAIL FROM:<a@example.com> SIZE=40000"), /^450 4\.7\.1 .* 70000 octets an hour /);
  assert.match(await client.send("a@example.com", ["b@example.net"], large), /^450 4\.7\.1 /);
  assert.equal(bed.spool.kept.length, 1);
  assert.equal(bed.spool.open.size, 0);
  assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message())), "250 2.6.0");
});

test("it is the From field's domain that counts, also with an empty envelope sender and another's", async () => {
  const bed = await bedOf({ "example.com": { limits: { messagesPerHour: 2 } }, "other.example": {} });
  const client = await session(bed);
  assert.equal(codes(await client.send("", ["b@example.net"], message())), "250 2.6.0");
  assert.equal(codes(await client.send("a@other.example", ["b@example.net"], message())), "250 2.6.0");
  assert.match(await client.send("a@other.example", ["b@example.net"], message()), /^450 4\.7\.1 example\.com /);
  assert.equal(codes(await client.send("a@other.example", ["b@example.net"], message("a@other.example"))), "250 2.6.0");
});

test("what ends otherwise than in the spool is not used up", async () => {
  const bed = await bedOf({ "example.com": { limits: { messagesPerHour: 1 } }, "other.example": {} });
  const client = await session(bed);
  await client.command("MAIL FROM:<a@example.com>");
  await client.command("RSET");
  assert.match(await client.send("a@example.com", ["b@example.net"], message("a@nobody.example")), /^550 5\.7\.1 /);
  bed.spool.failure = new Error("disk I/O error");
  assert.match(await client.send("a@example.com", ["b@example.net"], message()), /^451 4\.3\.0 /);
  bed.spool.failure = undefined;
  const gone = await session(bed);
  await gone.command("MAIL FROM:<a@example.com>");
  assert.match(await client.command("MAIL FROM:<a@example.com>"), /^450 4\.7\.1 /, "it is held");
  gone.destroy();
  await until("the server to hear of it", async () =>
    (await client.send("a@example.com", ["b@example.net"], message())).startsWith("250 2.6.0"),
  );
});

test("forty clients side by side send as many messages as one may, and no other", async () => {
  const bed = await bedOf({ "example.com": { limits: { messagesPerHour: 25 } } });
  const clients = await Promise.all(Array.from({ length: 40 }, () => session(bed)));
  const replies = await Promise.all(
    clients.map((client) => client.send("a@example.com", ["b@example.net"], message())),
  );
  assert.equal(replies.filter((reply) => reply.startsWith("250")).length, 25);
  assert.equal(replies.filter((reply) => reply.startsWith("450 4.7.1 ")).length, 15);
  assert.equal(bed.spool.kept.length, 25);
});

test("a pipelined transaction that is refused at MAIL ends there, and the session goes on", async () => {
  const bed = await bedOf({ "example.com": { limits: { messagesPerHour: 1 } } });
  const client = await session(bed);
  await client.send("a@example.com", ["b@example.net"], message());
  const replies = [client.reply(), client.reply(), client.reply(), client.reply()];
  client.write("MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\nNOOP\r\n");
  assert.deepEqual(
    (await Promise.all(replies)).map((reply) => reply.slice(0, 3)),
    ["450", "503", "503", "250"],
  );
});

test("a tenant's namespace has one quota for all its domains, beside those of the domains", async () => {
  const shop: DomainWish = { tenantLimits: { messagesPerHour: 3 } };
  const bed = await bedOf({ "a.example": shop, "b.example": { ...shop, limits: { messagesPerHour: 1 } } });
  const client = await session(bed);
  const send = (domain: string): Promise<string> =>
    client.send(`x@${domain}`, ["b@example.net"], message(`x@${domain}`));
  assert.equal(codes(await send("b.example")), "250 2.6.0");
  assert.match(await send("b.example"), /^450 4\.7\.1 b\.example .*\(spec\.limits\.messagesPerHour\)/);
  assert.equal(codes(await send("a.example")), "250 2.6.0");
  assert.equal(codes(await send("a.example")), "250 2.6.0");
  assert.match(
    await send("a.example"),
    /^450 4\.7\.1 namespace shop .* 3 messages an hour \(limits of the relay's tenants entry shops: messagesPerHour\)/,
  );
});
