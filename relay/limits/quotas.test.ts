/** What may be sent in an hour: no hour has more than the limit and what may come at once, whatever happens. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { burstOf, type Amounts, type Quota, type QuotaState } from "./quota.ts";
import { Quotas } from "./quotas.ts";

const start = Date.parse("2026-11-30T12:00:00Z");
const hourMs = 3_600_000;

const limited = (perHour: Partial<Amounts>): readonly Quota[] => [
  { key: "domain example.com", scope: "Domain", owner: "example.com", field: "spec.limits", perHour },
];
const cost = (amounts: Partial<Amounts> = {}): Amounts => ({ messages: 1, recipients: 1, bytes: 1000, ...amounts });

interface Pod {
  quotas: Quotas;
  kept: readonly QuotaState[];
}

function podOf(time: { now: number }, evenShare = 1): Pod {
  return { quotas: new Quotas({ now: () => time.now }, () => evenShare, []), kept: [] };
}

/** Sends one message; false when there is no room. */
function send(pod: Pod, quotas: readonly Quota[], amounts: Amounts): boolean {
  const hold = pod.quotas.hold();
  if (hold.change(quotas, amounts) !== undefined) return false;
  pod.kept = hold.states();
  hold.keep();
  return true;
}

function sendMany(pod: Pod, quotas: readonly Quota[], times: number): number {
  return Array.from({ length: times }, () => send(pod, quotas, cost())).filter(Boolean).length;
}

const bursts: readonly (readonly [keyof Amounts, number, number])[] = [
  ["messages", 10_000, 1_000],
  ["messages", 1_000, 100],
  ["messages", 500, 100],
  ["messages", 10, 10],
  ["recipients", 50_000, 5_000],
  ["bytes", 2 ** 30, 2 ** 30 / 10],
  ["bytes", 65_536, 65_536],
];
for (const [kind, perHour, atOnce] of bursts) {
  test(`of ${perHour} ${kind} an hour ${atOnce} may come at once`, () => {
    assert.equal(burstOf(kind, perHour), atOnce);
  });
}

test("what is used up comes back evenly, and who comes too early is told when to come", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ messages: 3_600 });
  assert.equal(sendMany(pod, quotas, 1_000), 360);
  const lacking = pod.quotas.lacking(quotas, cost());
  assert.deepEqual([lacking?.kind, lacking?.perHour, Math.ceil(lacking?.waitMs ?? 0)], ["messages", 3_600, 1_000]);
  time.now += 10_000;
  assert.equal(sendMany(pod, quotas, 1_000), 10);
  time.now += hourMs;
  assert.equal(sendMany(pod, quotas, 1_000), 360, "and no more than that is ever saved up");
});

test("recipients and octets are counted apart, and the first that has no room is told", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ messages: 1_000, recipients: 200, bytes: 100_000_000 });
  assert.equal(send(pod, quotas, cost({ recipients: 60 })), true);
  assert.equal(pod.quotas.lacking(quotas, cost({ recipients: 60 }))?.kind, "recipients");
  assert.equal(pod.quotas.lacking(quotas, cost({ bytes: 70_000_000 }))?.kind, "bytes");
  assert.equal(pod.quotas.lacking(quotas, cost({ bytes: 60_000_000 })), undefined);
});

test("a message larger than what may come at once fits when nothing is in its way, one larger than the hour never", () => {
  const time = { now: start };
  const pod = podOf(time, 0.1);
  const quotas = limited({ bytes: 100_000_000 });
  assert.equal(send(pod, quotas, cost({ bytes: 90_000_000 })), true);
  assert.ok(Number.isFinite(pod.quotas.lacking(quotas, cost({ bytes: 1 }))?.waitMs));
  assert.equal(pod.quotas.lacking(quotas, cost({ bytes: 100_000_001 }))?.waitMs, Infinity);
});

test("forty transactions side by side hold no more than there is, and what they give back is free", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ messages: 20 });
  const holds = Array.from({ length: 40 }, () => pod.quotas.hold());
  const held = holds.filter((hold) => hold.change(quotas, cost()) === undefined);
  assert.equal(held.length, 20);
  for (const hold of held) hold.cancel();
  for (const hold of held) hold.cancel();
  assert.equal(sendMany(pod, quotas, 40), 20);
});

test("what a transaction gives back late makes no room that others have had by then", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ messages: 3_600 });
  const held = Array.from({ length: 10 }, () => {
    const hold = pod.quotas.hold();
    assert.equal(hold.change(quotas, cost()), undefined);
    return hold;
  });
  time.now += 10_000;
  assert.equal(sendMany(pod, quotas, 1_000), 360);
  for (const hold of held) hold.cancel();
  assert.equal(sendMany(pod, quotas, 1_000), 0);
});

