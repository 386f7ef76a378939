/**
 * A relay at rest is looked at again and again for one thing that no watch tells: what its pods report. While that is as it
 * was, a whole look (gather, plan, compare every object) would find nothing either, and is left out for a while. Pure.
 */
import type { MailRelayStatus } from "../../api/mailrelay.ts";
import { textDigest } from "../kube/shard.ts";
import type { PodFact, RelayPods } from "./facts.ts";

export interface Rest {
  /** When the last whole look was. */
  readonly since: number;
  /** Digest of what the pods reported then. */
  readonly pods: string;
}

/** Relays at rest that are asked in a second, all together: where there are many, each is asked less often, and no more is asked. */
const glancesPerSecond = 25;

/** Milliseconds until a relay at rest is asked again, where so many are; `usualMs` where they are few. */
export function glancePauseMs(resting: number, usualMs: number): number {
  return Math.max(usualMs, Math.ceil((resting / glancesPerSecond) * 1_000));
}

/** Certificates grow old without any report: a whole look comes this often all the same, in milliseconds. */
const wholeMs = 60_000;

/** After a whole look with nothing left to do; undefined where the next one has to be whole again. */
export function restOf(
  { relay, pods, now }: RelayPods,
  status: Pick<MailRelayStatus, "conditions"> | undefined,
): Rest | undefined {
  const isReady = status?.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True");
  // How many pods there should be is decided from rates, which change with every look.
  if (isReady !== true || relay.spec.autoscaling !== undefined) return undefined;
  // What is leased to a pod is leased again before it ends.
  if (pods.some(({ report }) => (report?.quotas ?? []).length > 0)) return undefined;
  return { since: now, pods: digestOf(pods) };
}

export function isDue(rest: Rest, now: number): boolean {
  // A clock that was set back says nothing about how long ago that was.
  return now < rest.since || now - rest.since >= wholeMs;
}

export function isUndisturbed(rest: Rest, pods: readonly PodFact[]): boolean {
  return digestOf(pods) === rest.pods;
}

/** All that is decided by, without what only counts. */
function digestOf(pods: readonly PodFact[]): string {
  const facts = pods.map(({ report, acceptedPerSecond: _rate, ...pod }) => {
    if (report === undefined) return pod;
    // When a login was last used is told by the day, with the next whole look.
    const { acceptedMessages: _accepted, logins: _logins, spool, ...said } = report;
    // Mail comes and goes. What stays long enough to be told changes another figure as well.
    const { usedBytes: _used, oldestAcceptedTime: _oldest, ...waiting } = spool;
    return { ...pod, said, waiting };
  });
  return textDigest(JSON.stringify(facts));
}
