import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate } from "./gate.ts";
import { DrainState } from "./orders.ts";

const alone = { version: 1, peers: [] } as const;
const withPeer = { version: 1, peers: [{ name: "outbound-0", host: "outbound-0.peers", port: 9465 }] } as const;

function gateOf(): { orders: DrainState; stop: AbortController; gate: Gate; turns: boolean[] } {
  const orders = new DrainState();
  const stop = new AbortController();
  const gate = new Gate({ orders, stopping: stop.signal });
  const turns: boolean[] = [];
  gate.onTurn((isOpen) => turns.push(isOpen));
  return { orders, stop, gate, turns };
}

test("an order closes the gate and its end opens it, each told once", () => {
  const { orders, gate, turns } = gateOf();
  assert.ok(gate.isOpen() && !gate.isShut());
  orders.give({ ...alone, peers: [] });
  assert.ok(!gate.isOpen() && gate.isShut());
  orders.give({ ...withPeer, peers: [...withPeer.peers] });
  orders.takeBack();
  assert.ok(gate.isOpen() && !gate.isShut());
  assert.deepEqual(turns, [false, true]);
});

test("it is shut only when the last message inside has ended, however that ended", async () => {
  const { orders, gate } = gateOf();
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  const inside = [gate.pass(() => first.promise), gate.pass(() => second.promise)];
  orders.give({ ...alone, peers: [] });
  assert.equal(gate.isShut(), false);
  first.resolve("kept");
  assert.equal(await inside[0], "kept");
  assert.equal(gate.isShut(), false);
  second.reject(new Error("the disk is full"));
  await assert.rejects(async () => inside[1], /the disk is full/);
  assert.equal(gate.isShut(), true);
});

test("a stop closes it for good, whatever becomes of the order", () => {
  const { orders, stop, gate, turns } = gateOf();
  orders.give({ ...alone, peers: [] });
  stop.abort();
  orders.takeBack();
  assert.ok(!gate.isOpen() && gate.isShut());
  assert.deepEqual(turns, [false]);
});
