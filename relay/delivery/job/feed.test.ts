import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../../runtime/log.ts";
import type { Spool } from "../../spool/verbs.ts";
import { newMessage } from "../../../test/support/relayvalues.ts";
import { Feed } from "./feed.ts";
import { MemorySpool } from "../../../test/support/memoryspool.ts";
import { DeliverySchedule, defaultWindow } from "./schedule.ts";

function feedOf(spool: Spool, schedule: DeliverySchedule): Feed {
  return new Feed({
    spool,
    clock: { now: () => Date.now() },
    log: createLog({ level: "silent", program: "test" }),
    schedule,
    window: defaultWindow,
    take: () => undefined,
  });
}

/** Lets what is promised happen; the clock stands. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

test("Feed looks again for what came due while the spool was asked", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<undefined>();
  class SlowSpool extends MemorySpool {
    override async nextDueAt(): Promise<number | undefined> {
      asked.resolve();
      return answer.promise;
    }
  }
  const spool = new SlowSpool();
  const intake = feedOf(spool, new DeliverySchedule(defaultWindow));
  t.after(async () => intake.close());
  intake.claimDue();
  await asked.promise;
  intake.wakeBy(Date.now() + 5);
  t.mock.timers.tick(10);
  answer.resolve(undefined);
  await turns();
  t.mock.timers.tick(1);
  assert.equal(spool.claims, 2);
});

test("Feed goes on looking while somebody has his share: the lanes of others may be many", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const spool = new MemorySpool();
  const window = { ...defaultWindow, messages: 10 };
  const schedule = new DeliverySchedule(window);
  for (let count = 0; count < 6; count += 1)
    schedule.hold({ message: newMessage().message, recipients: 1, destinations: [] }, 1);
  assert.equal(schedule.crowded().senders.length, 1);
  const intake = feedOf(spool, schedule);
  t.after(async () => intake.close());
  intake.claimDue();
  for (let ms = 0; ms < 2_000; ms += 10) {
    await turns();
    t.mock.timers.tick(10);
  }
  assert.ok(spool.claims >= 18 && spool.claims < 40, `${spool.claims} claims in two seconds`);
});
