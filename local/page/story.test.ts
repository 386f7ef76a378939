import assert from "node:assert/strict";
import { test } from "node:test";
import type { CapturedMessage } from "../capture/record.ts";
import { parseSpanLine } from "../trace/spanline.ts";
import { detailOf } from "./detail.ts";
import { outlineOf } from "./outline.ts";
import { type Happening, History } from "./story.ts";
import { happeningOf } from "./telling.ts";

const first = "0mwwpbtf46f4046a3f5fe";
const second = "0mwwpbtg17fffc9dbc39f";
const notice = "0mwwpbtl3869de2b77610";

function line(msg: string, fields: Readonly<Record<string, unknown>> = {}): Happening {
  const happening = happeningOf("mail.outbound-0", {
    msg,
    time: "2026-11-23T12:00:01.000Z",
    spoolId: first,
    domain: "example.com",
    ...fields,
  });
  assert.ok(happening !== undefined);
  return happening;
}

function captured(fields: Partial<CapturedMessage> & { readonly ids?: string[] } = {}): Happening {
  const { ids = [first], ...rest } = fields;
  return {
    kind: "captured",
    message: {
      receivedAt: "2026-11-23T12:00:01.500Z",
      file: "one.eml",
      sizeBytes: 700,
      from: "shop@example.com",
      to: ["anna@example.net"],
      dkim: "pass",
      signatures: [],
      summary: { subject: "Your receipt", receivedIds: ids, isNotice: false, attachments: 2 },
      ...rest,
    },
  };
}

function received(spoolId: string, traceId: string, parentSpanId?: string): Happening {
  return span(spoolId, { traceId, name: "smtp.receive", kind: "SERVER", startMs: 1, parentSpanId });
}

/** Before anything is received there, and it ends later. */
function sent(spoolId: string, traceId: string, fields: Readonly<Record<string, unknown>> = {}): Happening {
  return span(spoolId, { traceId, name: "smtp.send", kind: "CLIENT", startMs: 0, spanId: sentId, ...fields });
}

const sentId = "b".repeat(16);

function span(spoolId: string, fields: Readonly<Record<string, unknown>>): Happening {
  const read = parseSpanLine({
    msg: "span",
    spanId: spoolId.slice(-12).padStart(16, "0"),
    endMs: 2,
    attributes: { "mailboat.spool.id": spoolId },
    status: { code: "UNSET" },
    ...fields,
  });
  assert.ok(read !== undefined);
  return { kind: "span", pod: "mail.edge-0", span: read };
}

function historyOf(...happenings: readonly Happening[]): History {
  const history = new History();
  for (const happening of happenings) history.take(happening);
  return history;
}

const answer: Happening = {
  kind: "answer",
  answer: {
    at: "2026-11-23T12:00:01.000Z",
    id: "mww.1",
    from: "shop@example.com",
    to: ["refuse@example.net"],
    reply: "550 5.1.1 is no user here",
  },
};
const accepted = line("accepted", { listener: "submission", sizeBytes: 500, recipients: 3 });
const two = line("delivered", {
  recipients: 2,
  recipientDomain: "example.net",
  code: 250,
  reply: "captured as one.eml",
});
const one = line("failed", {
  recipients: 1,
  recipientDomain: "example.net",
  code: 550,
  enhanced: "5.1.1",
  reply: "5.1.1 is no user here [answer mww.1]",
  attempt: 1,
});
const deferred = line("deferred", {
  recipients: 3,
  code: 451,
  reply: "not now",
  attempt: 2,
  dueAt: "2026-11-23T12:00:05.000Z",
});

const standings: readonly (readonly [name: string, happenings: readonly Happening[], standing: string])[] = [
  ["accepted", [accepted], "waiting"],
  ["accepted and put off", [accepted, deferred], "retrying"],
  ["put off, then delivered", [accepted, deferred, line("delivered", { recipients: 3 })], "delivered"],
  ["kept by its relay", [accepted, line("captured", { recipients: 3 })], "captured"],
  ["two kept, one left", [accepted, deferred, line("captured", { recipients: 2 })], "retrying"],
  ["two kept, one failed", [accepted, line("captured", { recipients: 2 }), one], "partly bounced"],
  ["two delivered, one left", [accepted, deferred, two], "retrying"],
  ["two delivered, one failed", [accepted, two, one], "partly bounced"],
  ["all failed", [accepted, line("failed", { recipients: 3 })], "bounced"],
  ["refused before it was taken", [line("refused", { spoolId: undefined, code: 530, reply: "log in" })], "refused"],
  ["captured, from a stranger", [captured({ ids: [] })], "captured"],
  ["captured before the relay says so", [accepted, captured()], "waiting"],
];
for (const [name, happenings, standing] of standings) {
  test(`a message that was ${name} is ${standing}`, () => {
    const history = historyOf(...happenings);
    assert.deepEqual(
      history.stories.map((story) => outlineOf(story, history).standing),
      [standing],
    );
  });
}

test("log lines, answers and files of one message are one story, in whatever order they come", () => {
  for (const order of [
    [accepted, answer, captured(), two, one],
    [captured(), answer, accepted, one, two],
  ]) {
    const history = historyOf(...order);
    const [outline, ...others] = history.stories.map((story) => outlineOf(story, history));
    assert.deepEqual(others, []);
    assert.deepEqual(
      [outline?.subject, outline?.from, outline?.to, outline?.reply, outline?.attachments, outline?.dkim],
      [
        "Your receipt",
        "shop@example.com",
        ["anna@example.net", "refuse@example.net"],
        "550 5.1.1 is no user here",
        2,
        "pass",
      ],
    );
  }
});

