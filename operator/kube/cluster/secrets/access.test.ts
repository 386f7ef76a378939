import assert from "node:assert/strict";
import { test } from "node:test";
import { NamespaceAccess, refusalMs, type SingleObject } from "./access.ts";

test("a few refusals are asked about every ten seconds, and many take turns of a second, for five minutes at most", () => {
  assert.deepEqual([0, 1, 10, 60, 300, 5_000].map(refusalMs), [10_000, 10_000, 10_000, 60_000, 300_000, 300_000]);
});

function accessAt(now: () => number, onReopened: (namespace: string) => void = () => {}): NamespaceAccess {
  return new NamespaceAccess({ now, onReopened });
}

function key(namespace: string, name = "key", kind = "Secret"): SingleObject {
  return { kind, namespace, name };
}

test("a refusal is believed for a while, and not when somebody has touched what it is about", () => {
  let now = 0;
  const access = accessAt(() => now);
  for (const single of [key("shop"), key("shop", "key-2"), key("other")]) access.singleRefused(single, "forbidden");
  assert.deepEqual(
    [key("shop"), key("shop", "none"), key("shop", "key", "ConfigMap")].map((one) => access.refusalOf(one)),
    ["forbidden", undefined, undefined],
  );
  access.singleGiven(key("shop"));
  assert.deepEqual([access.refusalOf(key("shop")), access.refusalOf(key("shop", "key-2"))], [undefined, "forbidden"]);
  access.touched("shop");
  assert.deepEqual([access.refusalOf(key("shop", "key-2")), access.refusalOf(key("other"))], [undefined, "forbidden"]);
  now = 10_000;
  assert.equal(access.refusalOf(key("other")), undefined);
});

test("refusals that nobody asks about any more do not make the others wait longer", () => {
  let now = 0;
  const access = accessAt(() => now);
  for (let count = 0; count < 60; count += 1) access.singleRefused(key(`gone-${count}`), "forbidden");
  now = 300_001;
  access.singleRefused(key("shop"), "forbidden");
  now += 9_999;
  assert.equal(access.refusalOf(key("shop")), "forbidden");
  now += 1;
  assert.equal(access.refusalOf(key("shop")), undefined);
});

test("a namespace is open, gives single objects, or is closed: a refused write outweighs a refused list", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const reopened: string[] = [];
  const access = accessAt(
    () => 0,
    (namespace) => reopened.push(namespace),
  );
  assert.deepEqual(access.of("shop"), { kind: "open" });
  access.listRefused("shop", "no list");
  assert.deepEqual(access.of("shop"), { kind: "single", said: "no list" });
  access.writeRefused("shop", "no write");
  access.writeRefused("shop", "no other write");
  assert.deepEqual(access.of("shop"), { kind: "closed", said: "no write" });
  t.mock.timers.tick(10_000);
  assert.deepEqual([reopened, access.of("shop")], [["shop"], { kind: "single", said: "no list" }]);
  access.listGiven("shop");
  assert.deepEqual(access.of("shop"), { kind: "open" });
});

test("a touch opens what a refused write has closed, and nobody is told of it a second time", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const reopened: string[] = [];
  const access = accessAt(
    () => 0,
    (namespace) => reopened.push(namespace),
  );
  access.writeRefused("shop", "no write");
  access.touched("shop");
  assert.deepEqual(access.of("shop"), { kind: "open" });
  access.listRefused("mail", "no list");
  access.forget("mail");
  t.mock.timers.tick(600_000);
  assert.deepEqual([reopened, access.of("mail")], [[], { kind: "open" }]);
});

test("lists that are refused are asked for the less often the more of them there are", () => {
  const access = accessAt(() => 0);
  for (let count = 0; count < 60; count += 1) access.listRefused(`hidden-${count}`, "no list");
  assert.equal(access.listPauseMs(), 60_000);
});
