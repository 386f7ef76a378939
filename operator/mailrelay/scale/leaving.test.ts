import assert from "node:assert/strict";
import { test } from "node:test";
import { claimOf, now, podOf, relayOf, reportOf } from "../../../test/support/operatorobjects.ts";
import { renderStatefulSet } from "../objects/statefulset.ts";
import type { ClaimFact } from "../../pods/facts.ts";
import { decideLeaving, orderPatienceMs } from "./leaving.ts";
import type { PodFact } from "../../pods/facts.ts";

const empty = (ordinal: number): PodFact =>
  podOf(`outbound-${ordinal}`, { report: reportOf({ drain: { handedOver: 3 } }) });
/** Its spool is empty, and mail may still come. */
const open = (ordinal: number, fact: Partial<PodFact> = {}): PodFact => podOf(`outbound-${ordinal}`, fact);
const full = (ordinal: number): PodFact => podOf(`outbound-${ordinal}`, { report: reportOf({ queued: 7 }) });
const silent = (ordinal: number): PodFact => podOf(`outbound-${ordinal}`, { ready: false, report: undefined });
const unscheduled = (ordinal: number): PodFact => ({ ...silent(ordinal), phase: "Pending" });
const unbound = (ordinal: number): ClaimFact => claimOf(ordinal, { isBound: false });

interface Row {
  readonly name: string;
  readonly present: number | undefined;
  readonly desired: number;
  readonly pods: readonly PodFact[];
  readonly claims?: readonly ClaimFact[];
  readonly isUnconditional?: boolean;
  readonly replicas: number;
  readonly leaving?: readonly string[];
  readonly held?: readonly string[];
}

const rows: readonly Row[] = [
  { name: "the first pods", present: undefined, desired: 3, pods: [], replicas: 3 },
  { name: "more pods", present: 1, desired: 3, pods: [full(0)], replicas: 3 },
  { name: "as many pods", present: 2, desired: 2, pods: [full(0), full(1)], replicas: 2 },
  {
    name: "a pod whose spool is empty",
    present: 2,
    desired: 1,
    pods: [full(0), empty(1)],
    replicas: 1,
    leaving: ["outbound-1"],
  },
  {
    name: "a pod that holds mail",
    present: 2,
    desired: 1,
    pods: [empty(0), full(1)],
    replicas: 2,
    leaving: ["outbound-1"],
    held: ["outbound-1"],
  },
  {
    name: "a pod that may still take mail",
    present: 2,
    desired: 1,
    pods: [empty(0), open(1)],
    replicas: 2,
    leaving: ["outbound-1"],
    held: ["outbound-1"],
  },
  {
    name: "an empty pod that was made before there were orders",
    present: 2,
    desired: 1,
    pods: [empty(0), open(1, { administration: undefined })],
    replicas: 1,
    leaving: ["outbound-1"],
  },
  {
    name: "an empty pod that has taken no order for long",
    present: 2,
    desired: 1,
    pods: [empty(0), open(1, { orderFailure: { why: "", since: now - orderPatienceMs } })],
    replicas: 1,
    leaving: ["outbound-1"],
  },
  {
    name: "an empty pod that has taken no order for a moment",
    present: 2,
    desired: 1,
    pods: [empty(0), open(1, { orderFailure: { why: "", since: now - orderPatienceMs + 1 } })],
    replicas: 2,
    leaving: ["outbound-1"],
    held: ["outbound-1"],
  },
  {
    name: "a pod that is being taken away",
    present: 1,
    desired: 1,
    pods: [full(0), empty(1)],
    replicas: 1,
    leaving: ["outbound-1"],
  },
  {
    name: "an empty pod behind one that holds mail",
    present: 3,
    desired: 1,
    pods: [empty(0), empty(1), full(2)],
    replicas: 3,
    leaving: ["outbound-1", "outbound-2"],
    held: ["outbound-2"],
  },
  {
    name: "a pod that holds mail behind an empty one",
    present: 3,
    desired: 1,
    pods: [empty(0), full(1), empty(2)],
    replicas: 2,
    leaving: ["outbound-1", "outbound-2"],
    held: ["outbound-1"],
  },
  {
    name: "a pod that does not answer",
    present: 2,
    desired: 1,
    pods: [empty(0), silent(1)],
    claims: [claimOf(1)],
    replicas: 2,
    leaving: ["outbound-1"],
    held: ["outbound-1"],
  },
  {
    name: "a pod that is being made anew over its volume",
    present: 2,
    desired: 1,
    pods: [empty(0)],
    claims: [claimOf(1)],
    replicas: 2,
    leaving: ["outbound-1"],
    held: ["outbound-1"],
  },
  {
    name: "a pod that never found a node",
    present: 2,
    desired: 1,
    pods: [empty(0), unscheduled(1)],
    claims: [unbound(1)],
    replicas: 1,
    leaving: ["outbound-1"],
  },
  {
    name: "a pod without a node over an old volume",
    present: 2,
    desired: 1,
    pods: [empty(0), unscheduled(1)],
    claims: [claimOf(1)],
    replicas: 2,
    leaving: ["outbound-1"],
    held: ["outbound-1"],
  },
  {
    name: "hibernation",
    present: 2,
    desired: 0,
    pods: [full(0), full(1)],
    isUnconditional: true,
    replicas: 0,
    leaving: ["outbound-0", "outbound-1"],
  },
];

for (const row of rows) {
  test(`decideLeaving() says ${row.replicas} replicas for ${row.name}`, () => {
    const { present } = row;
    const decided = decideLeaving({
      relayName: "outbound",
      desired: row.desired,
      statefulSet:
        present === undefined
          ? undefined
          : renderStatefulSet({ relay: relayOf(), image: "i", replicas: present, present: undefined }),
      pods: row.pods,
      claims: row.claims ?? [],
      isUnconditional: row.isUnconditional ?? false,
      now,
    });
    assert.deepEqual(
      [decided.replicas, [...decided.leaving], decided.held],
      [row.replicas, row.leaving ?? [], row.held ?? []],
    );
  });
}
