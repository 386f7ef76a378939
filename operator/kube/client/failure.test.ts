import assert from "node:assert/strict";
import { test } from "node:test";
import { type FailureKind, failureOf } from "./failure.ts";

const rows: readonly (readonly [string, number, unknown, FailureKind])[] = [
  ["a missing object", 404, { reason: "NotFound", message: 'secrets "x" not found' }, "NotFound"],
  ["a name that is taken", 409, { reason: "AlreadyExists" }, "AlreadyExists"],
  ["a resourceVersion that has moved on", 409, { reason: "Conflict" }, "Conflict"],
  ["a resourceVersion that is too old", 410, { reason: "Expired" }, "Gone"],
  ["a right that is missing", 403, { reason: "Forbidden" }, "Forbidden"],
  ["a token that has expired", 401, { reason: "Unauthorized" }, "Unauthorized"],
  ["an object that breaks a rule", 422, { reason: "Invalid" }, "Invalid"],
  ["a body that is no JSON", 400, "bad request", "Invalid"],
  ["priority and fairness", 429, { reason: "TooManyRequests" }, "TooManyRequests"],
  ["a server that starts", 503, "apiserver not ready", "ServerError"],
  ["etcd that does not answer", 500, { reason: "InternalError" }, "ServerError"],
  ["a redirect", 302, "", "UnexpectedStatus"],
];

for (const [name, code, body, kind] of rows) {
  test(`failureOf() calls ${name} ${kind}`, () => {
    assert.equal(failureOf({ code, body, request: "GET /x" }).kind, kind);
  });
}

test("failureOf() says what was asked and what the server said", () => {
  const body = { reason: "Forbidden", message: "no" };
  assert.equal(
    failureOf({ code: 403, body, request: "GET /api/v1/secrets" }).message,
    "GET /api/v1/secrets: 403 Forbidden: no",
  );
});

test("failureOf() takes the time to wait from the header, then from the details", () => {
  const body = { reason: "ServerTimeout", details: { retryAfterSeconds: 2 } };
  assert.equal(failureOf({ code: 504, body, request: "GET /" }).retryAfterMs, 2000);
  assert.equal(failureOf({ code: 429, body, retryAfter: "7", request: "GET /" }).retryAfterMs, 7000);
  assert.equal(failureOf({ code: 429, body: "", retryAfter: "soon", request: "GET /" }).retryAfterMs, undefined);
});
