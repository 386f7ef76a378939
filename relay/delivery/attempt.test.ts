/** One attempt against next hops that answer by script: how many recipients go together, and what a dead connection costs. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { systemClock } from "../../runtime/clock.ts";
import type { Recipient } from "../spool/message/message.ts";
import { attemptDelivery, type AttemptAnswer, type AttemptContext } from "./attempt.ts";
import { judge } from "./policy/failure.ts";
import {
  domainSettingsOf,
  newMessage,
  relayDocumentOf,
  silentMetrics,
  smarthostAt,
  snapshotOf,
} from "../../test/support/relayvalues.ts";
import { HostMemory } from "../limits/hosts.ts";
import { createPool } from "./pool.ts";
import { nextHopOf } from "./resolve/nexthops.ts";
import { startHop, type HopSession, type Script, type ScriptedHop } from "../../test/support/scriptedhop.ts";
import type { NextHop } from "../smtp/client/transport.ts";

async function hopFor(t: TestContext, script: Script): Promise<ScriptedHop> {
  const hop = await startHop(script);
  t.after(() => hop.close());
  return hop;
}

interface Bench {
  attempt(count: number): Promise<ReadonlyMap<Recipient, AttemptAnswer>>;
}

function benchFor(t: TestContext, hops: readonly ScriptedHop[], changes: Partial<NextHop> = {}): Bench {
  const pool = createPool({ clock: systemClock, metrics: silentMetrics });
  t.after(() => pool.close());
  const ways = hops.map(({ port }) => ({ ...nextHopOf(smarthostAt(port), "relay.test"), ...changes }));
  const context: AttemptContext = {
    snapshot: snapshotOf(relayDocumentOf(), [domainSettingsOf("example.com")]),
    mode: () => ({ mode: "Send", allowRecipients: [] }),
    route: { kind: "smarthosts", key: "s", hosts: [] },
    pool,
    hosts: new HostMemory(systemClock),
    readBody: () => {
      throw new Error("the body is inline");
    },
    findHops: () => Promise.resolve(ways),
    now: Date.now(),
    place: () => undefined,
    timed: async (_phase, work) => work(),
  };
  return {
    async attempt(count) {
      const addresses = Array.from({ length: count }, (): Partial<Recipient> => ({}));
      const { message, recipients } = newMessage({}, addresses);
      return attemptDelivery(message, recipients, context);
    },
  };
}

/** How many recipients were left with each answer, as it is judged. */
function countsOf(answers: ReadonlyMap<Recipient, AttemptAnswer>): Record<string, number> {
  const words = [...answers.values()].map((answer) => {
    if (answer.kind !== "trouble") return answer.kind === "accepted" ? "delivered" : answer.kind;
    const { kind, reply } = judge(answer.trouble);
    return `${kind} ${reply.enhanced}`;
  });
  return Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]));
}

function sizesOf(hop: ScriptedHop): readonly number[] {
  return hop.messages.filter(({ recipients }) => recipients.length > 0).map(({ recipients }) => recipients.length);
}

/** Commands of the transaction that a session is in. */
function currentRecipients({ lines }: HopSession): number {
  const start = lines.findLastIndex((line) => line.startsWith("MAIL"));
  return lines.slice(start).filter((line) => line.startsWith("RCPT")).length;
}

function refusesAfter(most: number, answer: string): NonNullable<Script["answer"]> {
  return (line, session) => (line.startsWith("RCPT") && currentRecipients(session) > most ? answer : undefined);
}

function refusesAtData(most: number, answer: string, verb = "DATA"): NonNullable<Script["answer"]> {
  return (line, session) => (line === verb && currentRecipients(session) > most ? answer : undefined);
}

const crowds: readonly {
  name: string;
  answer: NonNullable<Script["answer"]>;
  count: number;
  first: readonly number[];
  next: readonly number[];
}[] = [
  {
    name: "550 5.5.3 from the eleventh RCPT on",
    answer: refusesAfter(10, "550 5.5.3 Too many recipients"),
    count: 25,
    first: [10, 10, 5],
    next: [10, 10, 5],
  },
  {
    name: "452 from the fourth RCPT on",
    answer: refusesAfter(3, "452 that is enough"),
    count: 7,
    first: [3, 3, 1],
    next: [3, 3, 1],
  },
  {
    name: "a number at DATA",
    answer: refusesAtData(50, "554 Transaction failed: Recipient count exceeds 50."),
    count: 60,
    first: [50, 10],
    next: [50, 10],
  },
  {
    name: "no number at DATA",
    answer: refusesAtData(20, "554 5.5.3 no"),
    count: 60,
    first: [15, 15, 15, 15],
    next: [15, 15, 15, 15],
  },
  {
    name: "a number after the message",
    answer: refusesAtData(4, "552 5.5.3 no more than 4 recipients", "END"),
    count: 6,
    first: [6, 4, 2],
    next: [4, 2],
  },
];

