/**
 * Which hosts failed lately, so that a dead one does not cost its timeout for every message, and what else they taught.
 * Pure: time is an argument's.
 *
 * A host that could not be reached rests: five seconds or half the first retry's wait, whichever is less, twice as long after
 * each failure in a row, five minutes at most. Retries of a message are further apart and double too, so that one that is
 * alone with its host is always really tried, and a host that was only restarted is not left out for long. Whoever comes
 * during the rest gets the trouble that the host was in, without dialing.
 */
import type { Trouble } from "../mail/hostanswer.ts";

/** In ms since the epoch. */
export interface Time {
  now(): number;
}

interface Host {
  readonly key: string;
}

interface Rest {
  readonly failures: number;
  readonly until: number;
  readonly trouble: Trouble;
  /** When it began to fail. */
  readonly since: number;
}

export interface Choice<H> {
  /** Worth a try: in the order given, those that broke off lately after the others. */
  readonly awake: readonly H[];
  /** The trouble of the last one that rests, and since when all of them failed; undefined when one is worth a try. */
  readonly resting: { readonly host: H; readonly trouble: Trouble } | undefined;
  /** When the host that failed last began to; undefined while one of them has not failed. */
  readonly failingSince: number | undefined;
}

/** How long a host that broke off a transaction is tried after the others. */
const stumbleMs = 30_000;
/** How long it is remembered how many recipients a host takes at once: it may take more by then. */
const numberMs = 3_600_000;
const firstRestMs = 5_000;
const longestRestMs = 300_000;
const rememberedHosts = 20_000;

export class HostMemory {
  readonly #time: Time;
  readonly #rests = new Map<string, Rest>();
  readonly #stumbles = new Map<string, number>();
  readonly #numbers = new Map<string, { readonly most: number; readonly until: number }>();

  constructor(time: Time) {
    this.#time = time;
  }

  /** It broke off a transaction. */
  stumbled(host: Host): void {
    this.#stumbles.delete(host.key);
    this.#stumbles.set(host.key, this.#time.now() + stumbleMs);
    dropOldest(this.#stumbles);
  }

  /** There was no session with it. `firstRetryMs`: how long a message waits after its first failure. */
  failed(host: Host, trouble: Trouble, firstRetryMs: number): void {
    const now = this.#time.now();
    const before = this.#rests.get(host.key);
    // Those that were under way when it failed tell nothing new.
    if (before !== undefined && now < before.until) return;
    const failures = (before?.failures ?? 0) + 1;
    const restMs = Math.min(Math.min(firstRetryMs / 2, firstRestMs) * 2 ** Math.min(failures - 1, 30), longestRestMs);
    this.#rests.delete(host.key);
    this.#rests.set(host.key, { failures, until: now + restMs, trouble, since: before?.since ?? now });
    dropOldest(this.#rests);
  }

  answered(host: Host): void {
    if (this.#rests.size > 0) this.#rests.delete(host.key);
    if (this.#stumbles.size > 0) this.#stumbles.delete(host.key);
  }

  /** It refused more recipients than these in one transaction. */
  takesAtMost(host: Host, most: number): void {
    this.#numbers.delete(host.key);
    this.#numbers.set(host.key, { most, until: this.#time.now() + numberMs });
    dropOldest(this.#numbers);
  }

  /** Infinity while nothing else is known. */
  mostRecipients(host: Host): number {
    const known = this.#numbers.get(host.key);
    return known === undefined || known.until <= this.#time.now() ? Number.POSITIVE_INFINITY : known.most;
  }

  choose<H extends Host>(all: readonly H[]): Choice<H> {
    const hosts = this.#stumbles.size === 0 ? all : this.#steadyFirst(all);
    if (this.#rests.size === 0) return { awake: hosts, resting: undefined, failingSince: undefined };
    const now = this.#time.now();
    const rests = hosts.map((host) => ({ host, rest: this.#rests.get(host.key) }));
    const awake = rests.filter(({ rest }) => rest === undefined || rest.until <= now);
    const last = rests.at(-1);
    const begun = rests.map(({ rest }) => rest?.since ?? Number.POSITIVE_INFINITY);
    const failingSince = Math.max(...begun);
    return {
      awake: awake.map(({ host }) => host),
      resting:
        awake.length > 0 || last?.rest === undefined ? undefined : { host: last.host, trouble: last.rest.trouble },
      failingSince: Number.isFinite(failingSince) ? failingSince : undefined,
    };
  }

  #steadyFirst<H extends Host>(hosts: readonly H[]): readonly H[] {
    const now = this.#time.now();
    const isUnsteady = ({ key }: Host): boolean => (this.#stumbles.get(key) ?? 0) > now;
    return [...hosts.filter((host) => !isUnsteady(host)), ...hosts.filter(isUnsteady)];
  }
}

function dropOldest(hosts: Map<string, unknown>): void {
  const [oldest] = hosts.keys();
  if (hosts.size > rememberedHosts && oldest !== undefined) hosts.delete(oldest);
}
