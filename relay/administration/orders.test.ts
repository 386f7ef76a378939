import assert from "node:assert/strict";
import { test } from "node:test";
import type { DrainOrder } from "../../api/administration.ts";
import { DrainState } from "./orders.ts";

const alone: DrainOrder = { version: 1, peers: [] };
const withPeer: DrainOrder = { version: 1, peers: [{ name: "outbound-0", host: "outbound-0.peers", port: 9465 }] };

test("an order is told once, again when its peers change, and when it is taken back", () => {
  const state = new DrainState();
  const told: (DrainOrder | undefined)[] = [];
  state.onChange((order) => told.push(order));
  assert.equal(state.current(), undefined);
  assert.equal(state.give(alone), "new");
  assert.equal(state.give(structuredClone(alone)), "same");
  assert.equal(state.give(withPeer), "changed");
  assert.equal(state.give(structuredClone(withPeer)), "same");
  assert.deepEqual(state.current(), withPeer);
  assert.equal(state.takeBack(), true);
  assert.equal(state.takeBack(), false);
  assert.equal(state.current(), undefined);
  assert.equal(state.give(withPeer), "new");
  assert.deepEqual(told, [alone, withPeer, undefined, withPeer]);
});
