/** How long to wait before trying again. Pure: chance comes in as an argument. */
import type { Chance } from "../../runtime/clock.ts";

export interface BackoffLimits {
  /** Milliseconds. */
  readonly firstMs: number;
  readonly maxMs: number;
}

export interface Backoff {
  readonly limits: BackoffLimits;
  /** In a row, 1 or more. */
  readonly failures: number;
  readonly chance: Chance;
  /** What a server asked to be left alone for. */
  readonly askedMs?: number | undefined;
}

/**
 * Milliseconds until the next try: doubling, with the upper half left to chance so that many who failed together do not
 * come back together. Never less than what was asked.
 */
export function backoffMs({ limits, failures, chance, askedMs = 0 }: Backoff): number {
  const step = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(30, failures - 1));
  return Math.round(Math.max(askedMs * (1 + chance() / 4), step / 2 + (step / 2) * chance()));
}
