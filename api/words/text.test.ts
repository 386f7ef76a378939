import assert from "node:assert/strict";
import { test } from "node:test";
import { httpUrl } from "./text.ts";

const urls: readonly [url: string, isOne: boolean][] = [
  ["http://otel-collector:4318", true],
  ["https://otel-collector.observability.svc.cluster.local:4318/otlp?tenant=mail", true],
  ["http://192.0.2.1", true],
  ["http://[2001:db8::1]:4318/", true],
  ["otel-collector:4318", false],
  ["grpc://otel-collector:4317", false],
  ["http://", false],
  ["http://:4318", false],
  ["http://a:b:c", false],
  ["http://a:4318:4317", false],
  ["http://user:password@otel-collector:4318", false],
  ["http://otel collector", false],
  ["http://otel-collector/a b", false],
  ["http://otel_collector", false],
];

test("httpUrl() takes what URL takes, and says at the manifest what URL would say later", () => {
  for (const [url, isOne] of urls) {
    assert.equal(httpUrl().safeParse(url).success, isOne, url);
    if (isOne) assert.ok(URL.canParse(url), url);
  }
});
