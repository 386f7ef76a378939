/**
 * Finds where a domain's mail goes: asks the DNS and lets mailhosts.ts decide. Never rejects.
 *
 * A finding is kept for half a minute at most, so that a domain one of whose hosts cannot be looked up costs the wait for
 * it now and then and not for each message.
 */
import { createSocket } from "node:dgram";
import { isIP } from "node:net";
import type { Clock } from "../../../runtime/clock.ts";
import type { Answer, Lookup } from "../../dns/answer.ts";
import {
  destinationOf,
  exchangersOf,
  literalAddress,
  type Destination,
  type Exchanger,
  type Exchangers,
  type Finding,
  type Found,
  type HostAnswers,
} from "./mailhosts.ts";

export interface DirectoryOptions {
  readonly lookup: Lookup;
  readonly clock: Clock;
  /** Whether this machine has a way to the IPv6 Internet. */
  readonly hasIPv6: () => boolean;
}

const keepSeconds = 30;
const keptDomains = 10_000;
/** Once some host is known, others whose lookup is slow are given this much longer. */
const graceMs = 500;

export class Directory {
  readonly #options: DirectoryOptions;
  readonly #kept = new Map<string, Finding>();
  readonly #pending = new Map<string, Promise<Finding>>();

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** `ownName`: what this relay calls itself; an MX of that name would be a loop. */
  find(domain: string, ownName: string): Promise<Finding> {
    const kept = this.known(domain);
    if (kept !== undefined) return Promise.resolve(kept);
    const pending = this.#pending.get(domain);
    if (pending !== undefined) return pending;
    const finding = this.#find(domain, ownName).then((found) => {
      this.#pending.delete(domain);
      return this.#keep(domain, found);
    });
    this.#pending.set(domain, finding);
    return finding;
  }

  /** What was found a moment ago, without asking. */
  known(domain: string): Finding | undefined {
    const kept = this.#kept.get(domain);
    if (kept === undefined || this.isGood(kept)) return kept;
    this.#kept.delete(domain);
    return undefined;
  }

  /** Whether a finding may still be used: not one of other name servers. */
  isGood({ until, by }: Finding): boolean {
    return by === this && until > this.#options.clock.now();
  }

  get hasIPv6(): boolean {
    return this.#options.hasIPv6();
  }

  #keep(domain: string, found: Found<Destination>): Finding {
    const seconds = "trouble" in found ? 1 : Math.min(found.ttlSeconds, keepSeconds);
    // RFC 1035 section 3.2.1: what may not be kept is still good for the transaction that asked for it.
    const finding = { found, until: this.#options.clock.now() + Math.max(seconds, 1) * 1000, by: this };
    if (seconds <= 0) return finding;
    this.#kept.delete(domain);
    this.#kept.set(domain, finding);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > keptDomains && oldest !== undefined) this.#kept.delete(oldest);
    return finding;
  }

  async #find(domain: string, ownName: string): Promise<Found<Destination>> {
    const literal = literalAddress(domain);
    if (literal !== undefined) {
      // Digits that are no address would be a name to whoever dials, and some names are addresses to the system.
      if (isIP(literal) === 0) return { trouble: { phase: "dns", reason: "no-such-domain", detail: domain } };
      const host = { name: literal, preference: 0, addresses: [literal] };
      return { hosts: [host], site: literal, ttlSeconds: keepSeconds };
    }
    const answer = await this.#options.lookup.ask({ name: domain, type: "MX" });
    const exchangers = exchangersOf(domain, answer, ownName);
    if ("trouble" in exchangers) return exchangers;
    return destinationOf(domain, exchangers, await this.#addresses(exchangers));
  }

  /** Addresses of a host that somebody named, IPv4 and IPv6 as they are of use; empty when the DNS knows none. */
  async hostAddresses(name: string): Promise<readonly string[]> {
    const answers = await this.#addressesOf({ name, preference: 0 });
    return answers.flatMap((answer) => (answer.kind === "records" ? answer.addresses : []));
  }

  /** All hosts at once; those that are slow when another has answered are left out this time. */
  async #addresses({ exchangers }: Exchangers): Promise<readonly HostAnswers[]> {
    const answers = new Map<Exchanger, readonly Answer[]>();
    const usable = Promise.withResolvers<void>();
    const all = exchangers.map(async (exchanger) => {
      const found = await this.#addressesOf(exchanger);
      answers.set(exchanger, found);
      if (found.some(({ kind }) => kind === "records")) usable.resolve();
    });
    let timer: NodeJS.Timeout | undefined;
    const grace = usable.promise.then(() => new Promise((resolve) => (timer = setTimeout(resolve, graceMs))));
    await Promise.race([Promise.all(all), grace]);
    clearTimeout(timer);
    return exchangers.map((exchanger) => ({ exchanger, answers: answers.get(exchanger) ?? [undefined] }));
  }

  /** IPv6 is of use only where there is a way to it, or when a host has nothing else. */
  async #addressesOf({ name }: Exchanger): Promise<readonly Answer[]> {
    const { lookup } = this.#options;
    if (this.hasIPv6) return Promise.all([lookup.ask({ name, type: "A" }), lookup.ask({ name, type: "AAAA" })]);
    const v4 = await lookup.ask({ name, type: "A" });
    if (v4.kind === "records" || v4.kind === "no-domain") return [v4];
    return [v4, await lookup.ask({ name, type: "AAAA" })];
  }
}

/** A global address: connecting a UDP socket to it sends nothing and fails where there is no route. */
const probeAddress = "2001:4860:4860::8888";

/** Never rejects: where there is no IPv6 at all, there is no way either. */
export async function hasRouteToIPv6(address = probeAddress): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  try {
    const socket = createSocket("udp6");
    socket.on("error", () => resolve(false));
    // Not as connect()'s own callback: that would be called when there is no route, too.
    socket.on("connect", () => resolve(true));
    socket.connect(53, address);
    const hasRoute = await promise;
    socket.close();
    return hasRoute;
  } catch {
    return false;
  }
}
