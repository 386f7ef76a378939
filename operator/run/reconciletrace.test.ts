import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { createLog } from "../../runtime/log.ts";
import { createTelemetry, type Telemetry } from "../../runtime/telemetry.ts";
import type { SpanLine } from "../../runtime/tracing/trace.ts";
import type { RequestObserver } from "../kube/client/client.ts";
import { RequestError } from "../kube/client/failure.ts";
import { createReconcileTracer, type ReconcileTracer } from "./reconciletrace.ts";

type Made = Parameters<RequestObserver>[0];

const subject = { kind: "SenderDomain", namespace: "shop", name: "example-com" };

function telemetryInto(spans?: SpanLine[]): Telemetry {
  return createTelemetry({
    resource: {},
    names: { endpoint: "endpoint", headers: "headers", ca: "ca" },
    log: createLog({ level: "silent", program: "test" }),
    counts: { spansExported: () => undefined, spansDropped: () => undefined },
    ...(spans === undefined ? {} : { sink: (line) => spans.push(line) }),
  });
}

async function bench(samplingRatio: number): Promise<{ readonly tracer: ReconcileTracer; readonly spans: SpanLine[] }> {
  const spans: SpanLine[] = [];
  const telemetry = telemetryInto(spans);
  await telemetry.configure({ samplingRatio, headers: {} });
  return { tracer: createReconcileTracer(telemetry), spans };
}

function made(verb: Made["verb"], code: number, object: Partial<NonNullable<Made["object"]>> = {}): Made {
  const whole = { kind: "Secret", namespace: "mail", name: "outbound-shard-3", ...object };
  return { verb, resource: "secrets", code, durationMs: 5, object: whole };
}

const read: Made = { verb: "get", resource: "secrets", code: 200, durationMs: 5 };

/** `root result writes` and below it the children, each `name kind/namespace/name code`, `!` where failed. */
function told(spans: readonly SpanLine[]): readonly string[] {
  return spans.map(({ name, attributes, status }) => {
    const kind = String(attributes["mailboat.object.kind"]);
    const place = `${kind}/${String(attributes["k8s.namespace.name"])}/${String(attributes["mailboat.object.name"])}`;
    const outcome = attributes["mailboat.outcome"];
    const facts =
      outcome === undefined
        ? [attributes["http.response.status_code"], attributes["error.type"]]
        : [outcome, attributes["mailboat.writes"], attributes["error.type"]];
    const text = facts
      .filter((fact) => fact !== undefined)
      .map(String)
      .join(" ");
    return `${status.code === "ERROR" ? "!" : ""}${name} ${place} ${text}`;
  });
}

// First, while this process has no SDK yet.
test("without an endpoint there is no span, and the SDK is not loaded", async () => {
  const loaded: string[] = [];
  const hooks = registerHooks({
    load: (url, context, next) => {
      loaded.push(url);
      return next(url, context);
    },
  });
  const telemetry = telemetryInto();
  await telemetry.configure({ samplingRatio: 1, headers: {} });
  const tracer = createReconcileTracer(telemetry);
  assert.equal(await tracer.follow(subject, async () => Promise.resolve(7)), 7);
  tracer.request(made("patch", 200));
  assert.equal(telemetry.tracing, undefined);
  assert.equal(loaded.length, 0);
  await telemetry.configure({ endpoint: "http://127.0.0.1:9", samplingRatio: 0, headers: {} });
  assert.ok(loaded.some((url) => url.includes("@opentelemetry/sdk-trace")));
  hooks.deregister();
  await telemetry.close(0);
});

