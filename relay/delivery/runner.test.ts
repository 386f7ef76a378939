import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import type { RelayDocument } from "../../api/relayconfig.ts";
import { type Clock, systemChance, systemClock } from "../../runtime/clock.ts";
import type { Log } from "../../runtime/log.ts";
import type { DomainSettings, Snapshot } from "../config/snapshot.ts";
import { createJournal } from "../observe/journal.ts";
import { domainSettingsOf, newMessage, relayDocumentOf, silentMetrics, smarthostAt, snapshotOf } from "./fixtures.ts";
import { MemorySpool } from "./memoryspool.ts";
import { openDelivery, type Delivery } from "./runner.ts";
import type { Window } from "./schedule.ts";
import { startHop, type Script, type ScriptedHop } from "./scriptedhop.ts";

interface Bench {
  readonly spool: MemorySpool;
  readonly delivery: Delivery;
  readonly lines: Record<string, unknown>[];
  readonly configure: (snapshot: Snapshot) => void;
}

/** A log whose lines are kept as values. */
function keptLog(): { readonly log: Log; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { level: "debug" },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  return { log, lines };
}

async function hopFor(t: TestContext, script: Script = {}): Promise<ScriptedHop> {
  const hop = await startHop(script);
  t.after(() => hop.close());
  return hop;
}

interface BenchSettings {
  readonly delivery: Partial<RelayDocument["delivery"]>;
  readonly domains?: readonly DomainSettings[];
  readonly spool?: MemorySpool;
  readonly window?: Window;
  readonly clock?: Clock;
}

function benchFor(t: TestContext, settings: BenchSettings): Bench {
  const spool = settings.spool ?? new MemorySpool();
  const { log, lines } = keptLog();
  let snapshot = snapshotOf(relayDocumentOf(settings.delivery), settings.domains ?? [domainSettingsOf("example.com")]);
  const delivery = openDelivery({
    snapshots: { current: () => snapshot, lastError: undefined, onChange: () => undefined },
    spool,
    log,
    clock: settings.clock ?? systemClock,
    chance: systemChance,
    metrics: silentMetrics,
    journal: createJournal({ log, clock: systemClock }),
    ...(settings.window === undefined ? {} : { window: settings.window }),
  });
  t.after(() => delivery.close(0));
  return { spool, delivery, lines, configure: (next) => (snapshot = next) };
}

const messagesOf = (lines: readonly Record<string, unknown>[]): string[] => lines.map((line) => String(line["msg"]));

