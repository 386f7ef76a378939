import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { failureWords, openExporter, tracesUrl } from "./exporter.ts";
import type { SpanRecord } from "./spanrecord.ts";

const span: SpanRecord = {
  name: "smtp.send",
  kind: SpanKind.CLIENT,
  context: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: 1 },
  parent: undefined,
  startedAt: 1_700_000_000_000.25,
  endedAt: 1_700_000_000_001.5,
  attributes: { "server.port": 25 },
  events: [],
  links: [],
  status: SpanStatusCode.UNSET,
};

const names = {
  endpoint: "spec.tracing.endpoint",
  headers: "spec.tracing.headersSecretName",
  ca: "spec.tracing.caSecretName",
};
const options = { names, resource: { "service.name": "test" } };

async function serve(
  t: TestContext,
  status: number,
): Promise<{ readonly url: string; readonly asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(incoming);
    incoming.resume();
    incoming.once("end", () => outgoing.writeHead(status).end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

test("a batch is posted as protobuf to /v1/traces, with the headers", async (t) => {
  const { url, asked } = await serve(t, 200);
  const exporter = openExporter(url, { headers: { authorization: "Bearer t0ken" } }, options);
  assert.equal(await exporter.export([span]), undefined);
  const [request] = asked;
  assert.equal(request?.method, "POST");
  assert.equal(request.url, "/v1/traces");
  assert.equal(request.headers["content-type"], "application/x-protobuf");
  assert.equal(request.headers["authorization"], "Bearer t0ken");
});

test("a refusal is told in words that name the field", async (t) => {
  const rows: readonly [status: number, words: RegExp][] = [
    [401, /401.*spec\.tracing\.headersSecretName/],
    [403, /403.*spec\.tracing\.headersSecretName/],
    [404, /404.*spec\.tracing\.endpoint/],
    [400, /400/],
  ];
  for (const [status, words] of rows) {
    const { url } = await serve(t, status);
    assert.match((await openExporter(url, { headers: {} }, options).export([span])) ?? "", words);
  }
});

test("the path is added to the endpoint once", () => {
  const rows: readonly [endpoint: string, url: string][] = [
    ["http://collector:4318", "http://collector:4318/v1/traces"],
    ["http://collector:4318/", "http://collector:4318/v1/traces"],
    ["https://collector/otlp//", "https://collector/otlp/v1/traces"],
    ["https://collector/otlp?key=1", "https://collector/otlp/v1/traces?key=1"],
    ["http://collector:4318/v1/traces", "http://collector:4318/v1/traces"],
  ];
  for (const [endpoint, url] of rows) assert.equal(tracesUrl(endpoint), url);
});

test("failureWords() says what to do where it knows", () => {
  const failure = (code: string, message = `failed ${code}`): Error => Object.assign(new Error(message), { code });
  const rows: readonly [error: unknown, words: RegExp][] = [
    [failure("ECONNREFUSED"), /nothing listens at spec\.tracing\.endpoint/],
    [failure("ENOTFOUND"), /does not resolve/],
    [failure("SELF_SIGNED_CERT_IN_CHAIN"), /spec\.tracing\.caSecretName/],
    [failure("ERR_TLS_CERT_ALTNAME_INVALID"), /spec\.tracing\.caSecretName/],
    [failure("ECONNRESET", "socket hang up"), /^socket hang up \(ECONNRESET\)$/],
    ["nothing", /did not take them/],
  ];
  for (const [error, words] of rows) assert.match(failureWords(error, names), words);
});
