import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveryBench, hopFor, messagesOf } from "../../test/support/deliverybench.ts";
import {
  domainSettingsOf,
  newMessage,
  relayDocumentOf,
  smarthostAt,
  snapshotOf,
} from "../../test/support/relayvalues.ts";
import { MemorySpool } from "../../test/support/memoryspool.ts";

test("delivery sends a fresh message signed, tells the spool and logs it", async (t) => {
  const hop = await hopFor(t);
  const { spool, lines, delivery } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  await spool.commit(newMessage());
  await spool.settled(1);
  await delivery.close(10_000);
  assert.equal(spool.queuedMessages, 0);
  assert.match(String(hop.messages[0]?.raw), /^DKIM-Signature: v=1; a=ed25519-sha256; .* d=example.com;/);
  assert.deepEqual(messagesOf(lines), ["delivered"]);
  const { recipientDomain, attempt, code, enhanced, nextHop } = lines[0] ?? {};
  assert.deepEqual(
    { recipientDomain, attempt, code, enhanced, nextHop },
    { recipientDomain: "example.net", attempt: 1, code: 250, enhanced: "2.0.0", nextHop: "127.0.0.1" },
  );
});

test("delivery takes what waits in the spool at the start, through a small window, over few connections", async (t) => {
  const hop = await hopFor(t);
  const spool = new MemorySpool();
  for (let count = 0; count < 250; count += 1) spool.add(newMessage());
  const window = { messages: 20, recipients: 1_000, bytes: 1 << 20, inFlight: 8, inFlightPerRoute: 6 };
  deliveryBench(t, { spool, window, delivery: { smarthosts: [smarthostAt(hop.port)] } });
  await spool.settled(250);
  assert.equal(hop.messages.length, 250);
  assert.ok(hop.sessions.length <= 9, `${hop.sessions.length} connections`);
});

test("delivery takes at once what comes due between two questions to the spool", async (t) => {
  const hop = await hopFor(t);
  let now = 999;
  class AgeingSpool extends MemorySpool {
    /** A timer that fires a moment early asks before the message is due, and hears of it afterwards. */
    override async nextDueAt(): Promise<number | undefined> {
      now = 1001;
      return super.nextDueAt();
    }
  }
  const spool = new AgeingSpool();
  spool.add({ ...newMessage(), dueAt: 1000 });
  const startedAt = performance.now();
  deliveryBench(t, { spool, clock: { now: () => now }, delivery: { smarthosts: [smarthostAt(hop.port)] } });
  await spool.settled(1);
  assert.ok(performance.now() - startedAt < 1000, "it waited for the pause after trouble");
});

test("delivery retries a deferred recipient, bounces a refused one and sends nothing twice", async (t) => {
  let tries = 0;
  const answer = (line: string): string | undefined => {
    if (line.startsWith("RCPT TO:<gone@")) return "550 5.1.1 gone@example.net is no user here";
    if (line.startsWith("RCPT TO:<later@") && (tries += 1) < 3) return "451 4.2.0 not now";
    return undefined;
  };
  const hop = await hopFor(t, { answer });
  const { spool, lines, delivery } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  const addresses = ["now@example.net", "gone@example.net", "later@example.net"];
  await spool.commit(
    newMessage(
      { envid: "e+2B1" },
      addresses.map((address) => ({ address })),
    ),
  );
  await hop.received(3);
  await spool.settled(4);
  await delivery.close(10_000);
  assert.equal(spool.queuedMessages, 0);
  const recipients = hop.messages.flatMap((message) =>
    message.recipients.map((line) => /<(.*?)>/.exec(line)?.[1] ?? ""),
  );
  assert.deepEqual(recipients.toSorted(), ["later@example.net", "now@example.net", "sender@example.com"]);
  const notice = String(hop.messages.find((message) => message.mail.startsWith("MAIL FROM:<>"))?.raw);
  assert.match(notice, /^DKIM-Signature: .*\r\n(?:.*\r\n)*From: Mail Delivery System <postmaster@example.com>\r\n/);
  assert.match(notice, /Final-Recipient: rfc822; gone@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n/);
  assert.match(notice, /Original-Envelope-Id: e\+1\r\n/);
  const transitions = messagesOf(lines).toSorted((a, b) => a.localeCompare(b));
  const expected = ["bounced", "deferred", "deferred", "delivered", "delivered", "delivered", "failed"];
  // The notice begins a life of its own.
  assert.deepEqual(transitions, ["accepted", ...expected]);
  assert.ok(!lines.some((line) => /(?:gone|later|now|sender)@/.test(JSON.stringify(line))));
});

