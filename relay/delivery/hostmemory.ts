/**
 * Which hosts failed a moment ago, so that a dead first smarthost does not cost its timeout for every message.
 * Pure: time is an argument's. A host is only put back in the row, never left out: when all failed, all are tried.
 */
import type { Clock } from "../../runtime/clock.ts";

interface Host {
  readonly key: string;
}

const rememberMs = 30_000;

export class HostMemory {
  readonly #clock: Clock;
  readonly #failedAt = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  failed(host: Host): void {
    this.#failedAt.set(host.key, this.#clock.now());
  }

  answered(host: Host): void {
    if (this.#failedAt.size > 0) this.#failedAt.delete(host.key);
  }

  /** Hosts that did not fail lately first, otherwise in the order given. */
  inOrder<H extends Host>(hosts: readonly H[]): readonly H[] {
    if (this.#failedAt.size === 0) return hosts;
    const good = hosts.filter((host) => !this.#isBad(host));
    return [...good, ...hosts.filter((host) => !good.includes(host))];
  }

  #isBad(host: Host): boolean {
    const failedAt = this.#failedAt.get(host.key);
    if (failedAt === undefined) return false;
    if (this.#clock.now() - failedAt < rememberMs) return true;
    this.#failedAt.delete(host.key);
    return false;
  }
}
