import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpanLine } from "../../runtime/tracing/trace.ts";
import { createHopTracer, type DeliverHop } from "../observe/hop.ts";
import type { HostAnswer } from "../mail/hostanswer.ts";
import type { Message, Recipient } from "../spool/message/message.ts";
import { domainSettingsOf, newMessage, relayDocumentOf, snapshotOf } from "../../test/support/relayvalues.ts";
import { decideAttempt, type Attempted } from "./decide.ts";
import { tracedAt } from "../../test/support/tracing/spanlines.ts";

const snapshot = snapshotOf(relayDocumentOf(), [domainSettingsOf("example.com")]);

async function decideTraced(
  message: Message,
  answers: ReadonlyMap<Recipient, HostAnswer>,
): Promise<{ readonly attempted: Attempted; readonly hop: DeliverHop; readonly spans: readonly SpanLine[] }> {
  const { telemetry, spans } = await tracedAt(1);
  const now = message.acceptedAt;
  const hop = createHopTracer(telemetry).deliver({ message, recipients: [...answers.keys()], now });
  assert.ok(hop !== undefined);
  const attempted = decideAttempt({
    message,
    answers,
    snapshot,
    mode: snapshot.relay.delivery,
    now,
    chance: () => 0.5,
    hop,
  });
  hop.end(attempted.recipients.map(({ outcome }) => outcome));
  return { attempted, hop, spans };
}

type Row = readonly [kind: "deferred" | "failed", recipient?: Partial<Recipient>];

function answersOf(...rows: readonly Row[]): ReadonlyMap<Recipient, HostAnswer> {
  return new Map(
    rows.map(([kind, recipient], index) => [
      { index, address: `rcpt${index}@example.net`, attempts: 1, ...recipient },
      { kind: "trouble", host: "mx.example.net", trouble: { phase: "rcpt", reply: replies[kind] } },
    ]),
  );
}

const replies = {
  failed: { code: 550, enhanced: "5.1.1", text: "no" },
  deferred: { code: 451, enhanced: "4.2.0", text: "no" },
};

test("a deferred recipient keeps the attempt, so that the next one links to it", async () => {
  const { attempted, hop } = await decideTraced(newMessage().message, answersOf(["deferred"]));
  const [first] = attempted.recipients;
  assert.ok(first?.outcome.kind === "deferred");
  assert.equal(first.outcome.attempt, hop.context);
});

test("recipients that failed together are one bounce, which the notice continues", async () => {
  const answers = answersOf(["failed"], ["failed"], ["deferred"]);
  const { attempted, spans } = await decideTraced(newMessage().message, answers);
  const bounces = spans.filter(({ name }) => name === "mail.bounce");
  assert.equal(bounces.length, 1);
  const [notice] = attempted.notices;
  assert.equal(bounces[0]?.attributes["mailboat.notice.id"], notice?.entry.message.id);
  assert.equal(bounces[0]?.attributes["mailboat.recipient.count"], 2);
  assert.match(notice?.entry.message.traceparent ?? "", new RegExp(`-${bounces[0].spanId}-01$`));
});

test("a failure of which nobody is told is a bounce without a notice", async () => {
  const rows: readonly [what: string, message: Message, recipient: Partial<Recipient>][] = [
    ["from nobody", newMessage({ sender: "" }).message, {}],
    ["NOTIFY=NEVER", newMessage().message, { notify: ["NEVER"] }],
  ];
  for (const [what, message, recipient] of rows) {
    const { attempted, spans } = await decideTraced(message, answersOf(["failed", recipient]));
    assert.equal(attempted.notices.length, 0, what);
    const bounces = spans.filter(({ name }) => name === "mail.bounce");
    assert.equal(bounces.length, 1, what);
    assert.equal(bounces[0]?.attributes["mailboat.notice"], undefined, what);
    assert.equal(bounces[0]?.parentSpanId, undefined, what);
  }
});