for (const { name, answer, count, first, next } of crowds) {
  test(`a host that refuses too many recipients by ${name} gets all of them at once, in smaller transactions`, async (t) => {
    const hop = await hopFor(t, { answer });
    const bench = benchFor(t, [hop]);
    assert.deepEqual(countsOf(await bench.attempt(count)), { delivered: count });
    assert.deepEqual(sizesOf(hop), first);
    const before = hop.messages.length;
    const commands = hop.sessions[0]?.lines.length ?? 0;
    assert.deepEqual(countsOf(await bench.attempt(count)), { delivered: count });
    assert.deepEqual(sizesOf(hop).slice(before), next, "the number was not remembered");
    const asked = hop.sessions[0]?.lines.slice(commands).filter((line) => line.startsWith("RCPT")).length;
    assert.equal(asked, count, "somebody was asked about twice");
    assert.equal(hop.sessions.length, 1);
  });
}

/** Whose a recipient is; the first one of a transaction decides who goes with it. */
function sideOf(line: string): string {
  return /<rcpt[05]@/.test(line) ? "west" : "east";
}

for (const [what, answer] of [
  ["regions", "452 4.5.3 Recipients belong to multiple regions ATTR38 [mx.example 2023-10-28T12:19:33.163Z]"],
  ["domains", "451-4.3.0 Multiple destination domains per transaction is unsupported.\r\n451 4.3.0 try again."],
] as const) {
  test(`a host that takes no ${what} together gets all recipients at once, as many together as it takes`, async (t) => {
    const hop = await hopFor(t, {
      answer: (line, { lines }) => {
        const first = lines.slice(lines.findLastIndex((one) => one.startsWith("MAIL")) + 1)[0] ?? line;
        return line.startsWith("RCPT") && sideOf(line) !== sideOf(first) ? answer : undefined;
      },
    });
    const bench = benchFor(t, [hop]);
    for (const round of [1, 2]) {
      assert.deepEqual(countsOf(await bench.attempt(8)), { delivered: 8 });
      // Were the two of the west taken for the most that the host takes, there would be more than two transactions.
      assert.deepEqual(sizesOf(hop).slice(-2), [2, 6]);
      assert.equal(hop.messages.length, 2 * round);
    }
    assert.equal(hop.sessions.length, 1);
  });
}

test("a host that has enough of a single recipient is not asked again at once", async (t) => {
  for (const answer of [
    refusesAfter(0, "452 4.5.3 too many recipients"),
    refusesAtData(0, "554 5.5.3 too many recipients"),
  ]) {
    const hop = await hopFor(t, { answer });
    assert.deepEqual(countsOf(await benchFor(t, [hop]).attempt(1)), { "deferred 4.5.3": 1 });
    assert.equal(hop.sessions[0]?.lines.filter((line) => line.startsWith("MAIL")).length, 1);
  }
});

test("a host that takes nobody at all for their number is asked once, and the mail waits", async (t) => {
  const hop = await hopFor(t, { answer: refusesAfter(0, "452 4.5.3 too many recipients") });
  assert.deepEqual(countsOf(await benchFor(t, [hop]).attempt(8)), { "deferred 4.5.3": 8 });
  assert.equal(hop.sessions[0]?.lines.filter((line) => line.startsWith("MAIL")).length, 1);
});

test("a host that always has too many is asked less and less, and in the end the mail waits", async (t) => {
  const hop = await hopFor(t, { answer: refusesAtData(0, "554 5.5.3 too many recipients") });
  assert.deepEqual(countsOf(await benchFor(t, [hop]).attempt(8)), { "deferred 4.5.3": 8 });
  const transactions = hop.sessions[0]?.lines.filter((line) => line.startsWith("MAIL")).length ?? 0;
  assert.ok(transactions <= 3 + 8, `${transactions} transactions`);
});

test("recipientsPerMessage is how many go together from the first transaction on", async (t) => {
  const hop = await hopFor(t, {});
  const bench = benchFor(t, [hop], { recipientsPerMessage: 4 });
  assert.deepEqual(countsOf(await bench.attempt(10)), { delivered: 10 });
  assert.deepEqual(sizesOf(hop), [4, 4, 2]);
});

test("recipients that a host in trouble was not asked about go to the next host with the others", async (t) => {
  const first = await hopFor(t, { answer: (line) => (line.startsWith("MAIL") ? "451 4.3.2 not now" : undefined) });
  const second = await hopFor(t, {});
  const bench = benchFor(t, [first, second], { recipientsPerMessage: 4 });
  assert.deepEqual(countsOf(await bench.attempt(10)), { delivered: 10 });
  assert.equal(first.sessions[0]?.lines.filter((line) => line.startsWith("MAIL")).length, 1);
});

