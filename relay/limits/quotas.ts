/**
 * What is used up of each quota in this pod, and what transactions hold of it until they are accepted or end otherwise. Pure: time
 * is an argument's.
 *
 * A transaction holds its part from MAIL on, so that those which run side by side do not exceed together what each alone may send. What
 * is kept on disk is written with the message itself: a process that is killed has counted all that it acknowledged. Quotas
 * that nobody uses cost nothing.
 *
 * A pod has a share of each quota: an even one, or what the operator leases it for a while. **A share that grows comes used up**, and
 * becomes free as time goes by: whatever is moved from pod to pod, all together never send more at once than one could alone.
 */
import { atMost, takenAt, waitFor, withTaken, type Bucket } from "./gcra.ts";
import type { Time } from "./hosts.ts";
import {
  burstOf,
  drainOf,
  flowOf,
  quotaKinds,
  type Amounts,
  type Exhausted,
  type Quota,
  type QuotaKind,
  type QuotaState,
} from "./quota.ts";
import { QuotaHold } from "./quotahold.ts";

interface Lease {
  readonly share: number;
  readonly from: number;
  readonly until: number;
}

interface Counted {
  readonly buckets: Partial<Record<QuotaKind, Bucket>>;
  /** As it was asked for last; undefined of what nobody has asked for in this process. */
  quota: Quota | undefined;
  /** Of which the buckets are as they are. */
  share: number;
  lease: Lease | undefined;
  /** When something had no room last, ms since the epoch. */
  refusedAt: number;
}

/** What this pod says of a quota that it needs more of than it has or had lately, or has a lease of. */
export interface QuotaReport {
  readonly key: string;
  /** This pod's now, from 0 to 1. */
  readonly share: number;
  /** Something had no room lately, or it is half used up. */
  readonly isPressed: boolean;
  /** Something had no room in the last ten minutes: long enough that who sends too much all the time is told of once. */
  readonly isLimited: boolean;
}

/** One that had no room is pressed for this long: a client that was told to come back comes back. */
const pressedMs = 60_000;
const limitedMs = 600_000;
const sweepMs = 60_000;
/** By then a share that came back is free, however small the even one is. */
const leaseMemoryMs = 6 * 3_600_000;
/** More are not told of: a report is read every few seconds. */
const reported = 200;
/** Another share comes, or this one ends. */
const noShareMs = 10_000;

export class Quotas {
  readonly #time: Time;
  readonly #evenShare: () => number;
  readonly #counted = new Map<string, Counted>();
  #sweptAt = 0;

  constructor(time: Time, evenShare: () => number, kept: readonly QuotaState[]) {
    this.#time = time;
    this.#evenShare = evenShare;
    for (const { key, at, ...taken } of kept) {
      const counted = this.#count(key);
      for (const kind of quotaKinds) counted.buckets[kind] = { taken: taken[kind], at };
    }
  }

  /** Quotas that something is used up of. */
  get size(): number {
    return this.#counted.size;
  }

  now(): number {
    return this.#time.now();
  }

  /** Holds nothing yet. */
  hold(): QuotaHold {
    this.#sweep();
    return new QuotaHold(this);
  }

  /** The first that has no room for it; undefined when all have. */
  lacking(quotas: readonly Quota[], cost: Amounts): Exhausted | undefined {
    const now = this.#time.now();
    for (const quota of quotas) {
      const counted = this.#settled(quota, now);
      const { share } = counted;
      for (const kind of quotaKinds) {
        const perHour = quota.perHour[kind];
        if (perHour === undefined || cost[kind] === 0) continue;
        const flow = flowOf({ kind, perHour, share, cost: cost[kind] });
        const waitMs = share === 0 ? noShareMs : waitFor(counted.buckets[kind], flow, { cost: cost[kind], now });
        if (waitMs === 0) continue;
        counted.refusedAt = now;
        const isTooLarge = kind === "bytes" && cost[kind] > perHour;
        return { quota, kind, perHour, waitMs: isTooLarge ? Infinity : waitMs };
      }
    }
    return undefined;
  }

  take(quotas: readonly Quota[], cost: Amounts): void {
    this.#change(quotas, (kind, { bucket, perMs, now }) => withTaken(bucket, perMs, { cost: cost[kind], now }));
  }

