/**
 * How many pods a relay has now and is going to have: what the manifest or autoscaling wants, held back by spools that
 * are not empty, and ended by deletion. Pure.
 */
import { parseDuration } from "../../../api/duration.ts";
import { drainFinalizer } from "../../../api/labels.ts";
import { podNameAt } from "../../owned/names.ts";
import type { RelayWorld } from "../world.ts";
import type { ClaimFact, Recommendation } from "../../pods/facts.ts";
import { decideReplicas } from "./autoscaling.ts";
import { peersOf } from "../../pods/orders.ts";
import { decideLeaving } from "./leaving.ts";

export interface ScaleDecision {
  /** Pods there should be in the end. */
  readonly desired: number;
  /** What the StatefulSet should say now. */
  readonly replicas: number;
  readonly leaving: ReadonlySet<string>;
  readonly held: readonly string[];
  readonly isHibernating: boolean;
  /** How many pods stand ready to take the mail of those that leave. */
  readonly peers: number;
  readonly recommendations: readonly Recommendation[];
  /** Undefined while nobody has deleted the relay. */
  readonly deletion: Deletion | undefined;
  /** Volumes without a pod, now or soon, that hold mail or may. */
  readonly retained: readonly ClaimFact[];
}

export interface Deletion {
  /** When the relay goes with what it holds, milliseconds since the epoch. */
  readonly deadline: number;
  /** Nothing is left to wait for. */
  readonly isDone: boolean;
}

export function decideScale(world: RelayWorld): ScaleDecision {
  const { relay, statefulSet, pods, claims, now } = world;
  const { name, deletionTimestamp } = relay.metadata;
  const patienceMs = parseDuration(relay.spec.drain.deadline) ?? 0;
  const deadline = deletionTimestamp === undefined ? undefined : Date.parse(deletionTimestamp) + patienceMs;
  const isOver = deadline !== undefined && now >= deadline;
  const wanted = deadline === undefined ? wantedReplicas(world) : { replicas: 0, recommendations: [] };
  const isHibernating = deadline === undefined && relay.spec.replicas === 0;
  const { replicas, leaving, held } = decideLeaving({
    relayName: name,
    desired: wanted.replicas,
    statefulSet,
    pods,
    claims,
    isUnconditional: isHibernating || isOver,
    now,
  });
  const isDone = isOver || (replicas === 0 && pods.length === 0);
  return {
    desired: wanted.replicas,
    replicas,
    leaving,
    held,
    isHibernating,
    peers: peersOf(world, leaving).length,
    recommendations: wanted.recommendations,
    deletion: deadline === undefined ? undefined : { deadline, isDone },
    retained: claims.filter((claim) => isWithoutPod(world, claim, replicas) && claim.queued !== 0 && claim.isBound),
  };
}

function isWithoutPod(world: RelayWorld, claim: ClaimFact, replicas: number): boolean {
  const pod = podNameAt(world.relay.metadata.name, claim.ordinal);
  return claim.ordinal >= replicas && !world.pods.some((candidate) => candidate.name === pod);
}

function wantedReplicas(world: RelayWorld): {
  readonly replicas: number;
  readonly recommendations: readonly Recommendation[];
} {
  const { autoscaling, replicas } = world.relay.spec;
  if (autoscaling === undefined || replicas === 0) return { replicas, recommendations: [] };
  return decideReplicas({
    targets: {
      minReplicas: autoscaling.minReplicas,
      maxReplicas: autoscaling.maxReplicas,
      targetDueAgeMs: parseDuration(autoscaling.targetDueAge) ?? 0,
      targetMessagesPerSecond: autoscaling.targetMessagesPerSecond,
    },
    current: world.statefulSet?.spec.replicas,
    pods: world.pods,
    recommendations: world.recommendations,
    now: world.now,
  });
}

/** Whether the resource carries our finalizer, which lets us empty its spools before it goes. */
export function hasDrainFinalizer(world: RelayWorld): boolean {
  return world.relay.metadata.finalizers?.includes(drainFinalizer) === true;
}
