import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReflectorEvent } from "../kube/cache/reflector.ts";
import { type FailureKind, RequestError } from "../kube/client/failure.ts";
import { tellOnce } from "./tellonce.ts";

function failed(kind: FailureKind, message: string): ReflectorEvent {
  return { kind: "failed", error: new RequestError({ kind, message }), retryInMs: 1_000 };
}

test("a refusal is in the log once, whatever request it names, and again after it had been given", () => {
  const isTold = tellOnce();
  assert.equal(isTold("secrets", failed("Forbidden", "GET /a: 403: no (audit 1f)")), false);
  for (let time = 0; time < 20; time += 1) {
    assert.equal(isTold("secrets", failed("Forbidden", `GET /a: 403: no (audit ${time}e)`)), true);
  }
  assert.equal(isTold("secrets", failed("Forbidden", "GET /b: 403: no (audit 1f)")), false);
  assert.equal(isTold("pods", failed("Forbidden", "GET /a: 403: no (audit 1f)")), false);
  isTold("secrets", { kind: "listed", objects: 1 });
  assert.equal(isTold("secrets", failed("Forbidden", "GET /a: 403: no (audit 2f)")), false);
});

test("what is no refusal is told each time", () => {
  const isTold = tellOnce();
  assert.equal(isTold("secrets", failed("ServerError", "500")), false);
  assert.equal(isTold("secrets", failed("ServerError", "500")), false);
});
