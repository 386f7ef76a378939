import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { createLog } from "../../runtime/log.ts";
import { createTelemetry } from "../../runtime/telemetry.ts";
import type { SpanLine } from "../../runtime/tracing/trace.ts";
import { newMessage } from "../../test/support/relayvalues.ts";
import type { Message, Recipient } from "../spool/message/message.ts";
import type { Outcome } from "../spool/verbs.ts";
import { createHopTracer, sameTraceMs, type DeliverHop, type HopTracer, type ReceiveFacts } from "./hop.ts";
import { noTraceFields } from "../mail/tracefields.ts";
import { tracedAt } from "../../test/support/tracing/spanlines.ts";

interface Bench {
  readonly hops: HopTracer;
  readonly spans: readonly SpanLine[];
  span(name: string): SpanLine;
}

async function bench(samplingRatio: number): Promise<Bench> {
  const { telemetry, spans } = await tracedAt(samplingRatio);
  return {
    hops: createHopTracer(telemetry),
    spans,
    span(name) {
      const found = spans.filter((each) => each.name === name);
      assert.equal(found.length, 1, `${found.length} spans ${name}`);
      const [only] = found;
      assert.ok(only !== undefined);
      return only;
    },
  };
}

const remote = { trace: "0af7651916cd43dd8448eb211c80319c", span: "b7ad6b7169203331" };

function received(facts: Partial<ReceiveFacts> & { readonly flags?: string } = {}): ReceiveFacts {
  const { flags, ...rest } = facts;
  const fields =
    flags === undefined
      ? noTraceFields
      : { traceparent: [`00-${remote.trace}-${remote.span}-${flags}`], tracestate: [] };
  return {
    startedAt: Date.now(),
    listener: "submission",
    peerAddress: "127.0.0.1",
    authenticated: true,
    trusted: true,
    fields,
    events: [],
    senderDomain: "example.com",
    ...rest,
  };
}

const accepted = { reply: { code: 250, enhanced: "2.6.0" }, attributes: {} };

/** A message that was received and spooled. */
function spool({ hops }: Bench, facts = received()): Message {
  const { message } = newMessage();
  const hop = hops.receive(facts);
  assert.ok(hop !== undefined);
  const traceparent = hop.spool(message.id, message.domain);
  hop.end(accepted);
  return { ...message, traceparent };
}

const first: Recipient = { index: 0, address: "someone@example.org", attempts: 1 };
const delivered: Outcome = { kind: "delivered", index: 0, reply: { code: 250, text: "ok" } };
const failed: Outcome = { kind: "failed", index: 0, reply: { code: 550, enhanced: "5.1.1", text: "no" } };

interface Attempt {
  readonly recipient?: Recipient;
  readonly afterMs?: number;
}

function deliver({ hops }: Bench, message: Message, attempt: Attempt = {}): DeliverHop {
  const { recipient = first, afterMs = 0 } = attempt;
  const hop = hops.deliver({ message, recipients: [recipient], now: message.acceptedAt + afterMs });
  assert.ok(hop !== undefined);
  return hop;
}

const idsOf = ({ traceId, spanId }: SpanLine): { traceId: string; spanId: string } => ({ traceId, spanId });

test("without endpoint and sink there is no hop, and the SDK is not loaded", async () => {
  const telemetry = createTelemetry({
    resource: {},
    names: { endpoint: "endpoint", headers: "headers", ca: "ca" },
    log: createLog({ level: "silent", program: "test" }),
    counts: { spansExported: () => undefined, spansDropped: () => undefined },
  });
  const loaded: string[] = [];
  const hooks = registerHooks({
    load: (url, context, next) => {
      loaded.push(url);
      return next(url, context);
    },
  });
  await telemetry.configure({ samplingRatio: 1, headers: {} });
  assert.equal(loaded.length, 0);
  const hops = createHopTracer(telemetry);
  assert.equal(hops.isActive, false);
  assert.equal(hops.receive(received()), undefined);
  assert.equal(hops.deliver({ message: newMessage().message, recipients: [first], now: 0 }), undefined);
  await telemetry.configure({ endpoint: "http://127.0.0.1:9", samplingRatio: 1, headers: {} });
  assert.equal(hops.isActive, true);
  assert.ok(loaded.some((url) => url.includes("@opentelemetry/sdk-trace")));
  hooks.deregister();
  await telemetry.configure({ samplingRatio: 1, headers: {} });
  assert.equal(hops.isActive, false);
  await telemetry.close(0);
});

