import assert from "node:assert/strict";
import { test } from "node:test";
import { claimOf, now, podOf, relayOf, reportOf } from "../../test/support/operatorobjects.ts";
import type { ClaimFact, Figures, PodFact } from "./facts.ts";
import { areCurrent, decideFigures, roundedCount, saidFigures, unheardRecipients } from "./figures.ts";

const known = { relay: relayOf(), claims: [], said: undefined };

function pods(queued: number, dueAgoMs?: number, at = now): readonly PodFact[] {
  const oldest = dueAgoMs === undefined ? {} : { oldestDueTime: new Date(at - dueAgoMs).toISOString() };
  return [podOf("outbound-0", { report: reportOf({ queued, ...oldest }) })];
}

/** How often status changes when somebody looks every two seconds, and what it says in the end. */
function told(queue: (look: number) => readonly PodFact[], looks: number): { changes: number; last: Figures } {
  let last = decideFigures({ now, pods: queue(0), ...known, told: undefined });
  let changes = 0;
  for (let look = 1; look <= looks; look += 1) {
    const next = decideFigures({ now: now + look * 2_000, pods: queue(look), ...known, told: last });
    if (JSON.stringify({ ...next, at: 0 }) !== JSON.stringify({ ...last, at: 0 })) changes += 1;
    last = next;
  }
  return { changes, last };
}

test("a queue that comes and goes changes status every twenty seconds at most", () => {
  const traffic = (look: number): readonly PodFact[] => pods((look * 7) % 40, look % 2 === 0 ? look * 20 : undefined);
  assert.ok(told(traffic, 30).changes <= 4);
  assert.ok(told(traffic, 300).changes <= 31);
  const swinging = (look: number): readonly PodFact[] => pods(look % 2 === 0 ? 60 : 130);
  assert.ok(told(swinging, 300).changes <= 60, "each time it may be told small once, and large once");
});

test("a queue that grows to a multiple is told at once, one that shrinks within twenty seconds", () => {
  const growing = told((look) => pods(100 * 2 ** Math.min(look, 6)), 6);
  assert.deepEqual([growing.changes, growing.last.queued], [6, 6400]);
  const emptied = (look: number): readonly PodFact[] => pods([0, 6400][look] ?? 0);
  assert.equal(told(emptied, 1).last.queued, 6400);
  assert.equal(told(emptied, 10).last.queued, 6400);
  assert.equal(told(emptied, 11).last.queued, 0);
});

test("the first figures are told, and those that stay are told when a clock was set back", () => {
  const first = decideFigures({ now, pods: pods(7, 90_000), ...known, told: undefined });
  assert.deepEqual(first, {
    at: now - 20_000,
    queued: 7,
    late: 0,
    overHour: 0,
    overDay: 0,
    oldestDueTime: "2026-11-23T11:58:00Z",
  });
  const second = decideFigures({ now, pods: pods(8), ...known, told: first });
  assert.deepEqual([second.at, second.queued], [now, 8]);
  const later = decideFigures({ now: now - 3_600_000, pods: pods(9), ...known, told: second });
  assert.equal(later.queued, 9);
});

test("captured mail is told where there is some, rounded, and stands while a pod does not tell", () => {
  const kept = (...counts: readonly (number | undefined)[]): readonly PodFact[] =>
    counts.map((capturedMessages, ordinal) =>
      podOf(`outbound-${ordinal}`, {
        report: capturedMessages === undefined ? undefined : reportOf({ capturedMessages }),
      }),
    );
  const figures = (seen: readonly PodFact[], before?: Figures): Figures =>
    decideFigures({ now, pods: seen, ...known, told: before === undefined ? undefined : { ...before, at: 0 } });
  assert.equal("captured" in figures(kept(0, 0)), false);
  const first = figures(kept(7, 1_230));
  assert.equal(first.captured, 1_200);
  assert.deepEqual(
    [kept(7, undefined), kept(1_300, undefined), kept(5, 3), kept(0, 0)].map((seen) => figures(seen, first).captured),
    [1_200, 1_300, 8, undefined],
  );
});

