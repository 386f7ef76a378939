/**
 * Which pods get the revision annotation written. Any write to a pod makes the kubelet refresh its mounts at once instead of
 * after a minute or more; each pod is written to at most once a second, and not at all once it runs what it should. The
 * kubelet may hear of the pod before it hears of the Secret: a pod that stays behind is told a few times more. Pure.
 */
import type { PodFact } from "./facts.ts";

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
const repeatMs = 5000;
/** A relay that still has not loaded it then will not for being told. */
const maxTimes = 3;

export function decideNudges(pods: readonly PodFact[], intended: Intended, now: number): NudgeDecision {
  const { revision } = intended;
  if (revision === undefined) return { nudges: [], againInMs: undefined };
  const base = annotationValue(revision, intended.fingerprint);
  const nudges: Nudge[] = [];
  let againInMs: number | undefined;
  for (const pod of pods) {
    const told = timesTold(pod, base);
    if (runs(pod, intended) || told >= maxTimes || (told > 0 && pod.report === undefined)) continue;
    const pauseMs = told === 0 ? nudgeIntervalMs : repeatMs;
    const waitMs = pod.annotatedAt === undefined ? 0 : pod.annotatedAt + pauseMs - now;
    if (waitMs <= 0) nudges.push({ pod, value: told === 0 ? base : `${base}.${told + 1}` });
    else againInMs = Math.min(againInMs ?? waitMs, waitMs);
  }
  return { nudges, againInMs };
}

/** The certificate is no part of the revision, and its renewal must be seen as fast. */
function annotationValue(revision: string, fingerprint: string | undefined): string {
  const parts = fingerprint?.split("+").map((one) => one.slice(0, 16));
  return parts === undefined ? revision : `${revision}.${parts.join("+")}`;
}

function timesTold({ annotatedRevision }: PodFact, base: string): number {
  if (annotatedRevision === base) return 1;
  return annotatedRevision?.startsWith(`${base}.`) === true ? Number(annotatedRevision.slice(base.length + 1)) || 1 : 0;
}

/** Whether the pod reports that it has loaded what it should. */
export function runs(pod: PodFact, intended: Intended): boolean {
  const { report } = pod;
  if (report === undefined || report.revision !== intended.revision) return false;
  const { fingerprint } = intended;
  const shown = report.certificate?.fingerprint;
  if (fingerprint === undefined || shown === fingerprint) return true;
  // Before relays told what they read, they showed the first certificate alone.
  return report.documents === undefined && shown === fingerprint.split("+")[0];
}
