import assert from "node:assert/strict";
import { test } from "node:test";
import { gistOf } from "./likeness.ts";

const same: readonly (readonly [what: string, one: string, other: string])[] = [
  [
    "the id of a request",
    'Kubernetes refuses Service shop: admission webhook "a" denied the request: no (request 9f7c0a52-0f6e-4c1c-8b7a-3f0de2a9b001)',
    'Kubernetes refuses Service shop: admission webhook "a" denied the request: no (request 11111111-0f6e-4c1c-8b7a-3f0de2a9b002)',
  ],
  ["a time", "x: refused at 2026-11-30T12:00:00Z", "x: refused at 2026-11-30T12:00:01.250Z"],
  [
    "a count",
    "x: exceeded quota: used: services=3, limited: services=3",
    "x: exceeded quota: used: services=12, limited: services=3",
  ],
  ["a resourceVersion", 'x: resourceVersion: "318" is too old', 'x: resourceVersion: "1341" is too old'],
  ["a short id", "x: denied (trace=a8f3c1)", "x: denied (trace=00ff12)"],
  ["an address", "connect: ECONNREFUSED 10.0.0.9:9465", "connect: ECONNREFUSED 10.0.0.17:9465"],
];

for (const [what, one, other] of same) {
  test(`texts that differ in ${what} say the same`, () => assert.equal(gistOf(one), gistOf(other)));
}

const others: readonly (readonly [what: string, one: string, other: string])[] = [
  ["the object", "Kubernetes refuses Service shop-1: no", "Kubernetes refuses Service shop-2: no"],
  ["the reason", "x: exceeded quota", "x: label cost-center is required"],
  ["the only words there are", "no expansion", "no room"],
];

for (const [what, one, other] of others) {
  test(`texts that differ in ${what} do not`, () => assert.notEqual(gistOf(one), gistOf(other)));
}