test("who tries again all the time gets what comes back, and no try costs anything", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ messages: 3_600, recipients: 3_600 });
  assert.equal(sendMany(pod, quotas, 1_000), 360);
  let sent = 0;
  for (let tenth = 0; tenth < 600; tenth += 1) {
    time.now += 100;
    // Too many recipients never fit, and the one that does is not in their way.
    assert.equal(send(pod, quotas, cost({ recipients: 400 })), false);
    sent += sendMany(pod, quotas, 5);
  }
  assert.equal(sent, 60);
});

test("a transaction that could not grow goes on holding what it held", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ recipients: 10 });
  const hold = pod.quotas.hold();
  assert.equal(hold.change(quotas, cost({ recipients: 10 })), undefined);
  assert.equal(hold.change(quotas, cost({ recipients: 11 }))?.kind, "recipients");
  assert.equal(sendMany(pod, quotas, 1), 0);
  hold.cancel();
  assert.equal(sendMany(pod, quotas, 20), 10);
});

test("what a process before used up is used up still, and has drained meanwhile", () => {
  const time = { now: start };
  const quotas = limited({ messages: 3_600 });
  const before = podOf(time);
  assert.equal(sendMany(before, quotas, 1_000), 360);
  time.now += 60_000;
  const after: Pod = { quotas: new Quotas({ now: () => time.now }, () => 1, before.kept), kept: [] };
  assert.equal(sendMany(after, quotas, 1_000), 60);
});

test("a clock that is set back frees nothing, and does not hold anybody up for longer", () => {
  const time = { now: start };
  const pod = podOf(time);
  const quotas = limited({ messages: 3_600 });
  assert.equal(sendMany(pod, quotas, 1_000), 360);
  time.now -= 10 * hourMs;
  assert.equal(sendMany(pod, quotas, 10), 0);
  time.now += 10_000;
  assert.equal(sendMany(pod, quotas, 100), 10);
});

test("a share that grows comes used up, and what ends is the even share again", () => {
  const time = { now: start };
  const pod = podOf(time, 0.5);
  const quotas = limited({ messages: 3_600 });
  assert.equal(sendMany(pod, quotas, 1_000), 180);
  pod.quotas.lease(new Map([["domain example.com", 0.95]]), 60_000);
  assert.equal(sendMany(pod, quotas, 10), 0);
  time.now += 20_000;
  assert.equal(sendMany(pod, quotas, 1_000), 19, "0.95 a second");
  pod.quotas.lease(new Map([["domain example.com", 0.05]]), 60_000);
  time.now += 3 * hourMs;
  // Half of what may come at once has come free since the lease ended.
  assert.equal(sendMany(pod, quotas, 1_000), 180);
});

test("a lease of a quota that nobody has used yet holds, and ends, too", () => {
  const time = { now: start };
  const pod = podOf(time, 0.5);
  const quotas = limited({ messages: 3_600 });
  pod.quotas.lease(new Map([["domain example.com", 0.05]]), 60_000);
  assert.deepEqual(pod.quotas.report(), [
    { key: "domain example.com", share: 0.05, isPressed: false, isLimited: false },
  ]);
  time.now += 60_000;
  assert.equal(sendMany(pod, quotas, 1_000), 18, "what the other had of it meanwhile may be used up there");
});

test("a pod says that it needs more while something has no room, and while half of its share is used up", () => {
  const time = { now: start };
  const pod = podOf(time, 0.5);
  const quotas = limited({ messages: 3_600 });
  assert.equal(sendMany(pod, quotas, 10), 10);
  assert.deepEqual(pod.quotas.report(), []);
  sendMany(pod, quotas, 1_000);
  assert.deepEqual(pod.quotas.report(), [{ key: "domain example.com", share: 0.5, isPressed: true, isLimited: true }]);
  time.now += hourMs;
  assert.deepEqual(pod.quotas.report(), []);
});

test("who sent once costs no memory", () => {
  const time = { now: start };
  const pod = podOf(time);
  for (let index = 0; index < 10_000; index += 1) {
    const [quota] = limited({ messages: 100 });
    assert.ok(quota !== undefined);
    send(pod, [{ ...quota, key: `domain ${index}.example` }], cost());
  }
  assert.equal(pod.quotas.size, 10_000);
  time.now += hourMs;
  pod.quotas.hold();
  assert.equal(pod.quotas.size, 0);
});

