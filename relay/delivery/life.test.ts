/** The life of a job from the spool and back: stopping, standing down, outcomes that cannot be written, what is forgotten. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { deliveryBench, hopFor, messagesOf, type BenchSettings } from "../../test/support/deliverybench.ts";
import { noHopTracer, type HopTracer } from "../observe/hop.ts";
import type { Entry } from "../spool/message/message.ts";
import { startingAtOnce, type Starter } from "../spool/start.ts";
import { ClaimLostError, OutcomeRefusedError, SpoolFullError, type ClaimQuestion } from "../spool/verbs.ts";
import { domainSettingsOf, newMessage, smarthostAt } from "../../test/support/relayvalues.ts";
import { MemorySpool } from "../../test/support/memoryspool.ts";
import type { HopSession, Script, ScriptedHop } from "../../test/support/scriptedhop.ts";

/** What is waited for and does not come fails its test, and not the run. */
const within = { timeout: 20_000 };

/** One delivery at a time, which stays in flight from `reached` until `release`. */
async function heldBench(t: TestContext, settings: Pick<BenchSettings, "leaseRoundMs"> = {}) {
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
  const window = { messages: 10, recipients: 1_000, bytes: 1 << 20, inFlight: 1, inFlightPerRoute: 1 };
  const { spool, delivery, lines } = deliveryBench(t, {
    ...settings,
    window,
    delivery: { smarthosts: [smarthostAt(hop.port)] },
  });
  return { hop, spool, delivery, lines, reached, release };
}

test("close() waits for the delivery in flight and starts no other", within, async (t) => {
  const { spool, delivery, reached, release } = await heldBench(t);
  await spool.commit(newMessage());
  await spool.commit(newMessage());
  await reached.promise;
  const closed = delivery.close(10_000);
  release.resolve();
  await closed;
  const delivered = spool.written.filter(({ outcomes }) => outcomes.length > 0);
  assert.equal(delivered.length, 1);
  assert.equal(spool.queuedMessages, 1);
  // What had not begun is back as it came, for whoever is next.
  const left = await spool.claim({ now: Date.now(), limit: 10 });
  assert.deepEqual(
    left.map(({ recipients }) => recipients[0]?.attempts),
    [1],
  );
});