test("the next relay's part is the same story when its Received field or its trace says so", () => {
  const next = line("accepted", { spoolId: second, time: "2026-11-23T12:00:01.100Z" });
  const byFile = historyOf(accepted, next, captured({ ids: [second, first] }));
  const trace = "a".repeat(32);
  const taken = [next, received(second, trace, sentId)];
  const bySentFirst = historyOf(accepted, received(first, trace), sent(first, trace), ...taken);
  const byTakenFirst = historyOf(accepted, received(first, trace), ...taken, sent(first, trace));
  for (const history of [byFile, bySentFirst, byTakenFirst]) {
    assert.deepEqual(
      history.stories.map((story) => [story.id, [...story.spoolIds]]),
      [[first, [first, second]]],
    );
    assert.equal(history.find(second)?.id, first);
  }
});

test("two messages of one trace are two stories, and so are those of a hop that failed", () => {
  const trace = "a".repeat(32);
  const parent = "c".repeat(16);
  for (const history of [
    historyOf(received(first, trace, parent), received(second, trace, parent)),
    historyOf(sent(first, trace, { status: { code: "ERROR" } }), received(second, trace, sentId)),
  ])
    assert.deepEqual(
      history.stories.map(({ id }) => id),
      [first, second],
    );
});

test("a notice and the message it is about lead to each other", () => {
  const history = historyOf(
    accepted,
    captured(),
    one,
    line("bounced", { noticeId: notice }),
    captured({
      file: "two.eml",
      from: "",
      summary: {
        subject: "Undelivered",
        receivedIds: [notice],
        isNotice: true,
        noticeTo: ["x@example.net"],
        noticeAction: "failed",
      },
    }),
  );
  const [original, bounce] = history.stories;
  assert.ok(original !== undefined && bounce !== undefined);
  assert.deepEqual(detailOf(original, history).steps.at(-1)?.notice, notice);
  assert.deepEqual(detailOf(bounce, history).noticeOf, { id: first, subject: "Your receipt" });
  assert.equal(outlineOf(bounce, history).isNotice, true);
  assert.deepEqual(outlineOf(bounce, history).about, {
    to: ["x@example.net"],
    subject: "Your receipt",
    action: "failed",
  });
  assert.equal(outlineOf(original, history).about, undefined);
});

test("the subject of what never arrived is that of the message in its notice", () => {
  const history = historyOf(accepted, line("failed", { recipients: 3 }), line("bounced", { noticeId: notice }));
  const summary = { subject: "Undelivered", receivedIds: [notice], isNotice: true, returnedSubject: "Your parcel" };
  assert.deepEqual(history.take(captured({ file: "two.eml", from: "", summary })), [notice, first]);
  const [original] = history.stories;
  assert.ok(original !== undefined);
  assert.equal(outlineOf(original, history).subject, "Your parcel");
});

test("only the newest messages are kept, and what comes for a forgotten one starts anew", () => {
  const history = new History(2);
  const ids = [first, second, notice];
  for (const spoolId of ids) history.take(line("accepted", { spoolId }));
  assert.deepEqual(
    history.stories.map((story) => story.id),
    [second, notice],
  );
  assert.equal(history.find(first), undefined);
});

test("a message that is tried for ever keeps its beginning and its newest entries", () => {
  const history = historyOf(accepted);
  for (let attempt = 1; attempt <= 1_000; attempt += 1) history.take(line("deferred", { attempt }));
  const told = history.stories[0]?.told ?? [];
  assert.equal(told.length, 400);
  assert.deepEqual([told[0]?.event.msg, told.at(-1)?.event.attempt], ["accepted", 1_000]);
});

test("a forgotten message stays forgotten when its last lines come late, and in the next run", () => {
  const history = historyOf(accepted, captured(), two);
  const [story] = history.stories;
  assert.ok(story !== undefined);
  const names = history.forget(story);
  assert.deepEqual(names, [first, first, "one.eml"]);
  for (const late of [one, received(first, "a".repeat(32)), line("bounced", { noticeId: notice })]) history.take(late);
  assert.deepEqual([history.stories, history.find(first), history.find("one.eml")], [[], undefined, undefined]);
  const next = historyOf(accepted, two, one);
  next.forgetNames(names);
  next.take(one);
  assert.deepEqual(next.stories, []);
});

test("a captured file is listed, whatever was forgotten before it came", () => {
  const history = historyOf(accepted);
  const [story] = history.stories;
  assert.ok(story !== undefined);
  history.forget(story);
  history.take(captured());
  history.take(two);
  assert.deepEqual(
    history.stories.map(({ id, told }) => [id, told.length]),
    [[first, 1]],
  );
});

test("a refused message has the same name in each run, and two that agree in everything have two", () => {
  const refused = { spoolId: undefined, code: 550, listener: "smtp" };
  const lines = [line("refused", refused), line("refused", refused), line("refused", { ...refused, code: 451 })];
  const names = historyOf(...lines).stories.map(({ id }) => id);
  assert.equal(new Set(names).size, 3);
  assert.deepEqual(
    historyOf(accepted, ...lines).stories.map(({ id }) => id),
    [first, ...names],
  );
  const history = historyOf(...lines);
  history.forgetNames(names.slice(0, 1));
  assert.deepEqual(
    history.stories.map(({ id }) => id),
    names.slice(1),
  );
  history.take(line("refused", refused));
  assert.equal(history.stories.length, 3);
});

test("what a history is made of makes the same one again", () => {
  const history = historyOf(
    accepted,
    received(first, "a".repeat(32)),
    answer,
    one,
    line("deferred", { spoolId: second }),
  );
  const again = historyOf(...history.happenings());
  assert.deepEqual(
    again.stories.map((story) => detailOf(story, again)),
    history.stories.map((story) => detailOf(story, history)),
  );
});