test("delivery goes to the second smarthost at once when the first is down", async (t) => {
  const down = await hopFor(t);
  await down.close();
  const hop = await hopFor(t);
  const { spool } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(1), smarthostAt(hop.port)] } });
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(spool.written[0]?.outcomes[0]?.kind, "delivered");
});

test("delivery goes to the second smarthost when the first refuses our login or closes with 421", async (t) => {
  const first = await hopFor(t, { answer: (line) => (line.startsWith("MAIL") ? "421 4.3.2 going down" : undefined) });
  const second = await hopFor(t);
  const smarthosts = [smarthostAt(first.port), smarthostAt(second.port)];
  const { spool } = deliveryBench(t, { delivery: { smarthosts } });
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(spool.written[0]?.outcomes[0]?.kind, "delivered");
  assert.equal(second.messages.length, 1);
});

test("delivery never sends a message of a domain without a usable key", async (t) => {
  const hop = await hopFor(t);
  const retry = { firstMs: 60_000, maxMs: 60_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 1 };
  const delivery = { smarthosts: [smarthostAt(hop.port)], retry };
  const { spool } = deliveryBench(t, { delivery, domains: [domainSettingsOf("example.com", {}, [])] });
  await spool.commit(newMessage());
  await spool.settled(1);
  const outcome = spool.written[0]?.outcomes[0];
  assert.equal(outcome?.kind, "deferred");
  assert.equal(outcome.reply.enhanced, "4.7.0");
  assert.equal(hop.sessions.length, 0);
});

test("delivery fails and bounces a message whose time is up, with status 4.4.7", async (t) => {
  const hop = await hopFor(t, { answer: (line) => (line.startsWith("RCPT TO:<rcpt") ? "451 4.2.0 no" : undefined) });
  const { spool } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  await spool.commit(newMessage({ acceptedAt: Date.now() - 3_600_001 }));
  await hop.received(1);
  assert.equal(spool.written[0]?.outcomes[0]?.kind, "failed");
  assert.match(String(hop.messages[0]?.raw), /Action: failed\r\nStatus: 4.4.7\r\n/);
});

test("delivery writes an outcome that the spool refused again, and sends the message once", async (t) => {
  const hop = await hopFor(t);
  const { spool } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  spool.settleErrors.push(new Error("disk trouble"));
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(hop.messages.length, 1);
  await spool.commit(newMessage());
  await spool.settled(2);
});

test("delivery streams a body that the spool keeps as a file", async (t) => {
  const hop = await hopFor(t);
  const { spool } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  const bytes = Buffer.from("..line\r\n".repeat(100_000));
  const fresh = newMessage({ body: { kind: "file", sizeBytes: bytes.length } });
  spool.bodies.set(fresh.message.id, bytes);
  await spool.commit(fresh);
  await spool.settled(1);
  assert.ok(hop.messages[0]?.raw.includes(`\r\n\r\n...line\r\n...line\r\n`));
});

test("delivery follows a route that changed while the message waited for its retry", async (t) => {
  const first = await hopFor(t, { answer: (line) => (line.startsWith("RCPT") ? "450 4.2.0 later" : undefined) });
  const second = await hopFor(t);
  const { spool, configure } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(first.port)] } });
  await spool.commit(newMessage());
  await spool.settled(1);
  const own = domainSettingsOf("example.com", { smarthosts: [smarthostAt(second.port)] });
  configure(snapshotOf(relayDocumentOf({ smarthosts: [smarthostAt(first.port)] }), [own]));
  await spool.settled(2);
  assert.equal(spool.written.at(-1)?.outcomes[0]?.kind, "delivered");
});