const rows: readonly (readonly [string, readonly Made[], Error | undefined, readonly string[]])[] = [
  ["nothing", [], undefined, []],
  ["only reads", [read, read], undefined, []],
  ["only an Event, which is written beside the work", [made("create", 201, { kind: "Event" })], undefined, []],
  [
    "writes",
    [
      read,
      made("patch", 200),
      made("apply", 200, { kind: "SenderDomain", namespace: "shop", name: "example-com", subresource: "status" }),
      made("delete", 200, { kind: "PersistentVolumeClaim", name: "spool-outbound-1" }),
    ],
    undefined,
    [
      "kube.patch Secret/mail/outbound-shard-3 200",
      "kube.status SenderDomain/shop/example-com 200",
      "kube.delete PersistentVolumeClaim/mail/spool-outbound-1 200",
      "operator.reconcile SenderDomain/shop/example-com success 3",
    ],
  ],
  [
    "a write that the server refused, and a reconcile that lived with it",
    [made("apply", 422, { kind: "Service", name: "outbound" })],
    undefined,
    ["!kube.apply Service/mail/outbound 422 422", "operator.reconcile SenderDomain/shop/example-com success 1"],
  ],
  [
    "a write without an answer",
    [made("patch", 0)],
    new RequestError({ kind: "Connection", message: "PATCH /api/v1/namespaces/mail/secrets/x: reset" }),
    [
      "!kube.patch Secret/mail/outbound-shard-3 no answer",
      "!operator.reconcile SenderDomain/shop/example-com failure 1 Connection",
    ],
  ],
  [
    "a failure before any write",
    [read],
    new TypeError("no such thing"),
    ["!operator.reconcile SenderDomain/shop/example-com failure 0 TypeError"],
  ],
];

for (const [what, requests, failure, expected] of rows) {
  test(`a reconcile's trace: ${what}`, async () => {
    const { tracer, spans } = await bench(1);
    const reconcile = async (): Promise<number> => {
      for (const each of requests) {
        await Promise.resolve();
        tracer.request(each);
      }
      if (failure !== undefined) throw failure;
      return 7;
    };
    const done = tracer.follow(subject, reconcile);
    if (failure === undefined) assert.equal(await done, 7);
    else await assert.rejects(done, failure);
    assert.deepEqual(told(spans), expected);
    const root = spans.at(-1);
    for (const child of spans.slice(0, -1)) {
      assert.equal(child.traceId, root?.traceId);
      assert.equal(child.parentSpanId, root?.spanId);
      assert.ok(child.endMs - child.startMs >= 5, "as long as the request");
    }
    assert.ok(!JSON.stringify(spans).includes("no such thing"), "the words of errors stay in the log");
  });
}

test("reconciles at the same time keep their writes apart, and requests of nobody are nobody's", async () => {
  const { tracer, spans } = await bench(1);
  const names = ["a", "b", "c"];
  await Promise.all(
    names.map((name) =>
      tracer.follow({ ...subject, name }, async () => {
        for (let round = 0; round < 3; round += 1) {
          await new Promise((turn) => setImmediate(turn));
          tracer.request(made("patch", 200, { name: `of-${name}` }));
        }
      }),
    ),
  );
  tracer.request(made("patch", 200, { name: "lease" }));
  for (const name of names) {
    const root = spans.find((span) => span.attributes["mailboat.object.name"] === name);
    const children = spans.filter((span) => span.parentSpanId === root?.spanId);
    assert.deepEqual(
      children.map(({ attributes }) => attributes["mailboat.object.name"]),
      Array.from({ length: 3 }, () => `of-${name}`),
    );
  }
  assert.equal(spans.length, 12);
});

test("a trace holds 256 writes at most and counts the rest", async () => {
  const { tracer, spans } = await bench(1);
  await tracer.follow(subject, async () => {
    for (let count = 0; count < 1_000; count += 1) tracer.request(made("patch", 200));
    return Promise.resolve();
  });
  assert.equal(spans.length, 257);
  assert.equal(spans.at(-1)?.attributes["mailboat.writes"], 1_000);
});

test("at ratio 0 only failures are traced, with what was written before", async () => {
  const { tracer, spans } = await bench(0);
  const write = async (): Promise<void> => {
    await Promise.resolve();
    tracer.request(made("patch", 200));
  };
  await tracer.follow(subject, write);
  assert.deepEqual(spans, []);
  await assert.rejects(
    tracer.follow(subject, async () => {
      await write();
      throw new Error("it failed");
    }),
  );
  assert.deepEqual(
    spans.map(({ name }) => name),
    ["kube.patch", "operator.reconcile"],
  );
});
