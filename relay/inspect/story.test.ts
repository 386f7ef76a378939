import assert from "node:assert/strict";
import { test } from "node:test";
import type { MessageStory, StoryEventDocument } from "../../api/messagestory.ts";
import type { QueuedMessage } from "../spool/queue.ts";
import { isSettled, renderTelling } from "./story.ts";

const acceptedAt = Date.parse("2026-11-25T12:00:00.000Z");
const iso = (afterMs: number): string => new Date(acceptedAt + afterMs).toISOString();
const traceId = "0af7651916cd43dd8448eb211c80319c";

function outcome(event: string, attempt: number, changes: Partial<StoryEventDocument> = {}): StoryEventDocument {
  const reply = { code: 451, enhanced: "4.2.0", reply: "busy", nextHop: "mx.example.org" };
  return {
    at: iso(attempt * 1_000),
    event,
    recipientDomain: "example.org",
    recipients: 1,
    attempt,
    ...reply,
    ...changes,
  };
}

const accepted: StoryEventDocument = {
  at: iso(4),
  event: "accepted",
  listener: "smtp",
  code: 250,
  enhanced: "2.6.0",
  traceId,
};

function storyOf(events: readonly StoryEventDocument[], forgotten = 0): MessageStory {
  const head = { spoolId: "0m1", domain: "example.com", acceptedAt: iso(0), sizeBytes: 1_234 };
  return { ...head, destinations: { "example.org": 1 }, forgotten, events: [...events] };
}

function queuedAfter(attempts: number): QueuedMessage {
  return {
    id: "0m1",
    acceptedAt,
    domain: "example.com",
    sizeBytes: 1_234,
    fromNobody: false,
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    unreadable: 0,
    recipients: [
      { domain: "example.org", attempts, dueAt: acceptedAt + 60_000, lastReply: { code: 451, text: "busy" } },
    ],
  };
}

const now = acceptedAt + 10_000;
const rows = [
  {
    name: "a first attempt that has begun",
    story: storyOf([accepted]),
    queued: queuedAfter(1),
    last: "  in the spool: 1 recipient at example.org, attempt 1 under way; last reply 451 busy",
  },
  {
    name: "a message that waits",
    story: storyOf([accepted, outcome("deferred", 1, { dueAt: iso(60_000) })]),
    queued: queuedAfter(1),
    last: "  in the spool: 1 recipient at example.org, 1 attempt, next 2026-11-25T12:01:00.000Z (in 50 s); last reply 451 busy",
  },
  {
    name: "a message that was delivered since the spool was read",
    story: storyOf([accepted, outcome("delivered", 1)]),
    queued: queuedAfter(1),
    last: "  nothing of it is left in the spool",
  },
  {
    name: "a message of another pod's, which tried it before",
    story: storyOf([{ at: iso(5_000), event: "taken over", peer: "outbound-2", recipients: 1, traceId }]),
    queued: queuedAfter(2),
    last: "  in the spool: 1 recipient at example.org, 2 attempts, next 2026-11-25T12:01:00.000Z (in 50 s); last reply 451 busy",
  },
  {
    name: "a message that another pod has now",
    story: storyOf([accepted, { at: iso(5_000), event: "handed over", peer: "outbound-0", recipients: 1 }]),
    queued: undefined,
    last: "  nothing of it is left in the spool",
  },
  {
    name: "what only the spool knows",
    story: undefined,
    queued: queuedAfter(2),
    last: "  in the spool: 1 recipient at example.org, 2 attempts, next 2026-11-25T12:01:00.000Z (in 50 s); last reply 451 busy",
  },
] as const;

for (const { name, story, queued, last } of rows) {
  test(`${name} is told so`, () => {
    const lines = renderTelling({ story, queued, isSpoolKnown: true, now }).trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^0m1 from example\.com: 1,234 octets/);
    assert.match(lines[1] ?? "", new RegExp(`^  accepted 2026-11-25T12:00:00\\.000Z.*trace ${traceId}$`));
    assert.equal(lines.at(-1), last);
  });
}

test("a spool that cannot be read is not called empty", () => {
  const told = renderTelling({ story: storyOf([accepted]), queued: undefined, isSpoolKnown: false, now });
  assert.doesNotMatch(told, /spool/);
});

test("each event is one line, whatever a next hop put into its reply; another trace is named", () => {
  const other = "1".repeat(32);
  const events = [
    accepted,
    outcome("failed", 3, { reply: "no\r\nsuch\u001b[2J user", expired: true, traceId: other }),
    { at: iso(3_000), event: "bounced", notice: "failed", noticeId: "0m2" },
    { at: iso(3_000), event: "double bounce", recipientDomain: "example.org", code: 550, enhanced: "5.1.1" },
    { at: iso(4_000), event: "put aside", reply: "a later version's event" },
  ];
  const lines = renderTelling({ story: storyOf(events), queued: undefined, isSpoolKnown: true, now })
    .trimEnd()
    .split("\n");
  assert.deepEqual(
    lines.slice(2, -1).map((line) => line.trim()),
    [
      `+3.000 s  failed     1 recipient at example.org, attempt 3, next hop mx.example.org: 451 4.2.0 no such [2J user; its time is up; trace ${other}`,
      "+3.000 s  bounced    the sender is told (failed) by notice 0m2",
      "+3.000 s  double bounce  at example.org: 550 5.1.1; it is from nobody, so nobody is told",
      "+4.000 s  put aside  a later version's event",
    ],
  );
});

test("a way from pod to pod says which pod, and what came before it is not called unknown", () => {
  const told = renderTelling({
    story: storyOf([
      { at: iso(5_000), event: "taken over", peer: "outbound-2\u001b[2J", recipients: 2 },
      { at: iso(6_000), event: "handed over", peer: "outbound-0", recipients: 1 },
    ]),
    queued: undefined,
    isSpoolKnown: true,
    now,
  });
  assert.match(told, /^  accepted \S+ \(by another pod: outbound-2 \[2J handed it over/m);
  assert.match(told, /\+5\.000 s {2}taken over {2}2 recipients from outbound-2 \[2J$/m);
  assert.match(told, /\+6\.000 s {2}handed over {2}1 recipient to outbound-0$/m);
});

test("what is forgotten in the middle is said in the middle", () => {
  const told = renderTelling({
    story: storyOf([accepted, outcome("deferred", 1), outcome("deferred", 9)], 7),
    queued: undefined,
    isSpoolKnown: true,
    now,
  });
  assert.match(told, /attempt 1,.*\n {2}7 events in between not remembered\n.*attempt 9,/);
});

test("a story is settled when all that were accepted have an end", () => {
  assert.equal(isSettled(storyOf([accepted, outcome("deferred", 1)])), false);
  assert.equal(isSettled(storyOf([accepted, outcome("failed", 1)])), true);
  const { destinations: _, ...unknown } = storyOf([outcome("delivered", 2)]);
  assert.equal(isSettled(unknown), false);
});
