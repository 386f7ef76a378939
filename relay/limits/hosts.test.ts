import assert from "node:assert/strict";
import { test } from "node:test";
import { HostMemory } from "./hosts.ts";

const [a, b] = [{ key: "a" }, { key: "b" }];
const trouble = { phase: "connect", detail: "refused" } as const;
const firstRetryMs = 60_000;

function memoryAt(): { readonly memory: HostMemory; readonly at: (now: number) => void } {
  let now = 0;
  return { memory: new HostMemory({ now: () => now }), at: (next) => (now = next) };
}

test("HostMemory leaves a host that failed out while it rests", () => {
  const { memory, at } = memoryAt();
  memory.failed(a, trouble, firstRetryMs);
  assert.deepEqual(memory.choose([a, b]).awake, [b]);
  at(5_000);
  assert.deepEqual(memory.choose([a, b]).awake, [a, b]);
});

test("HostMemory says what trouble they were in when all rest", () => {
  const { memory } = memoryAt();
  memory.failed(a, trouble, firstRetryMs);
  assert.equal(memory.choose([a, b]).resting, undefined);
  memory.failed(b, { phase: "greeting" }, firstRetryMs);
  assert.deepEqual(memory.choose([a, b]).resting, { host: b, trouble: { phase: "greeting" } });
});

test("HostMemory doubles the rest with each failure in a row, up to five minutes", () => {
  const { memory, at } = memoryAt();
  let now = 0;
  const rests: number[] = [];
  for (let count = 0; count < 8; count += 1) {
    memory.failed(a, trouble, firstRetryMs);
    const from = now;
    while (memory.choose([a]).awake.length === 0) at((now += 1_000));
    rests.push((now - from) / 1_000);
  }
  assert.deepEqual(rests, [5, 10, 20, 40, 80, 160, 300, 300]);
  memory.answered(a);
  memory.failed(a, trouble, firstRetryMs);
  at((now += 5_000));
  assert.deepEqual(memory.choose([a]).awake, [a]);
});

test("HostMemory counts attempts that were under way when the host failed as one failure", () => {
  const { memory, at } = memoryAt();
  for (let count = 0; count < 5; count += 1) memory.failed(a, trouble, firstRetryMs);
  at(5_000);
  assert.deepEqual(memory.choose([a]).awake, [a]);
});

test("HostMemory puts a host that broke off a transaction behind the others for a while, and never leaves it out", () => {
  const { memory, at } = memoryAt();
  memory.stumbled(a);
  assert.deepEqual(memory.choose([a, b]).awake, [b, a]);
  memory.stumbled(b);
  assert.deepEqual(memory.choose([a, b]).awake, [a, b]);
  assert.deepEqual(memory.choose([a]).awake, [a]);
  memory.answered(a);
  at(30_000);
  assert.deepEqual(memory.choose([a, b]).awake, [a, b]);
});

test("HostMemory knows since when every host fails", () => {
  const { memory, at } = memoryAt();
  memory.failed(a, trouble, firstRetryMs);
  assert.equal(memory.choose([a, b]).failingSince, undefined);
  at(40_000);
  memory.failed(b, trouble, firstRetryMs);
  memory.failed(a, trouble, firstRetryMs);
  assert.equal(memory.choose([a, b]).failingSince, 40_000);
  memory.answered(b);
  assert.equal(memory.choose([a, b]).failingSince, undefined);
});

test("HostMemory knows for an hour how many recipients a host takes at once", () => {
  const { memory, at } = memoryAt();
  assert.equal(memory.mostRecipients(a), Number.POSITIVE_INFINITY);
  memory.takesAtMost(a, 50);
  memory.takesAtMost(a, 10);
  at(3_599_999);
  assert.equal(memory.mostRecipients(a), 10);
  assert.equal(memory.mostRecipients(b), Number.POSITIVE_INFINITY);
  at(3_600_000);
  assert.equal(memory.mostRecipients(a), Number.POSITIVE_INFINITY);
});
