import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpanLine } from "../../runtime/tracing/trace.ts";
import { createHopTracer, type DeliverHop } from "../observe/hop.ts";
import type { Message, Recipient } from "../spool/entry.ts";
import type { Fate } from "./attempt.ts";
import { domainSettingsOf, newMessage, relayDocumentOf, snapshotOf } from "../../test/support/relayvalues.ts";
import { traceConclusion } from "./record.ts";
import { concludeAttempt, type Conclusion } from "./settlement.ts";
import { tracedAt } from "../../test/support/tracing/spanlines.ts";

const snapshot = snapshotOf(relayDocumentOf(), [domainSettingsOf("example.com")]);

async function conclude(
  message: Message,
  fates: readonly Fate[],
): Promise<{ readonly conclusion: Conclusion; readonly hop: DeliverHop; readonly spans: readonly SpanLine[] }> {
  const { telemetry, spans } = await tracedAt(1);
  const recipients = fates.map(({ recipient }) => recipient);
  const now = message.acceptedAt;
  const hop = createHopTracer(telemetry).deliver({ message, recipients, now });
  assert.ok(hop !== undefined);
  const plain = concludeAttempt({ message, fates, snapshot, now, chance: () => 0.5 });
  assert.equal(traceConclusion(plain, undefined), plain, "nothing changes while nothing is traced");
  const conclusion = traceConclusion(plain, hop);
  hop.end(conclusion.results.map(({ outcome }) => outcome));
  return { conclusion, hop, spans };
}

function fate(kind: "deferred" | "failed", recipient: Partial<Recipient> = {}): Fate {
  const reply = { code: kind === "failed" ? 550 : 451, enhanced: kind === "failed" ? "5.1.1" : "4.2.0", text: "no" };
  const { index = 0 } = recipient;
  return {
    kind: "undelivered",
    recipient: { index, address: `rcpt${index}@example.net`, attempts: 1, ...recipient },
    verdict: { kind, scope: "recipient", reply },
    phase: "rcpt",
    nextHop: "mx.example.net",
  };
}

test("a deferred recipient keeps the attempt, so that the next one links to it", async () => {
  const { conclusion, hop } = await conclude(newMessage().message, [fate("deferred")]);
  const [result] = conclusion.results;
  assert.ok(result?.outcome.kind === "deferred");
  assert.equal(result.outcome.attempt, hop.context);
});

test("recipients that failed together are one bounce, which the notice continues", async () => {
  const fates = [fate("failed"), fate("failed", { index: 1 }), fate("deferred", { index: 2 })];
  const { conclusion, spans } = await conclude(newMessage().message, fates);
  const bounces = spans.filter(({ name }) => name === "mail.bounce");
  assert.equal(bounces.length, 1);
  const [notice] = conclusion.notices;
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
    const { conclusion, spans } = await conclude(message, [fate("failed", recipient)]);
    assert.equal(conclusion.notices.length, 0, what);
    const bounces = spans.filter(({ name }) => name === "mail.bounce");
    assert.equal(bounces.length, 1, what);
    assert.equal(bounces[0]?.attributes["mailboat.notice"], undefined, what);
    assert.equal(bounces[0]?.parentSpanId, undefined, what);
  }
});
