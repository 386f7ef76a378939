import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition } from "../../api/condition.ts";
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import type { Timers } from "../../runtime/clock.ts";
import { now, relayOf } from "../../test/support/operatorobjects.ts";
import { RequestError } from "../kube/client/failure.ts";
import type { KubeEvent } from "../kube/kube.ts";
import { Failing, type FailingSettings, lookDeadlineMs, toldAfter } from "./failing.ts";

const subject = { kind: "MailRelay", namespace: "mail", name: "outbound" } as const;
const ready: Condition = {
  type: "Ready",
  status: "True",
  reason: "Ready",
  message: "mail is taken",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

function open(settings: Partial<FailingSettings> = {}) {
  const statuses: MailRelayStatus[] = [];
  const events: KubeEvent[] = [];
  const due: (() => void)[] = [];
  const timers: Timers = {
    after: (_ms, run) => {
      due.push(run);
      return () => due.splice(due.indexOf(run), 1);
    },
  };
  const before: MailRelayStatus = { observedGeneration: 2, replicas: 3, conditions: [ready] };
  const failing = new Failing({
    kube: {
      get: () => Promise.resolve(relayOf() as never),
      misfit: () => Promise.resolve(undefined),
      applyStatus: async (_kind, _object, status) => {
        await Promise.resolve();
        statuses.push(status);
      },
      emit: async (event) => {
        await Promise.resolve();
        events.push(event);
      },
    },
    wholeStatus: () => Promise.resolve(before),
    timers,
    now: () => now,
    onError: () => {},
    ...settings,
  });
  const fail = async (error: Error): Promise<void> => {
    await assert.rejects(
      failing.follow(subject, () => Promise.reject(error)),
      error,
    );
  };
  return { failing, statuses, events, due, fail };
}

test("the fifth failure in a row is said by condition and event, and nothing else of status is touched", async () => {
  const { failing, statuses, events, fail } = open();
  for (let look = 1; look < toldAfter; look += 1) await fail(new Error("PATCH /x: 500: boom"));
  assert.deepEqual([statuses.length, events.length, failing.count("MailRelay")], [0, 0, 0]);
  await fail(new Error("PATCH /x: 500: boom"));
  assert.deepEqual([failing.count("MailRelay"), failing.count("SenderDomain")], [1, 0]);
  const [status] = statuses;
  assert.deepEqual([status?.observedGeneration, status?.replicas], [2, 3]);
  assert.deepEqual(
    status?.conditions?.map((one) => `${one.type} ${one.status} ${one.reason}`),
    ["Ready Unknown ReconcileFailing", "Reconciling True ReconcileFailing", "Stalled False Settled"],
  );
  const [said] = status.conditions ?? [];
  assert.match(said?.message ?? "", /the last 5 looks .*: PATCH \/x: 500: boom$/);
  assert.deepEqual(
    events.map(({ type, reason }) => [type, reason]),
    [["Warning", "ReconcileFailing"]],
  );
});

test("it is said once for as long as the error says the same, and anew when it does not", async () => {
  const { statuses, fail } = open();
  for (let look = 0; look < 20; look += 1) await fail(new Error(`PATCH /x: 500: boom (request ${look}a)`));
  assert.equal(statuses.length, 1);
  await fail(new Error("PATCH /x: 500: another end"));
  assert.equal(statuses.length, 2);
});

test("a look that succeeds ends the count", async () => {
  const { failing, statuses, fail } = open();
  for (let look = 1; look < toldAfter; look += 1) await fail(new Error("no"));
  assert.equal(await failing.follow(subject, () => Promise.resolve(7)), 7);
  for (let look = 1; look < toldAfter; look += 1) await fail(new Error("no"));
  assert.equal(statuses.length, 0);
  await fail(new Error("no"));
  assert.equal(failing.count("MailRelay"), 1);
  await failing.follow(subject, () => Promise.resolve());
  assert.equal(failing.count("MailRelay"), 0);
});

test("what was not sent because this process may not write says nothing about the resource", async () => {
  const { failing, fail } = open();
  for (let look = 0; look < 10; look += 1) await fail(new RequestError({ kind: "Fenced", message: "no lease" }));
  assert.equal(failing.count("MailRelay"), 0);
});

test("a resource that cannot be told is counted, and told as soon as it can be", async () => {
  let isAway = true;
  const statuses: unknown[] = [];
  const errors: unknown[] = [];
  const { failing, fail } = open({
    wholeStatus: async () => {
      await Promise.resolve();
      if (isAway) throw new Error("away");
      statuses.push("read");
      return undefined;
    },
    onError: (_subject, error) => errors.push(error),
  });
  for (let look = 0; look < 7; look += 1) await fail(new Error("no"));
  assert.deepEqual([failing.count("MailRelay"), errors.length, statuses.length], [1, 3, 0]);
  isAway = false;
  for (let look = 0; look < 3; look += 1) await fail(new Error("no"));
  assert.equal(statuses.length, 1);
});

test("a look that does not end is given up at its deadline, and may not write any more", async () => {
  const { failing, due, fail } = open();
  const gate = Promise.withResolvers<undefined>();
  const said: boolean[] = [];
  const finished = Promise.withResolvers<undefined>();
  const stuck = failing.follow(subject, async () => {
    said.push(failing.isGivenUp());
    await gate.promise;
    said.push(failing.isGivenUp());
    finished.resolve(undefined);
  });
  due[0]?.();
  await assert.rejects(stuck, new RegExp(`did not end within ${lookDeadlineMs / 1000} s`));
  assert.equal(failing.isGivenUp(), false);
  // The next look of the same resource may write.
  assert.equal(await failing.follow(subject, () => Promise.resolve(failing.isGivenUp())), false);
  gate.resolve(undefined);
  await finished.promise;
  assert.deepEqual(said, [false, true]);
  assert.deepEqual(due, [], "no deadline is left behind");
  await fail(new Error("no"));
});