  /**
   * What was taken at `since`, as far as it cannot have drained meanwhile: given back whole, it would make room that others have had
   * by then.
   */
  giveBack(quotas: readonly Quota[], cost: Amounts, since: number): void {
    this.#change(quotas, (kind, { bucket, perMs, perHour, now }) => {
      const left = Math.max(0, cost[kind] - Math.max(0, now - since) * drainOf(perHour, 1));
      return { taken: Math.max(0, takenAt(bucket, perMs, now) - left), at: now };
    });
  }

  /** As it is to be kept. */
  statesOf(quotas: readonly Quota[]): readonly QuotaState[] {
    const now = this.#time.now();
    return quotas.map((quota) => {
      const counted = this.#settled(quota, now);
      const taken = (kind: QuotaKind): number => takenOf(counted, quota, { kind, now });
      return {
        key: quota.key,
        at: now,
        messages: taken("messages"),
        recipients: taken("recipients"),
        bytes: taken("bytes"),
      };
    });
  }

  /** Shares that are this pod's for so long from now on; of quotas that are not named nothing changes. */
  lease(shares: ReadonlyMap<string, number>, forMs: number): void {
    const now = this.#time.now();
    for (const [key, share] of shares) {
      const counted = this.#count(key);
      if (counted.quota !== undefined) this.#settle(counted, counted.quota, now);
      counted.lease = { share, from: now, until: now + forMs };
    }
  }

  /** The most pressed first. */
  report(): readonly QuotaReport[] {
    const now = this.#time.now();
    const found: QuotaReport[] = [];
    for (const [key, counted] of this.#counted) {
      const { quota } = counted;
      if (quota !== undefined) this.#settle(counted, quota, now);
      const share = this.#shareOf(counted, now);
      const isPressed = quota !== undefined && isPressedNow(counted, quota, now);
      const isLeased = counted.lease !== undefined && now < counted.lease.until;
      const isLimited = now - counted.refusedAt < limitedMs;
      if (isPressed || isLeased || isLimited) found.push({ key, share, isPressed, isLimited });
    }
    return found.toSorted((left, right) => Number(right.isPressed) - Number(left.isPressed)).slice(0, reported);
  }

  #count(key: string): Counted {
    const known = this.#counted.get(key);
    if (known !== undefined) return known;
    const counted: Counted = {
      buckets: {},
      quota: undefined,
      share: this.#evenShare(),
      lease: undefined,
      refusedAt: Number.NEGATIVE_INFINITY,
    };
    this.#counted.set(key, counted);
    return counted;
  }

  #settled(quota: Quota, now: number): Counted {
    const counted = this.#count(quota.key);
    counted.quota = quota;
    this.#settle(counted, quota, now);
    return counted;
  }

  /** Makes the buckets those of the share that is this pod's now. */
  #settle(counted: Counted, quota: Quota, now: number): void {
    turnBack(counted, now);
    const { lease } = counted;
    if (lease !== undefined) {
      move(counted, quota, { share: lease.share, at: lease.from });
      if (now < lease.until) return;
      counted.lease = undefined;
      move(counted, quota, { share: this.#evenShare(), at: lease.until });
    }
    move(counted, quota, { share: this.#evenShare(), at: now });
  }

  #shareOf({ lease }: Counted, now: number): number {
    return lease !== undefined && now < lease.until ? lease.share : this.#evenShare();
  }

  #change(quotas: readonly Quota[], next: (kind: QuotaKind, was: Was) => Bucket): void {
    const now = this.#time.now();
    for (const quota of quotas) {
      const counted = this.#settled(quota, now);
      for (const kind of quotaKinds) {
        const perHour = quota.perHour[kind];
        // Of what is not limited nothing is counted: a limit begins when it is set.
        if (perHour === undefined) delete counted.buckets[kind];
        else {
          const perMs = drainOf(perHour, counted.share);
          counted.buckets[kind] = next(kind, { bucket: counted.buckets[kind], perMs, perHour, now });
        }
      }
    }
  }

  /** Who sent once must not fill the memory. */
  #sweep(): void {
    const now = this.#time.now();
    if (Math.abs(now - this.#sweptAt) < sweepMs) return;
    this.#sweptAt = now;
    for (const [key, counted] of this.#counted) if (this.#isForgotten(counted, now)) this.#counted.delete(key);
  }

  #isForgotten(counted: Counted, now: number): boolean {
    const { quota, lease } = counted;
    if (quota === undefined) return lease !== undefined && now > lease.until + leaseMemoryMs;
    this.#settle(counted, quota, now);
    if (counted.lease !== undefined || now - counted.refusedAt < limitedMs) return false;
    return quotaKinds.every((kind) => takenOf(counted, quota, { kind, now }) === 0);
  }
}

interface Was {
  readonly bucket: Bucket | undefined;
  readonly perMs: number;
  readonly perHour: number;
  readonly now: number;
}

function takenOf(
  counted: Counted,
  quota: Quota,
  { kind, now }: { readonly kind: QuotaKind; readonly now: number },
): number {
  const perHour = quota.perHour[kind];
  return perHour === undefined ? 0 : takenAt(counted.buckets[kind], drainOf(perHour, counted.share), now);
}

/** A clock that was set back holds nobody up for longer, and no lease is longer for it. */
function turnBack(counted: Counted, now: number): void {
  const { buckets, lease } = counted;
  for (const kind of quotaKinds) {
    const bucket = buckets[kind];
    if (bucket !== undefined) buckets[kind] = atMost(bucket, now);
  }
  if (lease !== undefined && lease.from > now)
    counted.lease = { ...lease, from: now, until: now + lease.until - lease.from };
  counted.refusedAt = Math.min(counted.refusedAt, now);
}

/** What there is room for stays as it was where the share grows, and is less where it shrinks. */
function move(counted: Counted, quota: Quota, { share, at }: { readonly share: number; readonly at: number }): void {
  if (share === counted.share) return;
  const growth = Math.max(0, share - counted.share);
  for (const kind of quotaKinds) {
    const perHour = quota.perHour[kind];
    if (perHour === undefined) continue;
    const bucket = counted.buckets[kind];
    const then = Math.max(at, bucket?.at ?? at);
    const taken = takenAt(bucket, drainOf(perHour, counted.share), then) + growth * burstOf(kind, perHour);
    counted.buckets[kind] = { taken, at: then };
  }
  counted.share = share;
}

function isPressedNow(counted: Counted, quota: Quota, now: number): boolean {
  if (now - counted.refusedAt < pressedMs) return true;
  return quotaKinds.some((kind) => {
    const perHour = quota.perHour[kind];
    if (perHour === undefined) return false;
    return takenOf(counted, quota, { kind, now }) > (burstOf(kind, perHour) * counted.share) / 2;
  });
}
