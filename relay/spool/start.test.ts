/** Fresh mail between the spool and delivery: places are kept before the write, and every place has an end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { newMessage } from "../../test/support/relayvalues.ts";
import type { Entry, NewMessage } from "./message/message.ts";
import { settleAndStart, startingAtOnce, type Starter } from "./start.ts";
import type { Spool } from "./verbs.ts";

const log = { error: (): never => assert.fail("nothing fails here") };

interface Bench {
  readonly starter: Starter;
  /** What delivery was told, in order. */
  readonly told: string[];
  readonly spool: Pick<Spool, "begin" | "commit" | "readBody" | "isFull" | "settle">;
  readonly log: { error(facts: object, message: string): void };
}

/** Delivery with so many places, and a spool that keeps everything unless it is told to refuse. What fails throws when it is told. */
function benchWith(places: number, refusal?: Error, fails: readonly ("start" | "cancel" | "arrived")[] = []): Bench {
  const told: string[] = [];
  let left = places;
  const tell = (what: "start" | "cancel" | "arrived", words: string): void => {
    told.push(words);
    if (fails.includes(what)) throw new Error(`${what} fails`);
  };
  const kept = ({ message, recipients, claim }: NewMessage): Entry | undefined => {
    told.push(`${message.domain} is ${claim === true ? "claimed" : "left"}`);
    if (refusal !== undefined) throw refusal;
    return claim === true ? { message, recipients } : undefined;
  };
  return {
    told,
    starter: {
      reserve: ({ message: { domain } }) => {
        if (left === 0) return undefined;
        left -= 1;
        told.push(`${domain} has a place`);
        return {
          start: (entry) => tell("start", `${entry.message.domain} starts`),
          cancel: () => tell("cancel", `${domain} is cancelled`),
        };
      },
      arrived: (dueAt) => tell("arrived", `due at ${dueAt}`),
    },
    log: fails.length === 0 ? log : { error: (facts) => told.push("error" in facts ? String(facts.error) : "") },
    spool: {
      begin: () => assert.fail(),
      readBody: () => assert.fail(),
      isFull: () => false,
      commit: async (message) => kept(message),
      settle: async ({ notices = [] }) => notices.flatMap((notice) => kept(notice) ?? []),
    },
  };
}

function messageOf(domain: string): NewMessage {
  return { ...newMessage({ domain }), dueAt: 7 };
}

test("a message has its place before it is written, and is started on when it is durable", async () => {
  const { spool, starter, told } = benchWith(1);
  await startingAtOnce({ spool, starter, log }).commit(messageOf("a"));
  assert.deepEqual(told, ["a has a place", "a is claimed", "a starts"]);
});

test("a message without a place waits in the spool, and delivery is told when it is due", async () => {
  const { spool, starter, told } = benchWith(0);
  await startingAtOnce({ spool, starter, log }).commit(messageOf("a"));
  assert.deepEqual(told, ["a is left", "due at 7"]);
});

test("a place is given back when the message is refused", async () => {
  const refusal = new Error("full");
  const { spool, starter, told } = benchWith(1, refusal);
  await assert.rejects(startingAtOnce({ spool, starter, log }).commit(messageOf("a")), refusal);
  assert.deepEqual(told, ["a has a place", "a is claimed", "a is cancelled"]);
});

test("notices have the places that there are, and give all of them back when the settlement is refused", async () => {
  const outcomes = { id: messageOf("c").message.id, outcomes: [], notices: [messageOf("a"), messageOf("b")] };
  const kept = benchWith(1);
  await settleAndStart({ ...kept, log }, outcomes);
  assert.deepEqual(kept.told, ["a has a place", "a is claimed", "b is left", "a starts", "due at 7"]);
  const refusal = new Error("full");
  const refused = benchWith(1, refusal);
  await assert.rejects(settleAndStart({ ...refused, log }, outcomes), refusal);
  assert.deepEqual(refused.told, ["a has a place", "a is claimed", "a is cancelled"]);
});

const durable = ["a has a place", "a is claimed"];
for (const [fails, told] of [
  [["start"], [...durable, "a starts", "Error: start fails", "a is cancelled"]],
  [
    ["start", "cancel"],
    [...durable, "a starts", "Error: start fails", "a is cancelled", "Error: cancel fails"],
  ],
] as const) {
  test(`what is durable was taken, also where ${fails.join(" and ")} fails, and its place is given back`, async () => {
    const bench = benchWith(1, undefined, fails);
    assert.equal((await startingAtOnce(bench).commit(messageOf("a")))?.message.domain, "a");
    assert.deepEqual(bench.told, told);
  });
}

test("what is durable was taken, also where delivery cannot hear when it is due", async () => {
  const bench = benchWith(0, undefined, ["arrived"]);
  await startingAtOnce(bench).commit(messageOf("a"));
  assert.deepEqual(bench.told, ["a is left", "due at 7", "Error: arrived fails"]);
});

test("a place whose message the spool gives to somebody else is given back", async () => {
  const bench = benchWith(1);
  const spool = { ...bench.spool, commit: async (): Promise<undefined> => undefined };
  await startingAtOnce({ ...bench, spool }).commit(messageOf("a"));
  assert.deepEqual(bench.told, ["a has a place", "a is cancelled", "due at 7"]);
});

test("a refusal stays the refusal, and every place is given back, where giving back fails", async () => {
  const outcomes = { id: messageOf("c").message.id, outcomes: [], notices: [messageOf("a"), messageOf("b")] };
  const refusal = new Error("full");
  const bench = benchWith(2, refusal, ["cancel"]);
  await assert.rejects(settleAndStart(bench, outcomes), refusal);
  const failed = "Error: cancel fails";
  assert.deepEqual(bench.told.slice(-4), ["a is cancelled", failed, "b is cancelled", failed]);
});
