/** Shares of what may be sent in an hour: the busy get what the idle leave, and all together never have more than one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { podOf, reportOf } from "../../test/support/operatorobjects.ts";
import type { PodFact } from "./facts.ts";
import { decideLeases, type Leasing } from "./leases.ts";

type Quota = readonly [key: string, share: number, isPressed: boolean];

const revision = "r";
function pod(ordinal: number, quotas: readonly Quota[] | undefined, fact: Partial<PodFact> = {}): PodFact {
  const said = quotas?.map(([key, share, isPressed]) => ({ key, share, isPressed, isLimited: isPressed }));
  const report = { ...reportOf({}), revision, ...(said === undefined ? {} : { quotas: said }) };
  return podOf(`outbound-${ordinal}`, { report, ...fact });
}

function told(orders: Leasing["shrinking"]): Readonly<Record<string, Readonly<Record<string, number>>>> {
  return Object.fromEntries(
    orders.map((order) => [
      order.pod.name,
      Object.fromEntries(order.leases.shares.map(({ key, share }) => [key, Number(share.toFixed(6))])),
    ]),
  );
}

interface Row {
  readonly name: string;
  readonly pods: readonly PodFact[];
  readonly among?: number;
  readonly shrinking?: object;
  readonly growing?: object;
}

const rows: readonly Row[] = [
  { name: "nothing while nobody needs more", pods: [pod(0, []), pod(1, [["a", 0.05, false]])] },
  {
    name: "a busy pod what the idle one leaves, once that has shrunk",
    pods: [pod(0, [["a", 0.5, true]]), pod(1, [])],
    shrinking: { "outbound-1": { a: 0.05 } },
    growing: { "outbound-0": { a: 0.95 } },
  },
  {
    name: "the same again before it ends",
    pods: [pod(0, [["a", 0.95, true]]), pod(1, [["a", 0.05, false]])],
    shrinking: { "outbound-0": { a: 0.95 }, "outbound-1": { a: 0.05 } },
  },
  {
    name: "even shares where all are busy",
    pods: [pod(0, [["a", 0.95, true]]), pod(1, [["a", 0.05, true]])],
    shrinking: { "outbound-0": { a: 0.5 } },
    growing: { "outbound-1": { a: 0.5 } },
  },
  {
    name: "each quota by itself",
    pods: [pod(0, [["a", 0.5, true]]), pod(1, [["b", 0.5, true]])],
    shrinking: { "outbound-0": { b: 0.05 }, "outbound-1": { a: 0.05 } },
    growing: { "outbound-0": { a: 0.95 }, "outbound-1": { b: 0.95 } },
  },
  {
    name: "no more than is left beside a pod that is not there yet",
    pods: [pod(0, [["a", 1 / 3, true]]), pod(1, [])],
    among: 3,
    shrinking: { "outbound-1": { a: 0.033333 } },
    growing: { "outbound-0": { a: 0.633333 } },
  },
  {
    name: "nothing while one is not heard",
    pods: [pod(0, [["a", 0.5, true]]), podOf("outbound-1", { report: undefined })],
  },
  { name: "nothing while one does not count, or not yet", pods: [pod(0, [["a", 0.5, true]]), pod(1, undefined)] },
  { name: "nothing to one pod alone", pods: [pod(0, [["a", 1, true]])], among: 1 },
  {
    name: "nothing while one has another document",
    pods: [pod(0, [["a", 0.5, true]]), pod(1, [], { report: { ...reportOf({}), revision: "old", quotas: [] } })],
  },
];
for (const { name, pods, among = 2, shrinking = {}, growing = {} } of rows) {
  test(`decideLeases() gives ${name}`, () => {
    const leasing = decideLeases({ pods, among, revision });
    assert.deepEqual([told(leasing.shrinking), told(leasing.growing)], [shrinking, growing]);
  });
}

test("all together never have more than one, at no moment, whatever the pods say", () => {
  const quota = fc.record({ share: fc.double({ min: 0, max: 1, noNaN: true }), isPressed: fc.boolean() });
  fc.assert(
    fc.property(fc.array(quota, { minLength: 2, maxLength: 6 }), fc.nat(3), (said, missing) => {
      const among = said.length + missing;
      const whole = said.reduce((sum, { share }) => sum + share, 0);
      // As they may be: together no more than those that are there have.
      const most = said.length / among;
      const pods = said.map(({ share, isPressed }, index) =>
        pod(index, [["a", whole === 0 ? 0 : (share / whole) * most, isPressed]]),
      );
      const shares = new Map(pods.map((each) => [each.name, each.report?.quotas?.[0]?.share ?? 0]));
      const { shrinking, growing } = decideLeases({ pods, among, revision });
      for (const order of [...shrinking, ...growing]) {
        for (const { share } of order.leases.shares) shares.set(order.pod.name, share);
        const sum = [...shares.values()].reduce((all, share) => all + share, 0);
        assert.ok(sum <= most + 1e-6, `${sum} of ${most}`);
      }
    }),
  );
});
