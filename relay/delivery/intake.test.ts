import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../runtime/log.ts";
import { Intake } from "./intake.ts";
import { MemorySpool } from "./memoryspool.ts";
import { DeliverySchedule, defaultWindow } from "./schedule.ts";

test("Intake looks again for what came due while the spool was asked", async (t) => {
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
  const clock = { now: () => Date.now() };
  const intake = new Intake({
    spool,
    clock,
    log: createLog({ level: "silent", program: "test" }),
    schedule: new DeliverySchedule(defaultWindow),
    windowMessages: defaultWindow.messages,
    take: () => undefined,
  });
  t.after(() => intake.close());
  intake.claimDue();
  await asked.promise;
  intake.wakeBy(clock.now() + 5);
  t.mock.timers.tick(10);
  answer.resolve(undefined);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
  t.mock.timers.tick(1);
  assert.equal(spool.claims, 2);
});
