import assert from "node:assert/strict";
import { test } from "node:test";
import { installation, podOf, relayOf, relayWorld, reportOf } from "../../test/support/operatorobjects.ts";
import type { PodFact } from "./facts.ts";
import { decideOrders, orderDigest, peersOf } from "./orders.ts";

const peer = (ordinal: number) => ({
  name: `outbound-${ordinal}`,
  host: `outbound-${ordinal}.outbound-pods.mail.svc`,
  port: 9465,
});
const order = (...ordinals: readonly number[]) => ({ version: 1, peers: ordinals.map(peer) }) as const;

const pod = (ordinal: number, fact: Partial<PodFact> = {}): PodFact => podOf(`outbound-${ordinal}`, fact);
const full = reportOf({ queued: 3 });
const draining = reportOf({ queued: 3, drain: { handedOver: 1 } });

interface Row {
  readonly name: string;
  readonly pods: readonly PodFact[];
  readonly leaving: readonly number[];
  /** Ordinals by what they are told. */
  readonly told: Readonly<Record<string, unknown>>;
  readonly replicas?: number;
  readonly isHibernating?: boolean;
}

const rows: readonly Row[] = [
  { name: "nobody when nobody leaves", pods: [pod(0), pod(1)], leaving: [], told: {} },
  {
    name: "a pod that leaves of those that stay",
    pods: [pod(0), pod(1), pod(2, { report: full })],
    leaving: [2],
    told: { 2: order(0, 1) },
  },
  {
    name: "nothing again to a pod that shows the order",
    pods: [pod(0), pod(1, { report: draining, ordered: orderDigest(order(0)) })],
    leaving: [1],
    told: {},
  },
  {
    name: "the order again when the report does not show it",
    pods: [pod(0), pod(1, { report: full, ordered: orderDigest(order(0)) })],
    leaving: [1],
    told: { 1: order(0) },
  },
  {
    name: "the order once more when a new operator does not know which one it was",
    pods: [pod(0), pod(1, { report: draining })],
    leaving: [1],
    told: { 1: order(0) },
  },
  {
    name: "of other peers when those that stay have changed",
    pods: [pod(0), pod(1, { ready: false }), pod(2, { report: draining, ordered: orderDigest(order(0, 1)) })],
    leaving: [2],
    told: { 2: order(0) },
  },
  {
    name: "a pod that stays after all",
    pods: [pod(0), pod(1, { report: draining, serving: false })],
    leaving: [],
    told: { 1: undefined },
  },
  {
    name: "no pod that does not answer, or takes no orders",
    pods: [pod(0), pod(1, { report: undefined }), pod(2, { administration: undefined })],
    leaving: [1, 2],
    told: {},
  },
  {
    name: "no pod that stops: it takes nothing in any more",
    pods: [pod(0), pod(1, { report: reportOf({ queued: 1, draining: true }) })],
    leaving: [1],
    told: {},
  },
  {
    name: "no pod that goes now",
    pods: [pod(0), pod(1, { report: draining })],
    leaving: [1],
    replicas: 1,
    told: {},
  },
  {
    name: "a pod that goes now and was started again without its order",
    pods: [pod(0), pod(1, { report: reportOf(), ordered: orderDigest(order(0)) })],
    leaving: [1],
    replicas: 1,
    told: { 1: order(0) },
  },
  {
    name: "nobody before hibernation",
    pods: [pod(0, { report: full })],
    leaving: [0],
    isHibernating: true,
    told: {},
  },
  {
    name: "all pods of a deleted relay, with nobody to give mail to",
    pods: [pod(0, { report: full }), pod(1, { report: full })],
    leaving: [0, 1],
    told: { 0: order(), 1: order() },
  },
];
for (const row of rows) {
  test(`decideOrders() tells ${row.name}`, () => {
    const orders = decideOrders({
      world: relayWorld({ pods: row.pods }),
      replicas: row.replicas ?? row.pods.length,
      leaving: new Set(row.leaving.map((ordinal) => `outbound-${ordinal}`)),
      isHibernating: row.isHibernating ?? false,
    });
    const told = Object.entries(row.told).map(([ordinal, expected]) => [`outbound-${ordinal}`, expected]);
    assert.deepEqual(
      orders.map((one) => [one.pod.name, one.order]),
      told,
    );
  });
}

test("peersOf() leaves out who is about to take no mail", () => {
  const pods = [
    pod(0),
    pod(1, { serving: false }),
    pod(2, { report: draining }),
    pod(3, { report: reportOf({ draining: true }) }),
    pod(4, { ready: false }),
    pod(5, { administration: undefined }),
    pod(6, { report: undefined }),
    pod(7, { isGoing: true }),
  ];
  assert.deepEqual(peersOf(relayWorld({ pods }), new Set()), [peer(0), peer(6)]);
});

test("peersOf() names addresses where pods have no names", () => {
  const world = relayWorld({
    relay: relayOf({ replicas: 2 }),
    installation: { ...installation, podHost: "127.0.0.1" },
    pods: [pod(0, { administration: { host: "127.0.0.1", port: 40_001 } })],
  });
  assert.deepEqual(peersOf(world, new Set()), [{ name: "outbound-0", host: "127.0.0.1", port: 40_001 }]);
});
