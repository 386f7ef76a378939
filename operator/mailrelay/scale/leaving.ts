/**
 * Which pods may go. A StatefulSet takes away its highest ordinals, so pods leave from the top, and none leaves before
 * it reports an empty spool into which nothing can come any more: until then scale-in is held. Pure.
 */
import type { StatefulSet } from "../../kube/objects.ts";
import { claimNameAt, ordinalOf, podNameAt } from "../../owned/names.ts";
import type { ClaimFact, PodFact } from "../../pods/facts.ts";

export interface LeavingQuestion {
  readonly relayName: string;
  /** Pods there should be in the end. */
  readonly desired: number;
  readonly statefulSet: StatefulSet | undefined;
  readonly pods: readonly PodFact[];
  readonly claims: readonly ClaimFact[];
  /** Whether pods go with what they hold: hibernation keeps every volume, and a deadline may have passed. */
  readonly isUnconditional: boolean;
  readonly now: number;
}

/** A pod that takes no orders for this long, because it is of an older version or cut off, leaves when it is empty. */
export const orderPatienceMs = 10_000;

export interface LeavingDecision {
  /** What the StatefulSet should say now. */
  readonly replicas: number;
  /** Names of pods that will go and take no new mail. */
  readonly leaving: ReadonlySet<string>;
  /** Names of pods that hold the rest up. */
  readonly held: readonly string[];
}

export function decideLeaving(question: LeavingQuestion): LeavingDecision {
  const { relayName, desired } = question;
  const present = question.statefulSet?.spec.replicas ?? desired;
  const leaving = new Set<string>();
  for (let ordinal = desired; ordinal < present; ordinal += 1) leaving.add(podNameAt(relayName, ordinal));
  // Those that the StatefulSet takes away already.
  for (const { name } of question.pods) if ((ordinalOf(relayName, name) ?? 0) >= desired) leaving.add(name);
  if (desired >= present || question.isUnconditional) return { replicas: desired, leaving, held: [] };
  let replicas = present;
  while (replicas > desired && mayGo(question, replicas - 1)) replicas -= 1;
  const held: string[] = [];
  for (let ordinal = replicas - 1; ordinal >= desired; ordinal -= 1) {
    if (!mayGo(question, ordinal)) held.push(podNameAt(relayName, ordinal));
  }
  return { replicas, leaving, held };
}

/** A pod that does not answer proves nothing; one that never had a volume has nothing to prove. */
function mayGo({ relayName, pods, claims, now }: LeavingQuestion, ordinal: number): boolean {
  const pod = pods.find((candidate) => candidate.name === podNameAt(relayName, ordinal));
  const claim = claims.find((candidate) => candidate.name === claimNameAt(relayName, ordinal));
  if (pod?.report !== undefined) {
    const { draining, spool } = pod.report;
    return spool.queuedMessages === 0 && (draining || takesNoOrders(pod, now));
  }
  const hasNeverRun = pod === undefined || pod.phase === "Pending";
  return hasNeverRun && claim?.isBound !== true;
}

/** Its volume then stays unless it proves itself empty while it stops. */
function takesNoOrders({ administration, orderFailure }: PodFact, now: number): boolean {
  if (administration === undefined) return true;
  return orderFailure !== undefined && now - orderFailure.since >= orderPatienceMs;
}
