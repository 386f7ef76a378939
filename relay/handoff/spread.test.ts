import assert from "node:assert/strict";
import { test } from "node:test";
import { afterFailure, afterSuccess, chooseNext, restedPeer, restMs, type PeerState } from "./spread.ts";

const slots = { most: 20, batch: 8 };
const now = 1_800_000_000_000;
const a = restedPeer({ name: "a", host: "a.peers", port: 9465 });
const b = restedPeer({ name: "b", host: "b.peers", port: 9465 });
const resting = { failures: 1, restsUntil: now + 500 };

test("who gets mail next", () => {
  const rows: readonly (readonly [string, readonly PeerState[], string])[] = [
    ["the first of two idle ones", [a, b], "give a 8"],
    ["who has less on its way", [{ ...a, underWay: 8 }, b], "give b 8"],
    [
      "nobody when there is no place for a batch",
      [
        { ...a, underWay: 8 },
        { ...b, underWay: 5 },
      ],
      "busy",
    ],
    [
      "nobody who rests",
      [
        { ...a, ...resting },
        { ...b, underWay: 8 },
      ],
      "give b 8",
    ],
    ["a single message to one who has rested", [{ ...a, failures: 3, restsUntil: now }], "try a 1"],
    [
      "good ones before one on trial",
      [
        { ...a, failures: 1 },
        { ...b, underWay: 8 },
      ],
      "give b 8",
    ],
    ["one trial at a time", [{ ...a, failures: 1, underWay: 1 }], "busy"],
    [
      "nobody before the first has rested",
      [
        { ...a, ...resting, restsUntil: now + 900 },
        { ...b, ...resting },
      ],
      "rest 500",
    ],
    [
      "and nobody while another is on trial",
      [
        { ...a, failures: 2, underWay: 1 },
        { ...b, ...resting },
      ],
      "busy",
    ],
  ];
  for (const [what, states, expected] of rows) {
    const choice = chooseNext(states, slots, now);
    const words =
      choice.kind === "give"
        ? `${choice.isTrial ? "try" : "give"} ${choice.peer.name} ${choice.limit}`
        : choice.kind === "rest"
          ? `rest ${choice.until - now}`
          : "busy";
    assert.equal(words, expected, what);
  }
});

test("a peer rests twice as long each time, failures that come together count once, and success ends it", () => {
  const once = afterFailure(a, now, 0);
  assert.deepEqual([once.failures, once.restsUntil], [1, now + 1_000]);
  assert.equal(afterFailure(once, now + 10, 0), once);
  const twice = afterFailure(once, now + 1_000, 0);
  assert.deepEqual([twice.failures, twice.restsUntil], [2, now + 3_000]);
  assert.deepEqual(afterSuccess(twice), a);
  assert.equal(restMs(20, 0), 60_000);
  assert.equal(restMs(0, 0.5), 750);
});