test("figures that are kept for a while are not current, and a relay does not rest on them", () => {
  const first = decideFigures({ now, pods: pods(7), ...known, told: undefined });
  const second = decideFigures({ now, pods: pods(8), ...known, told: first });
  const kept = decideFigures({ now: now + 2_000, pods: pods(0), ...known, told: second });
  const question = { now: now + 2_000, pods: pods(0), ...known };
  assert.deepEqual([kept.queued, areCurrent(kept, question)], [8, false]);
  const later = decideFigures({ ...question, now: now + 20_000, told: kept });
  assert.deepEqual([later.queued, areCurrent(later, question)], [0, true]);
});

test("the oldest that waits is told in whole minutes once it has waited for one, and how many are late", () => {
  const waiting = (agoMs: number, lateMessages: number): readonly PodFact[] => {
    const oldestAcceptedTime = new Date(now - agoMs).toISOString();
    const older = { overHourMessages: Math.min(lateMessages, 321), overDayMessages: Math.min(lateMessages, 2) };
    return [
      podOf("outbound-0", { report: reportOf({ queued: 1, oldestAcceptedTime, lateMessages, ...older }) }),
      podOf("outbound-1", {
        report: reportOf({ queued: 1, oldestAcceptedTime: new Date(now).toISOString(), overHourMessages: 5 }),
      }),
      podOf("outbound-2", { report: reportOf() }),
    ];
  };
  const oldestAndLate = (agoMs: number, late: number): readonly unknown[] => {
    const figures = decideFigures({ now, pods: waiting(agoMs, late), ...known, told: undefined });
    return [figures.oldestTime, figures.late, figures.overHour, figures.overDay];
  };
  assert.deepEqual(oldestAndLate(59_000, 0), [undefined, 0, 5, 0]);
  assert.deepEqual(oldestAndLate(60_000, 0), ["2026-11-23T11:59:00Z", 0, 5, 0]);
  assert.deepEqual(oldestAndLate(7_000_000, 1234), ["2026-11-23T10:03:00Z", 1200, 330, 2]);
});

test("what stands still changes no status, and what leaves does within twenty seconds", () => {
  const stuck = (): readonly PodFact[] => {
    const oldestAcceptedTime = new Date(now - 3_600_000).toISOString();
    return [podOf("outbound-0", { report: reportOf({ queued: 3, oldestAcceptedTime, lateMessages: 3 }) })];
  };
  assert.equal(told(stuck, 300).changes, 0);
  const leaving = told((look) => (look < 5 ? stuck() : pods(0)), 20);
  assert.deepEqual([leaving.changes, leaving.last.oldestTime, leaving.last.late], [1, undefined, 0]);
});

const two = { relay: relayOf(), claims: [claimOf(0), claimOf(1)], said: undefined };
const formerAges = { lateMessages: undefined, overHourMessages: undefined, overDayMessages: undefined };

const silent: readonly (readonly [what: string, pods: readonly PodFact[]])[] = [
  ["does not answer", [podOf("outbound-1", { report: undefined })]],
  ["is of a release that does not tell", [podOf("outbound-1", { report: reportOf(formerAges) })]],
  ["is gone and has left its volume", []],
];

