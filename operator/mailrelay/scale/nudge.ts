/**
 * Which pods get the revision annotation written. Any write to a pod makes the kubelet refresh its mounts at once instead of
 * after a minute or more; each pod is written to at most once a second, and not at all once it runs what it should. Pure.
 */
import type { PodFact } from "../world.ts";

export interface Intended {
  /** Revision of the newest configuration; undefined while none can be rendered. */
  readonly revision: string | undefined;
  /** SHA-256 of the certificate that pods mount; undefined while there is none. */
  readonly fingerprint: string | undefined;
}

export interface Nudge {
  readonly pod: PodFact;
  readonly value: string;
}

export interface NudgeDecision {
  readonly nudges: readonly Nudge[];
  /** Milliseconds until a pod that waits for its turn may be written to; undefined when none waits. */
  readonly againInMs: number | undefined;
}

export const nudgeIntervalMs = 1000;

export function decideNudges(pods: readonly PodFact[], intended: Intended, now: number): NudgeDecision {
  const { revision } = intended;
  if (revision === undefined) return { nudges: [], againInMs: undefined };
  const value = annotationValue(revision, intended.fingerprint);
  const nudges: Nudge[] = [];
  let againInMs: number | undefined;
  for (const pod of pods) {
    if (pod.annotatedRevision === value || runs(pod, intended)) continue;
    const waitMs = pod.annotatedAt === undefined ? 0 : pod.annotatedAt + nudgeIntervalMs - now;
    if (waitMs <= 0) nudges.push({ pod, value });
    else againInMs = Math.min(againInMs ?? waitMs, waitMs);
  }
  return { nudges, againInMs };
}

/** The certificate is no part of the revision, and its renewal must be seen as fast. */
function annotationValue(revision: string, fingerprint: string | undefined): string {
  return fingerprint === undefined ? revision : `${revision}.${fingerprint.slice(0, 16)}`;
}

/** Whether the pod reports that it has loaded what it should. */
export function runs(pod: PodFact, intended: Intended): boolean {
  const { report } = pod;
  if (report === undefined || report.revision !== intended.revision) return false;
  return intended.fingerprint === undefined || report.certificate?.fingerprint === intended.fingerprint;
}
