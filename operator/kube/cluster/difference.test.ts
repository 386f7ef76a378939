import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { digestOf, project } from "./difference.ts";

const rows: readonly (readonly [string, unknown, unknown, boolean])[] = [
  ["the same", { a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, true],
  ["a default that the server filled in", { a: 1 }, { a: 1, b: 2 }, true],
  ["another value", { a: 1 }, { a: 2 }, false],
  ["a field that is gone", { a: 1, b: 1 }, { a: 1 }, false],
  ["a member that is not wanted at all", { a: 1, b: undefined }, { a: 1 }, true],
  [
    "an item another manager added to a list map",
    { c: [{ name: "x", v: 1 }] },
    { c: [{ name: "y" }, { name: "x", v: 1 }] },
    true,
  ],
  ["an item that is gone from a list map", { c: [{ name: "x" }, { name: "y" }] }, { c: [{ name: "x" }] }, false],
  ["defaults inside the items of a list map", { c: [{ name: "x" }] }, { c: [{ name: "x", p: "TCP" }] }, true],
  ["defaults inside the items of a list without names", { c: [{ v: 1 }] }, { c: [{ v: 1, p: "TCP" }] }, true],
  ["an item too many in a list without names", { c: [{ v: 1 }] }, { c: [{ v: 1 }, { v: 2 }] }, false],
  ["a value too many", { c: ["a"] }, { c: ["a", "b"] }, false],
  ["the second family of a Service", { ipFamilies: ["IPv4"] }, { ipFamilies: ["IPv4", "IPv6"] }, true],
  ["another first family of a Service", { ipFamilies: ["IPv4"] }, { ipFamilies: ["IPv6", "IPv4"] }, false],
  ["an empty list that is wanted empty", { c: [] }, { c: [] }, true],
  ["a list that is wanted empty and is not", { c: [] }, { c: [1] }, false],
  ["an object instead of a value", { a: "x" }, { a: { b: 1 } }, false],
];

for (const [name, wanted, actual, isEqual] of rows) {
  test(`${name} ${isEqual ? "is no" : "is a"} difference`, () => {
    assert.equal(digestOf(project(wanted, actual)) === digestOf(wanted), isEqual);
  });
}

test("what was wanted is there as wanted, whatever it is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const stored: unknown = JSON.parse(JSON.stringify(value));
      assert.equal(digestOf(project(value, stored)), digestOf(value));
    }),
  );
});

test("what somebody added to a selector is a difference, an amount in the server's spelling is none", () => {
  const selector = { spec: { selector: { app: "relay" } } };
  const widened = { spec: { selector: { app: "relay", team: "mail" } } };
  assert.notEqual(digestOf(project(selector, widened)), digestOf(selector));
  const wanted = { resources: { requests: { cpu: "0.5", memory: "1024Mi" } } };
  const spelled = { resources: { requests: { cpu: "500m", memory: "1Gi", other: "1" } } };
  assert.equal(digestOf(project(wanted, spelled)), digestOf(wanted));
  const more = { resources: { requests: { cpu: "501m", memory: "1Gi" } } };
  assert.notEqual(digestOf(project(wanted, more)), digestOf(wanted));
});