interface Kept {
  readonly at: number;
  readonly messages: number;
  readonly recipients: number;
}

/** The most in any hour. */
function mostInAnHour(kept: readonly Kept[], kind: "messages" | "recipients"): number {
  return Math.max(
    0,
    ...kept.map(({ at }) =>
      kept.filter((each) => each.at >= at && each.at < at + hourMs).reduce((sum, each) => sum + each[kind], 0),
    ),
  );
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      pod: fc.nat(2),
      times: fc.integer({ min: 1, max: 30 }),
      recipients: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 900_000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("give up" as const),
      pod: fc.nat(2),
      ms: fc.integer({ min: 0, max: 300_000 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("lease" as const),
      to: fc.nat(2),
      share: fc.double({ min: 0.4, max: 1, noNaN: true }),
    }),
  },
);

/** Pods of one relay, and all that they have taken. */
class Fleet {
  readonly time = { now: start };
  readonly kept: Kept[] = [];
  readonly #pods: readonly Pod[];
  readonly #quotas: readonly Quota[];

  constructor(perHour: number, count: number) {
    this.#pods = Array.from({ length: count }, () => podOf(this.time, 1 / count));
    this.#quotas = limited({ messages: perHour, recipients: perHour });
  }

  #pod(index: number): Pod {
    const pod = this.#pods[index % this.#pods.length];
    assert.ok(pod !== undefined);
    return pod;
  }

  send(index: number, times: number, recipients: number): void {
    const sent = Array.from({ length: times }, () => send(this.#pod(index), this.#quotas, cost({ recipients })));
    const { now } = this.time;
    this.kept.push(...sent.filter(Boolean).map(() => ({ at: now, messages: 1, recipients })));
  }

  giveUp(index: number, afterMs: number): void {
    const hold = this.#pod(index).quotas.hold();
    hold.change(this.#quotas, cost({ recipients: 3 }));
    this.time.now += afterMs;
    hold.cancel();
  }

  /** All together have one, and those that shrink are told first. */
  lease(index: number, share: number): void {
    const chosen = this.#pod(index);
    const count = this.#pods.length;
    const give = (pod: Pod, given: number): void => pod.quotas.lease(new Map([["domain example.com", given]]), 60_000);
    if (share < 1 / count) give(chosen, share);
    for (const pod of this.#pods) if (pod !== chosen) give(pod, (1 - share) / (count - 1));
    if (share >= 1 / count) give(chosen, share);
  }

  /** It is killed, and starts again with what was kept with its newest message. */
  kill(index: number): void {
    const pod = this.#pod(index);
    pod.quotas = new Quotas({ now: () => this.time.now }, () => 1 / this.#pods.length, pod.kept);
  }
}

test("no hour has more than the limit and what may come at once, however shares move between pods", () => {
  const count = fc.integer({ min: 1, max: 3 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), count, fc.array(step, { maxLength: 80 }), (perHour, pods, steps) => {
      const fleet = new Fleet(perHour, pods);
      for (const each of steps) {
        if (each.kind === "send") fleet.send(each.pod, each.times, each.recipients);
        if (each.kind === "wait") fleet.time.now += each.ms;
        if (each.kind === "give up") fleet.giveUp(each.pod, each.ms);
        if (each.kind === "lease") fleet.lease(each.to, each.share);
      }
      for (const kind of ["messages", "recipients"] as const) {
        // One message, and one recipient, fit into the smallest share.
        const most = perHour + burstOf(kind, perHour) + pods;
        assert.ok(mostInAnHour(fleet.kept, kind) <= most + 0.001, `${mostInAnHour(fleet.kept, kind)} of ${most}`);
      }
    }),
    { numRuns: 150 },
  );
});

test("no hour has more than that over restarts either: what is kept with a message is what was used up", () => {
  const times = fc.integer({ min: 1, max: 200 });
  const life = fc.record({ times, ms: fc.integer({ min: 0, max: 600_000 }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), fc.array(life, { maxLength: 40 }), (perHour, lives) => {
      const fleet = new Fleet(perHour, 1);
      for (const each of lives) {
        fleet.send(0, each.times, 1);
        fleet.time.now += each.ms;
        fleet.kill(0);
      }
      const most = perHour + burstOf("messages", perHour);
      assert.ok(
        mostInAnHour(fleet.kept, "messages") <= most + 0.001,
        `${mostInAnHour(fleet.kept, "messages")} of ${most}`,
      );
    }),
    { numRuns: 150 },
  );
});
