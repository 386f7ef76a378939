import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHeader } from "./header.ts";
import { isTrustedNextHop, renderTraceFields, traceFieldsOf } from "./tracefields.ts";

const context = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("trace fields are found whatever their case and folding", () => {
  const header = parseHeader(
    Buffer.from(`From: a@example.com\r\nTraceParent:\r\n ${context}\r\nTRACESTATE: a=1\r\ntracestate: b=2\r\n`),
  );
  assert.ok(header.kind === "header");
  assert.deepEqual(traceFieldsOf(header), { traceparent: [context], tracestate: ["a=1", "b=2"] });
});

test("trace fields are written as they are read", () => {
  assert.equal(renderTraceFields(context), `traceparent: ${context}\r\n`);
  const both = renderTraceFields(`${context} a=1,b=x y`);
  assert.equal(both, `traceparent: ${context}\r\ntracestate: a=1,b=x y\r\n`);
  const header = parseHeader(Buffer.from(both));
  assert.ok(header.kind === "header");
  assert.deepEqual(traceFieldsOf(header), { traceparent: [context], tracestate: ["a=1,b=x y"] });
});

test("a next hop is trusted by its name, and by its port where one is given", () => {
  const trusted = [{ host: "hub.example.net" }, { host: "127.0.0.1", port: 2525 }];
  const hops: readonly [host: string, port: number, trusted: boolean][] = [
    ["hub.example.net", 25, true],
    ["HUB.example.net.", 587, true],
    ["hub.example.net.evil.example", 25, false],
    ["x.hub.example.net", 25, false],
    ["127.0.0.1", 2525, true],
    ["127.0.0.1", 25, false],
  ];
  for (const [host, port, expected] of hops) assert.equal(isTrustedNextHop(trusted, { host, port }), expected, host);
  assert.equal(isTrustedNextHop([], { host: "hub.example.net", port: 25 }), false);
});