for (const [what, others] of silent) {
  test(`how much is late is not told smaller because a pod ${what}`, () => {
    const asked = (late: number, agoMs: number) => {
      const oldestAcceptedTime = new Date(now - agoMs).toISOString();
      const [overHourMessages, overDayMessages] = [Math.floor(late / 2), Math.floor(late / 4)];
      const report = reportOf({
        queued: late,
        lateMessages: late,
        overHourMessages,
        overDayMessages,
        oldestAcceptedTime,
      });
      return { ...two, now, pods: [podOf("outbound-0", { report }), ...others] };
    };
    const ages = ({ late, overHour, overDay, oldestTime }: Partial<Figures>): readonly unknown[] => [
      late,
      overHour,
      overDay,
      oldestTime,
    ];
    const alone = decideFigures({ ...asked(5, 600_000), told: undefined });
    assert.deepEqual(ages(alone), [5, 2, 1, "2026-11-23T11:50:00Z"], "as much as is known");
    assert.ok(areCurrent(alone, asked(5, 600_000)), "and a relay rests on that");
    const said = { late: 5000, overHour: 4000, overDay: 3000, oldestTime: "2026-11-23T09:00:00Z" };
    const before = { ...alone, ...said, at: now - 60_000 };
    const kept = decideFigures({ ...asked(5, 600_000), told: before });
    assert.deepEqual(ages(kept), ages(said));
    assert.ok(areCurrent(kept, asked(5, 600_000)));
    const restarted = decideFigures({ ...asked(5, 600_000), told: undefined, said });
    assert.deepEqual(ages(restarted), ages(said), "an operator that begins goes on from status");
    const more = decideFigures({ ...asked(6000, 14_400_000), told: before });
    assert.deepEqual(ages(more), [6000, 4000, 3000, "2026-11-23T08:00:00Z"], "never less than what the others tell");
    const { oldestTime: _, ...none } = { ...before, late: 0, overHour: 0, overDay: 0 };
    const nothing = decideFigures({ ...asked(0, 0), told: none });
    assert.deepEqual(ages(nothing), [undefined, undefined, undefined, undefined], "nobody knows that nothing is");
    assert.ok(areCurrent(nothing, asked(0, 0)));
    assert.deepEqual(ages(decideFigures({ ...asked(5, 600_000), told: nothing })), ages(alone), "told at once");
  });
}

const unheardQueues: readonly (readonly [what: string, pods: readonly PodFact[], claims: readonly ClaimFact[]])[] = [
  ["does not answer", [podOf("outbound-1", { report: undefined })], [claimOf(0), claimOf(1)]],
  ["is gone and nobody knows what its volume holds", [], [claimOf(0), claimOf(1)]],
];

for (const [what, others, claims] of unheardQueues) {
  test(`nobody says that nothing waits, or that nothing is due, when a pod ${what}`, () => {
    const asked = (queued: number, dueAgoMs?: number) => {
      const heard = pods(queued, dueAgoMs);
      return { ...known, now, claims, pods: [...heard, ...others] };
    };
    const queue = ({ queued, oldestDueTime }: Partial<Figures>): readonly unknown[] => [queued, oldestDueTime];
    const nothing = decideFigures({ ...asked(0), told: undefined });
    assert.equal("queued" in nothing, false, "0 would be a lie");
    assert.ok(areCurrent(nothing, asked(0)), "and a relay rests on that");
    assert.deepEqual(queue(decideFigures({ ...asked(0), told: { at: 0, queued: 0 } })), [undefined, undefined]);
    const known7 = decideFigures({ ...asked(7, 90_000), told: undefined });
    assert.deepEqual(queue(known7), [7, "2026-11-23T11:58:00Z"], "as much as is known");
    const said = { queued: 900, oldestDueTime: "2026-11-23T09:00:00Z" };
    assert.deepEqual(queue(decideFigures({ ...asked(7, 90_000), told: undefined, said })), queue(said));
    const earlier = { at: now - 60_000, ...said };
    assert.deepEqual(queue(decideFigures({ ...asked(0), told: earlier })), queue(said), "what was told before stands");
    assert.deepEqual(queue(decideFigures({ ...asked(1234), told: earlier })), [1200, said.oldestDueTime]);
    const fresh = { ...nothing, at: now - 1_000 };
    const again = decideFigures({ ...known, now, claims: [claimOf(0)], pods: pods(0), told: fresh });
    assert.deepEqual(queue(again), [0, undefined], "what is known again is told at once");
    assert.equal(again.at, now);
  });
}

