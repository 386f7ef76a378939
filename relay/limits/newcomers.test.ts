import assert from "node:assert/strict";
import { test } from "node:test";
import { Newcomers } from "./newcomers.ts";

const start = Date.parse("2026-11-30T12:00:00Z");

test("a loud client's connections of one second are so many and no more", () => {
  let now = start;
  const newcomers = new Newcomers({ now: () => now });
  const turnedAway = (client: string): number =>
    Array.from({ length: 150 }, () => newcomers.isOneTooMany(client, (each) => each === "loud")).filter(
      (isOne) => isOne,
    ).length;
  assert.equal(turnedAway("loud"), 50);
  assert.equal(turnedAway("quiet"), 0, "however many it opens");
  now += 999;
  assert.equal(turnedAway("loud"), 150);
  now += 1;
  assert.equal(turnedAway("loud"), 50, "the next second is a new one");
});
