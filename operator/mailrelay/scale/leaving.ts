/**
 * Which pods may go. A StatefulSet takes away its highest ordinals, so pods leave from the top, and none leaves before
 * it reports an empty spool: until then scale-in is held. Pure.
 */
import type { StatefulSet } from "../../kube/objects.ts";
import { claimNameAt, podNameAt } from "../objects/names.ts";
import type { ClaimFact, PodFact } from "../world.ts";

export interface LeavingQuestion {
  readonly relayName: string;
  /** Pods there should be in the end. */
  readonly desired: number;
  readonly statefulSet: StatefulSet | undefined;
  readonly pods: readonly PodFact[];
  readonly claims: readonly ClaimFact[];
  /** Whether pods go with what they hold: hibernation keeps every volume, and a deadline may have passed. */
  readonly isUnconditional: boolean;
}

export interface LeavingDecision {
  /** What the StatefulSet should say now. */
  readonly replicas: number;
  /** Names of pods that will go and take no new mail. */
  readonly leaving: ReadonlySet<string>;
  /** Pods that hold the rest up. */
  readonly held: readonly HeldPod[];
}

export interface HeldPod {
  readonly name: string;
  /** Recipients that wait in it; undefined when it does not answer. */
  readonly queued: number | undefined;
}

export function decideLeaving(question: LeavingQuestion): LeavingDecision {
  const { relayName, desired } = question;
  const present = question.statefulSet?.spec.replicas ?? desired;
  const leaving = new Set<string>();
  for (let ordinal = desired; ordinal < present; ordinal += 1) leaving.add(podNameAt(relayName, ordinal));
  if (desired >= present || question.isUnconditional) return { replicas: desired, leaving, held: [] };
  let replicas = present;
  while (replicas > desired && isEmpty(question, replicas - 1)) replicas -= 1;
  const held: HeldPod[] = [];
  for (let ordinal = replicas - 1; ordinal >= desired; ordinal -= 1) {
    const name = podNameAt(relayName, ordinal);
    const report = question.pods.find((pod) => pod.name === name)?.report;
    if (!isEmpty(question, ordinal)) held.push({ name, queued: report?.spool.queuedRecipients });
  }
  return { replicas, leaving, held };
}

/** A pod that does not answer proves nothing; one that never had a volume has nothing to prove. */
function isEmpty({ relayName, pods, claims }: LeavingQuestion, ordinal: number): boolean {
  const pod = pods.find((candidate) => candidate.name === podNameAt(relayName, ordinal));
  const claim = claims.find((candidate) => candidate.name === claimNameAt(relayName, ordinal));
  if (pod?.report !== undefined) return pod.report.spool.queuedMessages === 0;
  const hasNeverRun = pod === undefined || pod.phase === "Pending";
  return hasNeverRun && claim?.isBound !== true;
}