test("a host that goes away between two transactions leaves the rest deferred with its trouble", async (t) => {
  const answer = (line: string, { number, lines }: HopSession): string | undefined => {
    if (line === "CONNECT" && number > 0) return "421 4.3.2 no more";
    return line.startsWith("MAIL") && lines.filter((one) => one.startsWith("MAIL")).length > 1 ? "close" : undefined;
  };
  const hop = await hopFor(t, { answer });
  const bench = benchFor(t, [hop], { recipientsPerMessage: 4 });
  assert.deepEqual(countsOf(await bench.attempt(6)), { delivered: 4, "deferred 4.3.2": 2 });
});

test("8-bit mail goes to another host when the first refuses EHLO", async (t) => {
  const first = await hopFor(t, { answer: (line) => (line.startsWith("EHLO") ? "451 4.3.0 later" : undefined) });
  const second = await hopFor(t, {});
  const pool = createPool({ clock: systemClock, metrics: silentMetrics });
  t.after(() => pool.close());
  const { message, recipients } = newMessage({ eightBit: true });
  const answers = await attemptDelivery(message, recipients, {
    snapshot: snapshotOf(relayDocumentOf(), [domainSettingsOf("example.com")]),
    mode: () => ({ mode: "Send", allowRecipients: [] }),
    route: { kind: "smarthosts", key: "s", hosts: [] },
    pool,
    hosts: new HostMemory(systemClock),
    readBody: () => {
      throw new Error("the body is inline");
    },
    findHops: () => Promise.resolve([first, second].map(({ port }) => nextHopOf(smarthostAt(port), "relay.test"))),
    now: Date.now(),
    place: () => undefined,
    timed: async (_phase, work) => work(),
  });
  assert.deepEqual(countsOf(answers), { delivered: 1 });
  assert.equal(second.messages.length, 1);
});

const deaths: readonly (readonly [how: string, answer: string])[] = [
  ["is cut at the next MAIL", "close"],
  ["is ended with 421 at the next MAIL", "421 4.4.2 idle for too long"],
  ["is ended with 451 4.4.2 at the next MAIL", "451 4.4.2 Timeout - closing connection."],
];

for (const [how, answer] of deaths) {
  test(`a kept connection that ${how} costs no attempt`, async (t) => {
    const hop = await hopFor(t, {
      answer: (line, { number, lines }) =>
        number === 0 && line.startsWith("MAIL") && lines.filter((one) => one.startsWith("MAIL")).length > 1
          ? answer
          : undefined,
    });
    const bench = benchFor(t, [hop]);
    assert.deepEqual(countsOf(await bench.attempt(1)), { delivered: 1 });
    assert.deepEqual(countsOf(await bench.attempt(1)), { delivered: 1 });
    assert.equal(hop.sessions.length, 2);
  });
}

test("a connection that is cut at its first MAIL is trouble of the host, and it is not dialed again at once", async (t) => {
  const hop = await hopFor(t, { answer: (line) => (line.startsWith("MAIL") ? "close" : undefined) });
  assert.deepEqual(countsOf(await benchFor(t, [hop]).attempt(1)), { "deferred 4.4.2": 1 });
  assert.equal(hop.sessions.length, 1);
});

test(
  "a kept connection in whose place comes one that is dead too costs no attempt either",
  { timeout: 20_000 },
  async (t) => {
    const bothOpen = Promise.withResolvers<void>();
    // One that is still idle when the other dies is given up with it.
    const bothTaken = Promise.withResolvers<void>();
    const thirdDialed = Promise.withResolvers<void>();
    const secondDied = Promise.withResolvers<void>();
    let firstToDie: number | undefined;
    const answer = async (line: string, { number, lines }: HopSession): Promise<string | undefined> => {
      const mails = lines.filter((one) => one.startsWith("MAIL")).length;
      if (number === 2) {
        if (line === "CONNECT") thirdDialed.resolve();
        await secondDied.promise;
        return undefined;
      }
      if (line.startsWith("MAIL") && mails === 2) {
        if (firstToDie !== undefined) bothTaken.resolve();
        firstToDie ??= number;
        await bothTaken.promise;
      }
      if (line.startsWith("MAIL") && (mails === 3 || (mails === 2 && number === firstToDie))) {
        if (mails === 3) secondDied.resolve();
        return "close";
      }
      if (line.startsWith("MAIL") && number === 1) bothOpen.resolve();
      // The second connection is given back while the pool dials for the message whose connection was dead.
      if (line === "END") await (mails === 1 ? bothOpen.promise : thirdDialed.promise);
      return undefined;
    };
    const hop = await hopFor(t, { answer, extensions: ["8BITMIME"] });
    const limits = { key: "site", maxConnections: 2, messagesPerConnection: 100 };
    const bench = benchFor(t, [hop], { limits });
    for (let round = 0; round < 2; round += 1) {
      const answers = await Promise.all([bench.attempt(1), bench.attempt(1)]);
      assert.deepEqual(answers.map(countsOf), [{ delivered: 1 }, { delivered: 1 }]);
    }
    assert.equal(hop.sessions.length, 3);
  },
);
