import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expiresAt, nextAttemptAt, retryIntervalMs } from "./retry.ts";

const minute = 60_000;
const hour = 60 * minute;
const usual = { firstMs: minute, maxMs: 4 * hour, expireAfterMs: 120 * hour };

const intervals: readonly { attempts: number; ms: number }[] = [
  { attempts: 0, ms: minute },
  { attempts: 1, ms: minute },
  { attempts: 2, ms: 2 * minute },
  { attempts: 3, ms: 4 * minute },
  { attempts: 8, ms: 128 * minute },
  { attempts: 9, ms: 4 * hour },
  { attempts: 1_000, ms: 4 * hour },
];

for (const { attempts, ms } of intervals) {
  test(`retryIntervalMs() after ${attempts} attempts is ${ms / minute} minutes`, () => {
    assert.equal(retryIntervalMs(attempts, usual), ms);
  });
}

test("nextAttemptAt() makes the last attempt when time is up", () => {
  const end = expiresAt(0, usual);
  assert.equal(nextAttemptAt({ attempts: 40, acceptedAt: 0, now: end - minute, retry: usual, chance: 0.5 }), end);
});

test("nextAttemptAt() is bounded: after now, within the jitter, never past the expiry; the base never shrinks", () => {
  const questions = fc.record({
    attempts: fc.nat(200),
    now: fc.integer({ min: 0, max: 200 * hour }),
    chance: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
    firstMs: fc.integer({ min: 1, max: 10 * hour }),
    maxMs: fc.integer({ min: 1, max: 10 * hour }),
  });
  fc.assert(
    fc.property(questions, ({ attempts, now, chance, firstMs, maxMs }) => {
      const retry = { firstMs, maxMs, expireAfterMs: 120 * hour };
      const at = nextAttemptAt({ attempts, acceptedAt: 0, now, retry, chance });
      const base = retryIntervalMs(attempts, retry);
      assert.ok(at > now);
      assert.ok(at - now <= base * 1.15 + 1);
      if (now < expiresAt(0, retry)) assert.ok(at <= expiresAt(0, retry));
      if (at !== expiresAt(0, retry)) assert.ok(at - now >= Math.floor(base * 0.85));
      assert.ok(retryIntervalMs(attempts + 1, retry) >= base);
    }),
  );
});
