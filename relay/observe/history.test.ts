import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpoolId } from "../spool/message/id.ts";
import { defaultHistoryLimits, MessageHistory, type StoryEvent } from "./history.ts";
import type { OutcomeLine, StoryHead } from "./transition.ts";

const idOf = (number: number): SpoolId => `0m${String(number).padStart(19, "0")}` as SpoolId;

function headFor(number: number, messageId?: string): StoryHead {
  return { spoolId: idOf(number), domain: "example.com", acceptedAt: number, sizeBytes: 10, messageId };
}

function acceptance(number: number): StoryEvent {
  const line = { spoolId: idOf(number), domain: "example.com", traceId: undefined, sizeBytes: 10, recipients: 1 };
  return { kind: "accepted", at: number, line };
}

function outcome(number: number, kind: "delivered" | "deferred" | "failed", attempt = 1): StoryEvent {
  const line: OutcomeLine = {
    spoolId: idOf(number),
    domain: "example.com",
    traceId: undefined,
    recipientDomain: "example.org",
    recipients: 1,
    code: 250,
    enhanced: "2.0.0",
    reply: "queued",
    attempt,
    nextHop: "mx.example.org",
  };
  return { kind, at: number, line };
}

function handover(number: number): StoryEvent {
  const line = { spoolId: idOf(number), domain: "example.com", traceId: undefined, peer: "outbound-0", recipients: 1 };
  return { kind: "handed over", at: number, line };
}

function historyOf(
  events: readonly StoryEvent[],
  limits = { smooth: 2, troubled: 2, events: 4, bytes: 1e6 },
): MessageHistory {
  const history = new MessageHistory(limits);
  for (const event of events) history.add(event, () => headFor(event.at, `<m${event.at}@example.com>`));
  return history;
}

const remembered = (history: MessageHistory, numbers: readonly number[]): number[] =>
  numbers.filter((number) => history.find(idOf(number)).length > 0);

const forgetting = [
  { name: "the oldest smooth message goes first", events: [1, 2, 3].map(acceptance), left: [2, 3] },
  {
    name: "a message in trouble outlives a flood",
    events: [acceptance(1), outcome(1, "deferred"), ...[2, 3, 4].map(acceptance)],
    left: [1, 3, 4],
  },
  {
    name: "a leaving pod's mail is no trouble",
    events: [acceptance(1), outcome(1, "deferred"), ...[2, 3, 4].flatMap((at) => [acceptance(at), handover(at)])],
    left: [1, 3, 4],
  },
  {
    name: "troubled messages are bounded, too",
    events: [1, 2, 3].flatMap((number) => [acceptance(number), outcome(number, "failed")]),
    left: [2, 3],
  },
  {
    name: "a delivery after trouble does not end the memory of it",
    events: [acceptance(1), outcome(1, "deferred"), outcome(1, "delivered", 2), ...[2, 3, 4].map(acceptance)],
    left: [1, 3, 4],
  },
];

for (const { name, events, left } of forgetting) {
  test(`history: ${name}`, () => {
    const history = historyOf(events);
    assert.deepEqual(remembered(history, [1, 2, 3, 4]), left);
    assert.equal(history.size, left.length);
    // What is forgotten is not found by its Message-ID either.
    const byMessageId = [1, 2, 3, 4].filter((number) => history.find(`m${number}@example.com`).length > 0);
    assert.deepEqual(byMessageId, left);
  });
}

test("a story keeps its beginning and its end, and says how much is missing between", () => {
  const attempts = [1, 2, 3, 4, 5, 6].map((attempt) => outcome(1, "deferred", attempt));
  const [story] = historyOf([acceptance(1), ...attempts]).find(idOf(1));
  const kept = story?.events.map((event) => ("attempt" in event.line ? event.line.attempt : 0));
  assert.deepEqual([kept, story?.forgotten], [[0, 1, 5, 6], 3]);
});

test("messages with much to tell are fewer, and an ordinary one beside them stays", () => {
  const history = new MessageHistory({ smooth: 2_000, troubled: 1_000, events: 64, bytes: 1_000_000 });
  history.add(acceptance(1_000_000), () => headFor(1_000_000));
  for (let number = 0; number < 1_000; number += 1) {
    for (let attempt = 1; attempt <= 64; attempt += 1)
      history.add(outcome(number, "deferred", attempt), () => headFor(number));
  }
  assert.ok(history.size > 20 && history.size < 100, `${history.size} messages`);
  assert.deepEqual(remembered(history, [0, 999, 1_000_000]), [999, 1_000_000]);
});

test("one Message-ID in several transactions finds all of them, with brackets and without", () => {
  const history = new MessageHistory();
  for (const number of [1, 2]) history.add(acceptance(number), () => headFor(number, "<same@example.com>"));
  for (const asked of ["<same@example.com>", "same@example.com"]) {
    assert.deepEqual(
      history.find(asked).map(({ head }) => head.spoolId),
      [idOf(1), idOf(2)],
    );
  }
  assert.deepEqual(history.find("other@example.com"), []);
  assert.deepEqual(history.find(""), []);
});

test("a full history costs little memory and time", (t) => {
  const { smooth, troubled } = defaultHistoryLimits;
  const collect = globalThis.gc;
  collect?.();
  const before = process.memoryUsage().heapUsed;
  const history = new MessageHistory();
  const startedAt = performance.now();
  const messages = 10 * (smooth + troubled);
  for (let number = 0; number < messages; number += 1) {
    history.add(acceptance(number), () => headFor(number, `<${number}.0123456789@mail.example.com>`));
    if (number % 3 === 0) history.add(outcome(number, "deferred"), () => headFor(number));
    history.add(outcome(number, "delivered", 2), () => headFor(number));
  }
  const microseconds = ((performance.now() - startedAt) / messages) * 1000;
  collect?.();
  const bytes = (process.memoryUsage().heapUsed - before) / history.size;
  t.diagnostic(
    `${microseconds.toFixed(2)} us a message; ${collect === undefined ? "uncollected, " : ""}${bytes.toFixed(0)} bytes a message, ${history.size} kept`,
  );
  assert.ok(history.size > troubled && history.size <= smooth + troubled, `${history.size} messages`);
  assert.ok(microseconds < 100, `${microseconds} us a message`);
});

test("a client that gives all its messages one Message-ID costs no more than others", () => {
  const messages = 20_000;
  const microsecondsOf = (messageIdOf: (number: number) => string): number => {
    const history = new MessageHistory();
    const startedAt = process.cpuUsage();
    for (let number = 0; number < messages; number += 1) {
      history.add(acceptance(number), () => headFor(number, messageIdOf(number)));
    }
    const { user, system } = process.cpuUsage(startedAt);
    const { smooth } = defaultHistoryLimits;
    assert.equal(history.find(messageIdOf(messages - 1)).length, messageIdOf(0) === messageIdOf(1) ? smooth : 1);
    return (user + system) / messages;
  };
  const own = microsecondsOf((number) => `<${number}@example.com>`);
  const shared = microsecondsOf(() => "<same@example.com>");
  assert.ok(shared < 5 * own, `${shared} us a message with a shared Message-ID, ${own} us with its own`);
});
