import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpanLine } from "../../runtime/tracing/trace.ts";
import { parseHeader } from "../mail/header.ts";
import { refusal } from "../mail/reply.ts";
import { createHopTracer, noHopTracer } from "../observe/hop.ts";
import { spoolIdOf } from "../spool/message/id.ts";
import { SessionTrace } from "./sessiontrace.ts";
import { tracedAt } from "../../test/support/tracing/spanlines.ts";

const opening = { listener: "submission", peerAddress: "192.0.2.7" };
const id = spoolIdOf(1_700_000_000_000, Buffer.alloc(6));
const accepted = { code: 250, enhanced: "2.6.0", text: "ok" };

async function session(): Promise<{ readonly trace: SessionTrace; readonly spans: readonly SpanLine[] }> {
  const { telemetry, spans } = await tracedAt(1);
  return { trace: new SessionTrace(createHopTracer(telemetry), opening), spans };
}

/** From MAIL to the 250. */
function take(trace: SessionTrace): ReturnType<SessionTrace["accepted"]> {
  trace.mailAsked();
  trace.mailFrom("example.com");
  trace.mailAdmitted();
  trace.spooling(id, "example.com");
  return trace.accepted(accepted, { sizeBytes: 10, recipients: 1 });
}

const outcomes = (spans: readonly SpanLine[]): unknown[] =>
  spans.filter(({ name }) => name === "smtp.receive").map(({ attributes }) => attributes["mailboat.outcome"]);
const events = (span: SpanLine | undefined): string[] => (span?.events ?? []).map(({ name }) => name);

test("the first message of a session has its HELO, TLS and AUTH, the next one only what is new", async () => {
  const { trace, spans } = await session();
  trace.greeted();
  trace.secured("TLSv1.3");
  trace.greeted();
  trace.loggedIn("PLAIN");
  take(trace);
  take(trace);
  trace.greeted();
  take(trace);
  const receives = spans.filter(({ name }) => name === "smtp.receive");
  assert.deepEqual(receives.map(events), [["HELO", "TLS", "HELO", "AUTH"], [], ["HELO"]]);
  assert.equal(receives[0]?.startMs, receives[0]?.events[0]?.timeMs);
  assert.deepEqual(
    receives.map(({ attributes }) => attributes["mailboat.authenticated"]),
    [true, true, true],
  );
});

test("what is kept with the message is what metrics and log show", async () => {
  const { trace, spans } = await session();
  const { traceparent, traceId } = take(trace);
  const spooled = spans.find(({ name }) => name === "mail.spool");
  assert.equal(traceparent, `00-${traceId}-${spooled?.spanId}-01`);
});

const steps = {
  mail: (trace: SessionTrace) => trace.mailAsked(),
  admit: (trace: SessionTrace) => trace.mailAdmitted(),
  refuse: (trace: SessionTrace) => trace.refused(refusal(550, "5.7.1", "no")),
  spool: (trace: SessionTrace) => void trace.spooling(id, "example.com"),
  accept: (trace: SessionTrace) => void trace.accepted(accepted, { sizeBytes: 1, recipients: 1 }),
  reset: (trace: SessionTrace) => trace.reset(),
} as const;

const ends: readonly [what: string, run: readonly (keyof typeof steps)[], outcomes: readonly string[]][] = [
  ["nothing was asked", ["reset"], []],
  ["refused before MAIL", ["refuse"], []],
  ["MAIL refused", ["mail", "refuse", "reset"], ["refused"]],
  ["given up", ["mail", "admit", "reset", "reset"], ["abandoned"]],
  ["every recipient refused", ["mail", "admit", "refuse", "refuse", "reset"], ["refused"]],
  ["one recipient refused", ["mail", "admit", "refuse", "spool", "accept", "reset"], ["accepted"]],
  ["the spool refused", ["mail", "admit", "spool", "refuse", "reset"], ["refused"]],
];

test("each end of a transaction is one span", async () => {
  for (const [what, run, expected] of ends) {
    const { trace, spans } = await session();
    for (const step of run) steps[step](trace);
    assert.deepEqual(outcomes(spans), expected, what);
    for (const { attributes, status } of spans)
      assert.equal(status.code === "ERROR", Number(attributes["smtp.reply.code"] ?? 0) >= 400, what);
  }
});

test("who sent a context is asked for only when one was sent", async () => {
  const header = (text: string): Extract<ReturnType<typeof parseHeader>, { kind: "header" }> => {
    const parsed = parseHeader(Buffer.from(text));
    assert.ok(parsed.kind === "header");
    return parsed;
  };
  const { trace, spans } = await session();
  trace.mailAsked();
  trace.headerRead(header("From: a@example.com\r\n"), () => assert.fail("asked"));
  trace.headerRead(header("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"), () => false);
  trace.reset();
  assert.equal(spans[0]?.links.length, 1);
});

test("a client that talks without end does not make the record grow", async () => {
  const { trace, spans } = await session();
  for (let count = 0; count < 1_000; count += 1) trace.greeted();
  take(trace);
  assert.equal(events(spans.at(-1)).length, 32);
});

test("nothing is noted while nothing is traced", () => {
  const trace = new SessionTrace(noHopTracer, opening);
  trace.greeted();
  assert.deepEqual(take(trace), { traceparent: undefined, traceId: undefined });
});