test("a context that was sent is the parent for who is trusted, a link for others", async () => {
  const rows: readonly [what: string, facts: ReceiveFacts, as: "parent" | "link" | "nothing"][] = [
    ["trusted", received({ flags: "01" }), "parent"],
    ["not trusted", received({ flags: "01", trusted: false }), "link"],
    ["none sent", received(), "nothing"],
    ["invalid", received({ fields: { traceparent: ["00-x"], tracestate: [] } }), "nothing"],
  ];
  for (const [what, facts, as] of rows) {
    const stage = await bench(1);
    spool(stage, facts);
    const receive = stage.span("smtp.receive");
    assert.equal(receive.traceId === remote.trace, as === "parent", what);
    assert.equal(receive.parentSpanId, as === "parent" ? remote.span : undefined, what);
    assert.deepEqual(receive.links, as === "link" ? [{ traceId: remote.trace, spanId: remote.span }] : [], what);
    assert.equal(stage.span("mail.spool").parentSpanId, receive.spanId, what);
  }
});

test("a trusted parent decides about sampling, an untrusted one does not", async () => {
  const rows: readonly [ratio: number, facts: ReceiveFacts, spans: number][] = [
    [0, received({ flags: "01" }), 2],
    [1, received({ flags: "00" }), 0],
    [0, received({ flags: "01", trusted: false }), 0],
    [1, received({ flags: "00", trusted: false }), 2],
    [0, received(), 0],
    [1, received(), 2],
  ];
  for (const [ratio, facts, count] of rows) {
    const stage = await bench(ratio);
    spool(stage, facts);
    assert.equal(stage.spans.length, count, JSON.stringify([ratio, facts.fields, facts.trusted]));
  }
});

test("the ratio is that of the messages", async () => {
  const stage = await bench(0.25);
  for (let count = 0; count < 2_000; count += 1) spool(stage);
  const share = stage.spans.filter(({ name }) => name === "smtp.receive").length / 2_000;
  assert.ok(share > 0.2 && share < 0.3, String(share));
});

test("the first attempt within a minute is in the message's trace; what comes later is a root with links", async () => {
  const rows: readonly [what: string, attempt: Attempt, isChild: boolean][] = [
    ["at once", {}, true],
    ["just within the minute", { afterMs: sameTraceMs - 1 }, true],
    ["a minute later", { afterMs: sameTraceMs }, false],
    ["second attempt", { recipient: { ...first, attempts: 2 } }, false],
  ];
  for (const [what, attempt, isChild] of rows) {
    const stage = await bench(1);
    const message = spool(stage);
    deliver(stage, message, attempt).end([delivered]);
    const spooled = stage.span("mail.spool");
    const span = stage.span("mail.deliver");
    assert.equal(span.traceId === spooled.traceId, isChild, what);
    assert.equal(span.parentSpanId, isChild ? spooled.spanId : undefined, what);
    assert.deepEqual(span.links, isChild ? [] : [idsOf(spooled)], what);
  }
});

test("a retry links to the attempt before, and follows the decision for the message", async () => {
  for (const ratio of [0, 1]) {
    const stage = await bench(ratio);
    const message = spool(stage);
    const before = deliver(stage, message);
    const lastAttempt = before.context;
    before.end([{ kind: "deferred", index: 0, reply: { code: 451, text: "later" }, dueAt: 0 }]);
    deliver(stage, message, { recipient: { ...first, attempts: 2, lastAttempt } }).end([delivered]);
    const attempts = stage.spans.filter(({ name }) => name === "mail.deliver");
    assert.equal(attempts.length, ratio * 2);
    const [one, two] = attempts;
    if (one !== undefined) assert.deepEqual(two?.links, [idsOf(stage.span("mail.spool")), idsOf(one)]);
  }
});

