/**
 * From a route to the hosts that are tried, in order: smarthosts as configured, MX hosts by their addresses.
 * Never rejects; what stands in the way is a Trouble. The name servers of the configuration may change at any time.
 */
import type { RelayDocument, SmarthostDocument } from "../../../api/relayconfig.ts";
import type { Chance, Clock } from "../../../runtime/clock.ts";
import type { Lookup } from "../../dns/answer.ts";
import { Resolver } from "../../dns/resolver.ts";
import { parseServer } from "../../dns/servers.ts";
import type { Route } from "../../mail/route.ts";
import type { NextHop } from "../transport.ts";
import { Directory, hasRouteToIPv6 } from "./directory.ts";
import { attemptOrder, type Found, type HostAddress } from "./mailhosts.ts";

export interface ClosableLookup extends Lookup {
  close(): void;
}

export interface HopFinderOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  /** 25, unless a test has MX hosts on another. */
  readonly mxPort: number;
  /** Tests answer for the DNS. */
  readonly openLookup?: (servers: readonly string[]) => ClosableLookup;
}

export const standardMxPort = 25;
/** A network may come and go. */
const routeCheckMs = 60_000;

export class HopFinder {
  readonly #options: HopFinderOptions;
  #lookup: ClosableLookup | undefined;
  #directory: Directory | undefined;
  #servers = "";
  #hasIPv6 = false;
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(options: HopFinderOptions) {
    this.#options = options;
  }

  async hops(route: Route, relay: RelayDocument): Promise<Found<readonly NextHop[]>> {
    switch (route.kind) {
      case "smarthosts":
        return route.hosts.map((host) => hopOf(host, relay.hostname));
      case "held":
        return { trouble: { phase: "local", reason: "no-route", detail: route.reason } };
      case "mx": {
        await this.#checkRoute();
        const directory = this.#directoryFor(relay.delivery.dnsServers);
        const found = await directory.find(route.domain, relay.hostname);
        if ("trouble" in found) return found;
        const order = attemptOrder(found, { chance: this.#options.chance, hasIPv6: this.#hasIPv6 });
        return order.map((target) => this.#mxHop(target, relay.hostname));
      }
    }
  }

  /** Questions under way end as trouble. */
  close(): void {
    this.#lookup?.close();
  }

  #mxHop({ host, address }: HostAddress, helo: string): NextHop {
    const smarthost: SmarthostDocument = { host, port: this.#options.mxPort, tlsMode: "Opportunistic" };
    return { ...hopOf(smarthost, helo, address), address };
  }

  #directoryFor(servers: readonly string[]): Directory {
    const key = servers.join(" ");
    if (this.#directory !== undefined && this.#servers === key) return this.#directory;
    this.#lookup?.close();
    const { clock, openLookup } = this.#options;
    this.#lookup =
      openLookup?.(servers) ?? new Resolver({ clock, servers: servers.flatMap((one) => parseServer(one) ?? []) });
    this.#servers = key;
    this.#directory = new Directory({ lookup: this.#lookup, clock, hasIPv6: () => this.#hasIPv6 });
    return this.#directory;
  }

  async #checkRoute(): Promise<void> {
    const now = this.#options.clock.now();
    if (now - this.#checkedAt < routeCheckMs) return;
    this.#checkedAt = now;
    this.#hasIPv6 = await hasRouteToIPv6();
  }
}

function hopOf(smarthost: SmarthostDocument, helo: string, address?: string): NextHop {
  const { host, port, tlsMode, credentials, ca } = smarthost;
  const key = JSON.stringify([host, address, port, tlsMode, credentials?.username, credentials?.password, ca, helo]);
  return { key, smarthost, helo };
}
