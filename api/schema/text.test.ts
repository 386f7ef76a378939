import assert from "node:assert/strict";
import { test } from "node:test";
import type { z } from "zod";
import { dkimSelector, domainName, domainPattern, emailAddress, hostName, httpUrl, recordName } from "./text.ts";

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

const names: readonly (readonly [schema: () => z.ZodType, given: string, said: string | undefined])[] = [
  [domainName, "example.com", undefined],
  [domainName, "Example.COM", "must be in lower case: write example.com"],
  [domainName, "xn--BCHER-kva.example", "must be in lower case: write xn--bcher-kva.example"],
  [
    domainName,
    "B\u00dcCHER.example",
    "must be a domain such as example.com; write a domain of another script as A-labels (xn--...)",
  ],
  [
    domainName,
    "\u212aiosk.example",
    "must be a domain such as example.com; write a domain of another script as A-labels (xn--...)",
  ],
  [domainPattern, "*.Example.com", "must be in lower case: write *.example.com"],
  [hostName, "Relay", "must be in lower case: write relay"],
  [hostName, "192.0.2.1", undefined],
  [recordName, "_SPF.example.com", "must be in lower case: write _spf.example.com"],
  [dkimSelector, "S1", "must be in lower case: write s1"],
  [emailAddress, "Postmaster@example.com", undefined],
  [emailAddress, "Postmaster@Example.com", "must be in lower case: write Postmaster@example.com"],
];

test("names in DNS are refused in upper case with what to write, and local parts keep theirs", () => {
  for (const [schema, given, said] of names) {
    assert.equal(schema().safeParse(given).error?.issues[0]?.message, said, given);
  }
});