test("standDown() ends what is in flight, puts back what waits as it was, and resume() goes on", within, async (t) => {
  const { hop, spool, delivery, reached, release } = await heldBench(t);
  for (let count = 0; count < 3; count += 1) await spool.commit(newMessage());
  await reached.promise;
  await delivery.standDown();
  assert.deepEqual(
    spool.written.map(({ outcomes, postponed }) => [outcomes, postponed]),
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

/** Lets sockets and promises do what they can without time passing. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test(
  "close() at its deadline ends the connections, leaves the attempt registered and settles nothing any more",
  within,
  async (t) => {
    const reached = Promise.withResolvers<void>();
    const hop = await hopFor(t, {
      answer: async (line) => {
        if (line !== "END") return undefined;
        reached.resolve();
        return new Promise<string>(() => undefined);
      },
    });
    const { spool, delivery } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
    let asked = 0;
    const settle = spool.settle.bind(spool);
    spool.settle = async (outcomes) => {
      asked += 1;
      return settle(outcomes);
    };
    await spool.commit(newMessage());
    await reached.promise;
    await delivery.close(1);
    while (hop.openConnections > 0) await turns();
    await turns();
    assert.equal(asked, 0);
    assert.equal(spool.queuedMessages, 1);
  },
);

test("close() puts back retries that wait, at the time and with the attempts that they had", within, async (t) => {
  const { spool, delivery, reached, release } = await heldBench(t);
  await spool.commit(newMessage());
  await reached.promise;
  const dueAt = Date.now() - 5_000;
  for (let count = 0; count < 5; count += 1) spool.add({ ...newMessage({}, [{ attempts: 3 }]), dueAt });
  // Claims what waits, and takes it into the window behind the one in flight.
  await spool.commit({ ...newMessage(), dueAt });
  spool.arrive(dueAt);
  while (spool.claimedRecipients < 7) await turns();
  const closed = delivery.close(10_000);
  release.resolve();
  await closed;
  assert.equal(spool.claimedRecipients, 0);
  const left = await spool.claim({ now: dueAt, limit: 10 });
  assert.deepEqual(
    left.map(({ recipients }) => recipients[0]?.attempts),
    [4, 4, 4, 4, 4, 1],
  );
});

test(
  "close() puts back what its destination is being looked up for, what a claim still brings and what is being written",
  within,
  async (t) => {
    class SlowSpool extends MemorySpool {
      readonly asked = Promise.withResolvers<void>();
      readonly answer = Promise.withResolvers<void>();
      override async claim(question: ClaimQuestion): Promise<readonly Entry[]> {
        const entries = await super.claim(question);
        this.asked.resolve();
        await this.answer.promise;
        return entries;
      }
    }
    const spool = new SlowSpool();
    spool.add(newMessage());
    const lookup = { ask: async () => new Promise<never>(() => undefined), close: () => undefined };
    const { delivery } = deliveryBench(t, { spool, delivery: {}, resolving: { openLookup: () => lookup } });
    await spool.asked.promise;
    await spool.commit(newMessage());
    const closed = delivery.close(10_000);
    spool.answer.resolve();
    await closed;
    assert.equal(spool.claimedRecipients, 0);
    assert.equal(spool.written.length, 2);
  },
);

test("close() ends at its deadline also when the spool does not answer", within, async (t) => {
  const { spool, delivery, reached } = await heldBench(t);
  await spool.commit(newMessage());
  await spool.commit(newMessage());
  await reached.promise;
  spool.settle = async () => new Promise<never>(() => undefined);
  await delivery.close(50);
  assert.equal(spool.queuedMessages, 2);
});

test("nothing new is sent while an outcome cannot be written, and all goes on when it can", within, async (t) => {
  let isBroken = true;
  const sentWhileBroken: string[] = [];
  const hop = await hopFor(t, {
    answer: (line) => {
      if (line.startsWith("MAIL") && isBroken) sentWhileBroken.push(line);
      return undefined;
    },
  });
  const { spool, unwritten } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  const settle = spool.settle.bind(spool);
  let tries = 0;
  spool.settle = async (outcomes) => {
    tries += 1;
    if (tries === 1) throw new SpoolFullError("disk full");
    isBroken = false;
    return settle(outcomes);
  };
  await spool.commit(newMessage());
  while (unwritten.length === 0) await turns();
  for (let count = 0; count < 5; count += 1) await spool.commit(newMessage());
  await spool.settled(6);
  await hop.received(6);
  assert.equal(sentWhileBroken.length, 1);
  assert.equal(hop.messages.length, 6, "each once");
  assert.deepEqual(unwritten, ["spool 1", "spool 0"]);
});

test(
  "an outcome that is refused for itself stops nobody else and is tried again, without sending twice",
  within,
  async (t) => {
    const hop = await hopFor(t);
    const { spool, unwritten, lines } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
    const settle = spool.settle.bind(spool);
    const refused = newMessage();
    const others = Promise.withResolvers<void>();
    spool.settle = async (outcomes) => {
      if (outcomes.id === refused.message.id && spool.written.length < 5) throw new OutcomeRefusedError("constraint");
      const entries = await settle(outcomes);
      if (spool.written.length === 5) others.resolve();
      return entries;
    };
    await spool.commit(refused);
    while (unwritten.length === 0) await turns();
    for (let count = 0; count < 5; count += 1) await spool.commit(newMessage());
    await others.promise;
    assert.deepEqual(unwritten, ["outcome 1"]);
    await spool.settled(6);
    await hop.received(6);
    await turns();
    assert.equal(messagesOf(lines).filter((line) => line === "delivered").length, 6);
  },
);

test("people are told of an outcome when it is durable, and not before", within, async (t) => {
  const hop = await hopFor(t);
  const { spool, lines } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  const settle = spool.settle.bind(spool);
  const asked = Promise.withResolvers<void>();
  const durable = Promise.withResolvers<void>();
  spool.settle = async (outcomes) => {
    asked.resolve();
    await durable.promise;
    return settle(outcomes);
  };
  await spool.commit(newMessage());
  await asked.promise;
  await turns();
  assert.deepEqual(messagesOf(lines), []);
  durable.resolve();
  await spool.settled(1);
  await turns();
  assert.deepEqual(messagesOf(lines), ["delivered"]);
});

/** Delivery whose outcomes are not written until `write`, with a clock that the test moves. */
async function stuckBench(t: TestContext, script: Script) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  // Before the others: a bench is closed by the clock on the wall.
  t.after(() => t.mock.timers.reset());
  let now = Date.now();
  const hops = await Promise.all(Array.from({ length: 5 }, async () => hopFor(t, script)));
  const window = { messages: 40, recipients: 1_000, bytes: 1 << 20, inFlight: 4, inFlightPerRoute: 4 };
  const domains = domainsOf(20).map((domain, index) =>
    domainSettingsOf(domain, { smarthosts: [smarthostAt(hops[index % 5]?.port ?? 0)] }, []),
  );
  const settings = { window, domains, clock: { now: () => now }, delivery: {} };
  const bench = deliveryBench(t, settings);
  const { spool } = bench;
  const settle = spool.settle.bind(spool);
  const write = Promise.withResolvers<void>();
  spool.settle = async (outcomes) => {
    await write.promise;
    return settle(outcomes);
  };
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 500) {
      now += 500;
      t.mock.timers.tick(500);
      await turns();
    }
  };
  const sum = (count: (hop: ScriptedHop) => number): number => hops.reduce((all, hop) => all + count(hop), 0);
  const sent = (): number => sum(({ messages }) => messages.length);
  const sessions = (): number => sum((hop) => hop.sessions.length);
  return { ...bench, sent, sessions, write, pass };
}

const domainsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `d${index}.example`);

test(
  "a settlement that does not end leaves no more messages sent and unwritten than places in flight",
  within,
  async (t) => {
    const { spool, write, pass, sent } = await stuckBench(t, {});
    for (const domain of domainsOf(20)) await spool.commit(newMessage({ domain, mustSign: false }));
    while (sent() < 4) await turns();
    await pass(60_000);
    assert.equal(sent(), 4);
    write.resolve();
    await spool.settled(20);
    while (sent() < 20) await turns();
  },
);

test("slow hosts that wake up together do not hand over more than there are places either", within, async (t) => {
  const awake = Promise.withResolvers<undefined>();
  const answer: Script["answer"] = (line) => (line.startsWith("MAIL") ? awake.promise : undefined);
  const { spool, write, pass, sent, sessions } = await stuckBench(t, { answer });
  for (const domain of domainsOf(20)) await spool.commit(newMessage({ domain, mustSign: false }));
  while (sessions() < 4) await turns();
  await pass(20_000);
  assert.ok(sessions() > 8, `${sessions()} connections: others fly in their place`);
  awake.resolve(undefined);
  while (sent() < 4) await turns();
  await pass(20_000);
  assert.equal(sent(), 4);
  write.resolve();
  await spool.settled(20);
  while (sent() < 20) await turns();
});

test("a delivery that ends in an exception gives its message back, and it is delivered", within, async (t) => {
  const hop = await hopFor(t);
  let thrown = 0;
  const hops: HopTracer = {
    ...noHopTracer,
    deliver: (facts) => {
      if ((thrown += 1) === 1) throw new Error("what nobody thought of");
      return noHopTracer.deliver(facts);
    },
  };
  const settings = { delivery: { smarthosts: [smarthostAt(hop.port)] }, hops, leaseRoundMs: 20 };
  const { spool, lines } = deliveryBench(t, settings);
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.equal(hop.messages.length, 1);
  assert.equal(spool.queuedMessages, 0);
  assert.deepEqual(messagesOf(lines).slice(0, 2), [
    "an attempt ended without an outcome",
    "messages that delivery had forgotten are in the queue again",
  ]);
});

test("a delivery that takes long keeps its claim, and is not begun again", within, async (t) => {
  const { hop, spool, lines, reached, release } = await heldBench(t, { leaseRoundMs: 5 });
  await spool.commit(newMessage());
  await reached.promise;
  while (spool.rounds < 5) await turns();
  assert.deepEqual(messagesOf(lines), []);
  release.resolve();
  await spool.settled(1);
  assert.equal(hop.messages.length, 1);
  assert.equal(spool.queuedMessages, 0);
});

