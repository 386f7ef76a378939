import assert from "node:assert/strict";
import { test } from "node:test";
import { DataPace } from "./datapace.ts";

const limits = { idleMs: 1000, octetsPerSecond: 500 };

test("an octet gives back what it costs at the least pace", () => {
  const pace = new DataPace(limits, 0);
  assert.equal(pace.until, 1000);
  pace.came(1, 500);
  assert.equal(pace.until, 1002);
  pace.came(50, 900);
  assert.equal(pace.until, 1102);
});

test("who was fast has not saved up more than the idle time", () => {
  const pace = new DataPace(limits, 0);
  pace.came(1_000_000, 100);
  assert.equal(pace.until, 1100);
});

test("an octet now and then is not enough, and the least pace is", () => {
  for (const [octets, isEnough] of [
    [49, false],
    [50, true],
  ] as const) {
    const pace = new DataPace(limits, 0);
    let isInTime = true;
    for (let now = 100; now <= 1_000_000; now += 100) {
      isInTime &&= now <= (pace.until ?? 0);
      pace.came(octets, now);
    }
    assert.equal(isInTime, isEnough, `${octets} octets`);
  }
});

test("while we are the slow ones its time stands still", () => {
  const pace = new DataPace(limits, 0);
  pace.held(400);
  pace.held(500);
  assert.equal(pace.until, undefined);
  pace.goesOn(10_400);
  pace.goesOn(10_500);
  assert.equal(pace.until, 11_000);
});
