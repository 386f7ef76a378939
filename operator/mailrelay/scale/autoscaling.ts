/**
 * How many pods the reports call for. Up at once, at most doubling; down one pod at a time, and only after every look
 * of the last five minutes has called for fewer. Depth is no measure: mail that waits for a remote limit needs no pod.
 * Pure: what was recommended before comes in and goes out.
 */
import type { PodFact, Recommendation } from "../../pods/facts.ts";

export interface AutoscalingTargets {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly targetDueAgeMs: number;
  readonly targetMessagesPerSecond: number | undefined;
}

export interface AutoscalingQuestion {
  readonly targets: AutoscalingTargets;
  /** Pods there should be now; undefined before there are any. */
  readonly current: number | undefined;
  readonly pods: readonly PodFact[];
  readonly recommendations: readonly Recommendation[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export interface AutoscalingDecision {
  readonly replicas: number;
  readonly recommendations: readonly Recommendation[];
}

export const stabilizationMs = 300_000;
/** Two looks within this time are one, so that the list stays short. */
const granularityMs = 5_000;
/** A rate this near to its target moves nothing. */
const tolerance = 0.1;

export function decideReplicas(question: AutoscalingQuestion): AutoscalingDecision {
  const { targets, current, now } = question;
  const within = (replicas: number): number => Math.min(targets.maxReplicas, Math.max(targets.minReplicas, replicas));
  if (current === undefined || current === 0) {
    return { replicas: within(targets.minReplicas), recommendations: [] };
  }
  const wanted = within(Math.min(2 * current, Math.max(byDueAge(question, current), byRate(question, current))));
  const recent = question.recommendations.filter((one) => one.at > now - stabilizationMs);
  // An operator that has just started knows of no earlier look: it takes the present number for one.
  const known = recent.length === 0 ? [{ at: now, replicas: within(current) }] : recent;
  const recommendations = append(known, { at: now, replicas: wanted });
  if (wanted >= current) return { replicas: wanted, recommendations };
  const highest = Math.max(...recommendations.map((one) => one.replicas));
  return { replicas: within(Math.min(current, highest)), recommendations };
}

function append(known: readonly Recommendation[], next: Recommendation): readonly Recommendation[] {
  const last = known.at(-1);
  const isRepeated = last !== undefined && next.at - last.at < granularityMs && next.replicas <= last.replicas;
  return isRepeated ? known : [...known, next];
}

/** Overdue mail means that pods cannot keep up. More are added only while all there are take part. */
function byDueAge({ targets, pods, now }: AutoscalingQuestion, current: number): number {
  const age = Math.max(0, ...pods.map((pod) => dueAge(pod, now)));
  if (age > targets.targetDueAgeMs) {
    const factor = Math.min(2, age / targets.targetDueAgeMs);
    return areAllHeard(pods, current) ? Math.max(current + 1, Math.ceil(current * factor)) : current;
  }
  const isCalm = age <= targets.targetDueAgeMs / 2 && areAllHeard(pods, current);
  return isCalm ? current - 1 : current;
}

function byRate({ targets, pods }: AutoscalingQuestion, current: number): number {
  const { targetMessagesPerSecond } = targets;
  if (targetMessagesPerSecond === undefined) return 0;
  const rates = pods.map((pod) => pod.acceptedPerSecond);
  const total = rates.reduce<number>((sum, rate) => sum + (rate ?? 0), 0);
  const load = total / (targetMessagesPerSecond * current);
  const wanted = Math.abs(load - 1) <= tolerance ? current : Math.ceil(total / targetMessagesPerSecond);
  // A pod whose rate is unknown may be the busiest.
  const isKnown = areAllHeard(pods, current) && !rates.includes(undefined);
  return isKnown ? wanted : Math.max(current, wanted);
}

function areAllHeard(pods: readonly PodFact[], current: number): boolean {
  return pods.length >= current && pods.every((pod) => pod.ready && pod.report !== undefined);
}

function dueAge(pod: PodFact, now: number): number {
  const time = pod.report?.spool.oldestDueTime;
  return time === undefined ? 0 : Math.max(0, now - Date.parse(time));
}
