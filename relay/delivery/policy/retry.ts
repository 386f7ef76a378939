/**
 * When the next attempt is due, and when to give up. Another host of the same route, or a smaller transaction, is tried at once
 * (delivery/attempt).
 * Pure: chance is an argument. It always answers with a time after `now` unless the message has expired.
 */

export interface RetryTimes {
  readonly firstMs: number;
  readonly maxMs: number;
  readonly expireAfterMs: number;
}

/** Share of the interval by which an attempt moves, so that what failed together does not come back together. */
const jitter = 0.15;

/** When a message is given up: the attempt at or after this time is the last (RFC 5321 section 4.5.4.1). */
export function expiresAt(acceptedAt: number, retry: Pick<RetryTimes, "expireAfterMs">): number {
  return acceptedAt + retry.expireAfterMs;
}

/** The interval after `attempts` attempts, before jitter: doubling from the first up to the cap, in ms. */
export function retryIntervalMs(attempts: number, retry: RetryTimes): number {
  const doublings = Math.min(Math.max(attempts, 1) - 1, 62);
  return Math.min(retry.firstMs * 2 ** doublings, Math.max(retry.maxMs, retry.firstMs));
}

export interface FailureHistory {
  /** Attempts of the message so far, the one under way included. */
  readonly attempts: number;
  /** Since when every host of the destination fails; undefined when one is not known to. */
  readonly failingSince: number | undefined;
  readonly now: number;
  readonly retry: RetryTimes;
}

/** Whether another way should be tried: the message was put off before, or others found the hosts dead for as long. */
export function keepsFailing({ attempts, failingSince, now, retry }: FailureHistory): boolean {
  return attempts > 1 || (failingSince !== undefined && now - failingSince >= retry.firstMs);
}

export interface RetryQuestion {
  /** Attempts so far, the one that just ended included. */
  readonly attempts: number;
  readonly acceptedAt: number;
  readonly now: number;
  readonly retry: RetryTimes;
  /** Uniform in [0, 1). */
  readonly chance: number;
}

/** When to try again, in ms since the epoch: never past the expiry, so that the last attempt is made when time is up. */
export function nextAttemptAt(question: RetryQuestion): number {
  const { attempts, acceptedAt, now, retry, chance } = question;
  const interval = retryIntervalMs(attempts, retry) * (1 - jitter + 2 * jitter * chance);
  const next = now + Math.max(1, Math.round(interval));
  const end = expiresAt(acceptedAt, retry);
  return end > now ? Math.min(next, end) : next;
}
