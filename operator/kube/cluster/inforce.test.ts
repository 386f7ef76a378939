import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawObject } from "../client/resource.ts";
import { InForce, signed } from "./inforce.ts";

const key = "Service/mail/outbound";
const wanted = signed({
  kind: "Service",
  metadata: { name: "outbound", namespace: "mail" },
  spec: { type: "NodePort" },
});

function stored(version: string, change: Readonly<Record<string, unknown>> = {}): RawObject {
  return { ...wanted, metadata: { ...wanted.metadata, uid: "1", resourceVersion: version }, ...change };
}

test("a version that was found in force is known by its metadata, for that wish alone", () => {
  const inForce = new InForce();
  const metadata = { metadata: stored("7").metadata };
  assert.equal(inForce.hasHeld(key, wanted, metadata), false);
  assert.equal(inForce.holds(key, wanted, stored("7")), true);
  assert.equal(inForce.hasHeld(key, wanted, metadata), true);
  const other = signed({ ...wanted, spec: { type: "ClusterIP" } });
  assert.equal(inForce.hasHeld(key, other, metadata), false);
  assert.equal(inForce.holds(key, other, stored("7")), false);
});

test("what somebody else has changed since is compared again", () => {
  const inForce = new InForce();
  assert.equal(inForce.holds(key, wanted, stored("7")), true);
  assert.equal(inForce.holds(key, wanted, stored("8", { spec: { type: "LoadBalancer" } })), false);
  assert.equal(inForce.hasHeld(key, wanted, stored("8")), false);
  assert.equal(inForce.holds(key, wanted, stored("9")), true);
});

test("another object of the same name is compared, whatever its version", () => {
  const inForce = new InForce();
  assert.equal(inForce.holds(key, wanted, stored("7")), true);
  const next = stored("7", { spec: { type: "LoadBalancer" } });
  const other: RawObject = { ...next, metadata: { ...next.metadata, uid: "2" } };
  assert.equal(inForce.holds(key, wanted, other), false);
  inForce.forget(key);
  assert.equal(inForce.hasHeld(key, wanted, stored("7")), false);
});

test("an object without a version is compared every time", () => {
  const inForce = new InForce();
  assert.equal(inForce.holds(key, wanted, wanted), true);
  assert.equal(inForce.hasHeld(key, wanted, wanted), false);
});
