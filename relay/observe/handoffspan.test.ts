import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpanLine } from "../../runtime/tracing/trace.ts";
import { newMessage } from "../../test/support/relayvalues.ts";
import { createHandoffTracer, type HandoffTracer } from "./handoffspan.ts";
import { sameTraceMs } from "./hop.ts";
import { tracedAt } from "../../test/support/tracing/spanlines.ts";

const trace = "0af7651916cd43dd8448eb211c80319c";
const spooled = `00-${trace}-b7ad6b7169203331`;
const lastAttempt = `00-${"1".repeat(32)}-00f067aa0ba902b7-01`;
const peer = { name: "outbound-0", host: "outbound-0.peers", port: 9465 };

async function bench(
  samplingRatio: number,
): Promise<{ readonly tracer: HandoffTracer; readonly spans: readonly SpanLine[] }> {
  const { telemetry, spans } = await tracedAt(samplingRatio);
  return { tracer: createHandoffTracer(telemetry), spans };
}

function factsOf(flags: string, afterMs: number): Parameters<HandoffTracer["give"]>[0] {
  const { message } = newMessage({ traceparent: `${spooled}-${flags}` });
  const recipients = [{ index: 0, address: "someone@example.org", attempts: 2, lastAttempt }];
  return { message, recipients, now: message.acceptedAt + afterMs, peer };
}

test("soon after the acceptance a hand-off is part of the message's trace, and the taker's span is below the giver's", async () => {
  const { tracer, spans } = await bench(0);
  const facts = factsOf("01", 1_000);
  const given = tracer.give(facts);
  assert.ok(given !== undefined);
  assert.equal(given.traceId, trace);
  const taken = tracer.take({ ...facts, context: given.context });
  taken?.end("taken");
  given.end("taken");
  const [below, above] = spans;
  assert.ok(above !== undefined && below !== undefined);
  assert.deepEqual([above.traceId, above.parentSpanId, above.kind], [trace, "b7ad6b7169203331", "CLIENT"]);
  assert.deepEqual([below.traceId, below.parentSpanId, below.kind], [trace, above.spanId, "SERVER"]);
  assert.deepEqual(above.attributes, {
    "mailboat.spool.id": facts.message.id,
    "mailboat.sender.domain": "example.com",
    "mailboat.recipient.domains": ["example.org"],
    "mailboat.recipient.count": 1,
    "mailboat.outcome": "taken",
    "server.address": "outbound-0.peers",
    "server.port": 9465,
  });
  assert.equal(above.status.code, "UNSET");
});

test("later a hand-off is a root with links to the spool span and the last attempt, sampled as they were", async () => {
  const { tracer, spans } = await bench(0);
  const given = tracer.give(factsOf("00", sameTraceMs));
  given?.end("refused");
  const [span] = spans;
  assert.ok(span !== undefined && spans.length === 1);
  assert.notEqual(span.traceId, trace);
  assert.equal(span.parentSpanId, undefined);
  assert.deepEqual(
    span.links.map(({ traceId }) => traceId),
    [trace, "1".repeat(32)],
  );
  assert.equal(span.attributes["error.type"], "refused");
  assert.equal(span.status.code, "ERROR");
});

test("a message that is not sampled leaves no span, and its context goes along all the same", async () => {
  const { tracer, spans } = await bench(1);
  const facts = factsOf("00", 1_000);
  const given = tracer.give(facts);
  assert.equal(given?.traceId, undefined);
  assert.match(given?.context ?? "", new RegExp(`^00-${trace}-[0-9a-f]{16}-00`));
  tracer.take({ ...facts, context: given?.context })?.end("taken");
  given?.end("taken");
  assert.deepEqual(spans, []);
});

test("while nothing is traced there is no span", () => {
  const tracer = createHandoffTracer({ tracing: undefined });
  assert.equal(tracer.give(factsOf("01", 0)), undefined);
  assert.equal(tracer.take({ ...factsOf("01", 0), context: `${spooled}-01` }), undefined);
});