test("a final failure is a sampled root with links, whatever was decided, and its notice continues it", async () => {
  for (const ratio of [0, 1]) {
    const stage = await bench(ratio);
    const message = spool(stage);
    const hop = deliver(stage, message);
    const notice = newMessage().message;
    const recipients = [{ ...first, address: "nobody@example.org" }];
    const facts = { notice: { action: "failed", id: notice.id }, recipients, reply: failed.reply, failed: true };
    const traceparent = hop.bounce(facts);
    assert.equal(
      stage.spans.some(({ name }) => name === "mail.bounce"),
      false,
      "it ends when it is durable",
    );
    hop.end([failed]);
    const bounce = stage.span("mail.bounce");
    assert.equal(bounce.parentSpanId, undefined);
    assert.equal(bounce.links.length, 2);
    assert.equal(bounce.links[0]?.traceId, message.traceparent?.split("-")[1]);
    assert.equal(bounce.attributes["mailboat.spool.id"], message.id);
    assert.equal(bounce.attributes["smtp.reply.enhanced_code"], "5.1.1");
    assert.equal(bounce.status.code, "ERROR");
    deliver(stage, { ...notice, traceparent }).end([delivered]);
    assert.equal(stage.spans.at(-1)?.parentSpanId, bounce.spanId);
  }
});

test("a notice of anything but a failure belongs to the attempt", async () => {
  const stage = await bench(1);
  const hop = deliver(stage, spool(stage));
  const notice = { action: "delayed", id: newMessage().message.id };
  hop.bounce({ notice, recipients: [first], reply: { code: 451 }, failed: false });
  hop.end([{ kind: "deferred", index: 0, reply: { code: 451, text: "later" }, dueAt: 0 }]);
  assert.equal(stage.span("mail.bounce").parentSpanId, stage.span("mail.deliver").spanId);
  assert.equal(stage.span("mail.bounce").attributes["mailboat.notice"], "delayed");
});

test("an attempt that never became durable tells no bounce", async () => {
  const stage = await bench(1);
  const hop = deliver(stage, spool(stage));
  hop.bounce({ notice: undefined, recipients: [first], reply: failed.reply, failed: true });
  hop.end(undefined);
  hop.end([failed]);
  assert.equal(stage.span("mail.deliver").attributes["mailboat.outcome"], "abandoned");
  assert.equal(
    stage.spans.some(({ name }) => name === "mail.bounce"),
    false,
  );
});

test("a send tells whom it met and what was said, in codes", async () => {
  const stage = await bench(1);
  const message = spool(stage);
  const hop = deliver(stage, message);
  const send = hop.send({ host: "mx.example.org", port: 25 });
  send.connected({ peerAddress: "192.0.2.1", tlsVersion: "1.3" });
  send.end([
    { kind: "accepted", reply: { code: 250, enhanced: "2.0.0", text: "taken" }, dsn: false },
    { kind: "trouble", trouble: { phase: "rcpt", reply: { code: 550, enhanced: "5.1.1", text: "no such user" } } },
  ]);
  hop.end([delivered, { ...failed, index: 1 }]);
  const span = stage.span("smtp.send");
  assert.deepEqual(span.attributes, {
    "mailboat.spool.id": message.id,
    "server.address": "mx.example.org",
    "server.port": 25,
    "network.peer.address": "192.0.2.1",
    "tls.protocol.version": "1.3",
    "mailboat.outcome": "mixed",
    "mailboat.recipient.count": 2,
    "smtp.reply.code": 550,
    "smtp.reply.enhanced_code": "5.1.1",
    "error.type": "550",
  });
  assert.deepEqual(
    span.events.map(({ name, attributes }) => ({ name, attributes })),
    [{ name: "refused", attributes: { "smtp.reply.code": 550, "smtp.reply.enhanced_code": "5.1.1" } }],
  );
  assert.equal(span.parentSpanId, stage.span("mail.deliver").spanId);
  assert.equal(stage.span("mail.deliver").attributes["mailboat.outcome"], "mixed");
});