test("delivery sends a fresh message signed, tells the spool and logs it", async (t) => {
  const hop = await hopFor(t);
  const { spool, lines, delivery } = benchFor(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
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
  const window = { messages: 20, bytes: 1 << 20, inFlight: 8, inFlightPerRoute: 6 };
  benchFor(t, { spool, window, delivery: { smarthosts: [smarthostAt(hop.port)] } });
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
  benchFor(t, { spool, clock: { now: () => now }, delivery: { smarthosts: [smarthostAt(hop.port)] } });
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
  const { spool, lines, delivery } = benchFor(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
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
  const { spool } = benchFor(t, { delivery: { smarthosts: [smarthostAt(1), smarthostAt(hop.port)] } });
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(spool.settlements[0]?.outcomes[0]?.kind, "delivered");
});

test("delivery goes to the second smarthost when the first refuses our login or closes with 421", async (t) => {
  const first = await hopFor(t, { answer: (line) => (line.startsWith("MAIL") ? "421 4.3.2 going down" : undefined) });
  const second = await hopFor(t);
  const smarthosts = [smarthostAt(first.port), smarthostAt(second.port)];
  const { spool } = benchFor(t, { delivery: { smarthosts } });
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(spool.settlements[0]?.outcomes[0]?.kind, "delivered");
  assert.equal(second.messages.length, 1);
});

test("delivery never sends a message of a domain without a usable key", async (t) => {
  const hop = await hopFor(t);
  const retry = { firstMs: 60_000, maxMs: 60_000, expireAfterMs: 3_600_000, notifyDelayAfterMs: 1 };
  const delivery = { smarthosts: [smarthostAt(hop.port)], retry };
  const { spool } = benchFor(t, { delivery, domains: [domainSettingsOf("example.com", {}, [])] });
  await spool.commit(newMessage());
  await spool.settled(1);
  const outcome = spool.settlements[0]?.outcomes[0];
  assert.equal(outcome?.kind, "deferred");
  assert.equal(outcome.reply.enhanced, "4.7.0");
  assert.equal(hop.sessions.length, 0);
});

test("delivery fails and bounces a message whose time is up, with status 4.4.7", async (t) => {
  const hop = await hopFor(t, { answer: (line) => (line.startsWith("RCPT TO:<rcpt") ? "451 4.2.0 no" : undefined) });
  const { spool } = benchFor(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  await spool.commit(newMessage({ acceptedAt: Date.now() - 3_600_001 }));
  await hop.received(1);
  assert.equal(spool.settlements[0]?.outcomes[0]?.kind, "failed");
  assert.match(String(hop.messages[0]?.raw), /Action: failed\r\nStatus: 4.4.7\r\n/);
});

test("delivery writes an outcome that the spool refused again, and sends the message once", async (t) => {
  const hop = await hopFor(t);
  const { spool } = benchFor(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  spool.settleErrors.push(new Error("disk trouble"));
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(hop.messages.length, 1);
  await spool.commit(newMessage());
  await spool.settled(2);
});

test("delivery streams a body that the spool keeps as a file", async (t) => {
  const hop = await hopFor(t);
  const { spool } = benchFor(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
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
  const { spool, configure } = benchFor(t, { delivery: { smarthosts: [smarthostAt(first.port)] } });
  await spool.commit(newMessage());
  await spool.settled(1);
  const own = domainSettingsOf("example.com", { smarthosts: [smarthostAt(second.port)] });
  configure(snapshotOf(relayDocumentOf({ smarthosts: [smarthostAt(first.port)] }), [own]));
  await spool.settled(2);
  assert.equal(spool.settlements.at(-1)?.outcomes[0]?.kind, "delivered");
});

/** One delivery at a time, which stays in flight from `reached` until `release`. */
async function heldBenchFor(t: TestContext) {
  const release = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const hop = await hopFor(t, {
    answer: async (line) => {
      if (line !== "END") return undefined;
      reached.resolve();
      await release.promise;
      return undefined;
    },
  });
  const window = { messages: 10, bytes: 1 << 20, inFlight: 1, inFlightPerRoute: 1 };
  const { spool, delivery } = benchFor(t, { window, delivery: { smarthosts: [smarthostAt(hop.port)] } });
  return { hop, spool, delivery, reached, release };
}

test("close() waits for the delivery in flight and starts no other", async (t) => {
  const { spool, delivery, reached, release } = await heldBenchFor(t);
  await spool.commit(newMessage());
  await spool.commit(newMessage());
  await reached.promise;
  const closed = delivery.close(10_000);
  release.resolve();
  await closed;
  assert.equal(spool.settlements.length, 1);
  assert.equal(spool.queuedMessages, 1);
});

test("standDown() ends what is in flight, puts back what waits as it was, and resume() goes on", async (t) => {
  const { hop, spool, delivery, reached, release } = await heldBenchFor(t);
  for (let count = 0; count < 3; count += 1) await spool.commit(newMessage());
  await reached.promise;
  await delivery.standDown();
  assert.deepEqual(
    spool.settlements.map(({ outcomes, postponed }) => [outcomes, postponed]),
    [
      [[], [{ index: 0 }]],
      [[], [{ index: 0 }]],
    ],
  );
  await spool.commit(newMessage());
  release.resolve();
  await spool.settled(3);
  assert.equal(spool.queuedMessages, 3);
  // Nothing holds them: another may have them now, whole and untried.
  const waiting = await spool.claim({ now: Date.now(), limit: 10 });
  assert.deepEqual(
    waiting.map(({ recipients }) => recipients[0]?.attempts),
    [1, 1, 1],
  );
  for (const { message } of waiting) await spool.settle({ id: message.id, outcomes: [], postponed: [{ index: 0 }] });
  delivery.resume();
  await spool.settled(9);
  assert.equal(spool.queuedMessages, 0);
  assert.equal(hop.messages.length, 4);
});

test("close() at its deadline ends the connections and leaves the attempt registered", async (t) => {
  const reached = Promise.withResolvers<void>();
  const hop = await hopFor(t, {
    answer: async (line) => {
      if (line !== "END") return undefined;
      reached.resolve();
      return new Promise<string>(() => undefined);
    },
  });
  const { spool, delivery } = benchFor(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  await spool.commit(newMessage());
  await reached.promise;
  await delivery.close(1);
  assert.equal(spool.settlements.length, 0);
  assert.equal(spool.queuedMessages, 1);
});