test("a pod that misses a look does not change status within twenty seconds of the last change", () => {
  const claims = [claimOf(0)];
  const earlier = decideFigures({ ...known, now, claims, pods: pods(0), told: { at: 0, queued: 3 } });
  assert.deepEqual([earlier.at, earlier.queued], [now, 0]);
  const mute = { ...known, claims, pods: [podOf("outbound-0", { report: undefined })], told: earlier };
  assert.equal(decideFigures({ ...mute, now: now + 2_000 }), earlier);
  assert.equal("queued" in decideFigures({ ...mute, now: now + 20_000 }), false);
});

test("what waits in volumes alone is known where it is written on them", () => {
  const claims = [claimOf(0), claimOf(1, { queued: 3 }), claimOf(2, { queued: 4, isRetained: true })];
  const { queued, late } = decideFigures({ ...known, now, claims, pods: pods(5), told: undefined });
  assert.deepEqual([queued, late], [12, undefined]);
});

test("where nothing can be seen, what status says stands, and nothing else is said", () => {
  assert.deepEqual(saidFigures(undefined, now), { at: now - 20_000 });
  const said = { queued: 3, overDay: 1, oldestTime: "2026-11-23T09:00:00Z" };
  assert.deepEqual(saidFigures({ ...said, revision: "r1" }, now), { at: now - 20_000, ...said });
});

test("a count that pods of the release before do not tell is not told, and the others are", () => {
  const former = reportOf({ queued: 3, lateMessages: 3, overHourMessages: undefined, overDayMessages: undefined });
  const asked = { ...two, now, pods: [podOf("outbound-0", { report: former }), podOf("outbound-1")], told: undefined };
  const { late, overHour, overDay } = decideFigures(asked);
  assert.deepEqual([late, overHour, overDay], [3, undefined, undefined]);
});

test("once all pods tell again, what they tell is told", () => {
  const before = { at: now - 60_000, queued: 0, late: 5000, oldestTime: "2026-11-23T09:00:00Z" };
  const { late, oldestTime } = decideFigures({ now, ...known, pods: pods(0), told: before, said: before });
  assert.deepEqual([late, oldestTime], [0, undefined]);
});

const mute = podOf("outbound-0", { report: undefined });
const spools: readonly (readonly [
  what: string,
  fact: Partial<ClaimFact>,
  pod: PodFact | undefined,
  unheard: number,
])[] = [
  ["a pod that tells", {}, podOf("outbound-0"), 0],
  ["a pod that does not answer", { queued: 3 }, mute, Infinity],
  ["a pod that may have taken mail since its spool was empty", { emptySpool: "spool-a" }, mute, Infinity],
  ["a pod that waits for its volume", { isBound: false }, mute, 0],
  ["a volume alone", {}, undefined, Infinity],
  ["a volume alone of which is known what waits in it", { queued: 3 }, undefined, 3],
  ["an empty volume alone", { emptySpool: "spool-a" }, undefined, 0],
  ["a claim without a volume", { isBound: false }, undefined, 0],
];

for (const [what, fact, pod, expected] of spools) {
  test(`what may be late unheard, with ${what}: ${expected}`, () => {
    const world = { relay: relayOf(), claims: [claimOf(0, fact)], pods: pod === undefined ? [] : [pod] };
    assert.equal(unheardRecipients(world, "lateMessages"), expected);
  });
}

test("no more is late than may be", () => {
  const said = { late: 5000, oldestTime: "2026-11-23T09:00:00Z" };
  const left = (fact: Partial<ClaimFact>): number | undefined => {
    const claims = [claimOf(0), claimOf(1, fact)];
    return decideFigures({ ...known, now, claims, pods: pods(0), told: undefined, said }).late;
  };
  assert.deepEqual([{}, { queued: 6000 }, { queued: 3 }, { emptySpool: "spool-b" }].map(left), [5000, 5000, 3, 0]);
});

test("counts are rounded to two digits", () => {
  assert.deepEqual([99, 100, 1234, 98_765].map(roundedCount), [99, 100, 1200, 99_000]);
});