test("an outcome whose claim was lost is let go, and nobody waits for it", within, async (t) => {
  const hop = await hopFor(t);
  const { spool, unwritten } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
  spool.settleErrors.push(new ClaimLostError("too late"));
  await spool.commit(newMessage());
  await hop.received(1);
  await spool.commit(newMessage());
  await spool.settled(1);
  assert.deepEqual(unwritten, []);
});

test("a kept connection that turns out to be dead costs no attempt", within, async (t) => {
  const endings: readonly (readonly [string, string])[] = [
    ["it is cut", "close"],
    ["it says 421", "421 4.4.2 idle for too long"],
  ];
  for (const [name, ending] of endings) {
    await t.test(name, async (t2) => {
      const answer = (line: string, { number, lines }: HopSession): string | undefined =>
        number === 0 && line.startsWith("MAIL") && lines.some((earlier) => earlier === "DATA") ? ending : undefined;
      // Not pipelined, so that the first session is past its DATA when the second MAIL comes.
      const hop = await hopFor(t2, { answer, extensions: ["8BITMIME"] });
      const { spool } = deliveryBench(t2, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
      await spool.commit(newMessage());
      await spool.settled(1);
      await spool.commit(newMessage());
      await spool.settled(2);
      assert.deepEqual(
        spool.written.map(({ outcomes }) => outcomes.map(({ kind }) => kind)),
        [["delivered"], ["delivered"]],
      );
      assert.equal(hop.sessions.length, 2);
    });
  }
});

test(
  "one recipient that ends the transaction for all has the others delivered within two retries",
  within,
  async (t) => {
    const answer = (line: string): string | undefined =>
      line.startsWith("RCPT TO:<rcpt17@") ? "421 4.7.0 not you" : undefined;
    const hop = await hopFor(t, { answer });
    const { spool } = deliveryBench(t, { delivery: { smarthosts: [smarthostAt(hop.port)] } });
    const recipients = Array.from({ length: 60 }, () => ({}));
    await spool.commit(newMessage({}, recipients));
    const delivered = (): Set<number> =>
      new Set(
        spool.written.flatMap(({ outcomes }) =>
          outcomes.flatMap((one) => (one.kind === "delivered" ? [one.index] : [])),
        ),
      );
    const attempts = (index: number): number =>
      spool.written.flatMap(({ outcomes }) => outcomes).filter((one) => one.index === index).length;
    while (delivered().size < 59) await spool.settled(spool.written.length + 1);
    assert.ok(!delivered().has(17));
    assert.ok(attempts(16) <= 3 && attempts(0) <= 2, `${attempts(16)} and ${attempts(0)} attempts`);
  },
);

test("a message whose start fails half-way is in flight once, and nobody claims it again", within, async (t) => {
  const hop = await hopFor(t);
  let isBroken = false;
  const now = (): number => {
    if (isBroken) throw new Error("what nobody thought of");
    return Date.now();
  };
  const settings = { delivery: { smarthosts: [smarthostAt(hop.port)] }, clock: { now }, leaseRoundMs: 5 };
  const { spool, delivery, lines } = deliveryBench(t, settings);
  spool.starter = undefined;
  const starter: Starter = {
    arrived: (dueAt) => delivery.arrived(dueAt),
    reserve: (message) => {
      const place = delivery.reserve(message);
      if (place === undefined) return undefined;
      const start = (entry: Entry): void => {
        isBroken = true;
        try {
          place.start(entry);
        } finally {
          isBroken = false;
        }
      };
      return { start, cancel: () => place.cancel() };
    },
  };
  const log = { error: (facts: object, text: string) => void lines.push({ ...facts, msg: text }) };
  await startingAtOnce({ spool, starter, log }).commit(newMessage());
  const { rounds } = spool;
  while (spool.rounds < rounds + 4) await turns();
  assert.deepEqual(messagesOf(lines), ["could not start on a message"]);
  spool.starter = delivery;
  await spool.commit(newMessage());
  await spool.settled(2);
  assert.equal(hop.messages.length, 2);
  assert.equal(spool.queuedMessages, 0);
});
