/**
 * From a route to the hosts that are tried, in order: smarthosts as configured, MX hosts by their addresses, as far as those are
 * no addresses of this machine or of a network that is blocked: who names a recipient must not choose what we connect to.
 * Never rejects; what stands in the way is a Trouble. The name servers of the configuration may change at any time.
 */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import type { RelayDocument, SmarthostDocument } from "../../../api/relayconfig.ts";
import type { Chance, Clock } from "../../../runtime/clock.ts";
import { createNetworks, NetworkCache } from "../../../runtime/network.ts";
import type { Lookup } from "../../dns/answer.ts";
import { Resolver } from "../../dns/resolver.ts";
import { parseServer } from "../../dns/servers.ts";
import type { Limits } from "../../limits/limits.ts";
import { defaultRecipientsPerMessage, policyFor, type DestinationPolicy } from "../policy/destination.ts";
import type { Route } from "../policy/route.ts";
import type { NextHop } from "../../smtp/client/transport.ts";
import { Directory, hasRouteToIPv6 } from "./directory.ts";
import {
  attemptOrder,
  permittedHosts,
  type Destination,
  type Finding,
  type Found,
  type HostAddress,
} from "./mailhosts.ts";

export interface ClosableLookup extends Lookup {
  close(): void;
}

export interface NextHopFinderOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly limits: Pick<Limits, "destinations">;
  /** 25, unless a test has MX hosts on another. */
  readonly mxPort: number;
  /** Ports that this machine's relay listens on beside those of its document. */
  readonly ownPorts?: readonly number[];
  /** Addresses of this machine; those of its interfaces when absent. */
  readonly ownAddresses?: () => readonly string[];
  /** Tests answer for the DNS. */
  readonly openLookup?: (servers: readonly string[]) => ClosableLookup;
}

/** Where a domain's mail goes, as it was found, and what is allowed there. */
export interface Destined {
  readonly finding: Finding;
  readonly policy: DestinationPolicy;
}

export const standardMxPort = 25;
/** A network may come and go. */
const routeCheckMs = 60_000;
const namedSites = 1_000;

const nowhere: readonly string[] = [];
/** RFC 1122 section 3.2.1.3 and RFC 4291 sections 2.5.2 and 2.5.3. */
const unspecified = createNetworks(["0.0.0.0/32", "::/128"]);
const loopback = createNetworks(["127.0.0.0/8", "::1/128"]);

export class NextHopFinder {
  readonly #options: NextHopFinderOptions;
  #lookup: ClosableLookup | undefined;
  #directory: Directory | undefined;
  #servers = "";
  /** By site: the domain by which an entry of `destinations` fitted. */
  readonly #namedDomains = new Map<string, string>();
  readonly #networks = new NetworkCache();
  #own = createNetworks([]);
  #hasIPv6 = false;
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(options: NextHopFinderOptions) {
    this.#options = options;
  }

  /** `finding`: what was found when the policy was asked for; it is looked up again when that is too long ago. */
  async hops(route: Route, relay: RelayDocument, finding?: Finding): Promise<Found<readonly NextHop[]>> {
    switch (route.kind) {
      case "smarthosts":
        return relay.delivery.dnsServers.length === 0
          ? route.hosts.map((host) => nextHopOf(host, relay.hostname))
          : this.#smarthosts(route.hosts, relay);
      case "held":
        return { trouble: { phase: "local", reason: "no-route", detail: route.reason } };
      case "captured":
        return { trouble: { phase: "local", reason: "withheld" } };
      case "mx": {
        const { found } = await this.#find(route.domain, relay, finding);
        if ("trouble" in found) return found;
        const permitted = permittedHosts(found, {
          isOwn: (address) => this.#isOwn(address, relay),
          isBlocked: (address) => this.#networks.has(relay.delivery.blockedNetworks ?? nowhere, address),
        });
        if ("trouble" in permitted) return permitted;
        const policy = this.#policyOf(route.domain, found, relay);
        const order = attemptOrder(permitted, { chance: this.#options.chance, hasIPv6: this.#hasIPv6 });
        return order.map((target) => this.#mxHop(target, relay.hostname, policy));
      }
    }
  }

  /** What is allowed towards the domain, as far as it is known without asking. */
  known(domain: string, relay: RelayDocument): Destined | undefined {
    const finding = this.#directoryFor(relay.delivery.dnsServers).known(domain);
    return finding === undefined ? undefined : { finding, policy: this.#policyOf(domain, finding.found, relay) };
  }

  async find(domain: string, relay: RelayDocument): Promise<Destined> {
    const finding = await this.#find(domain, relay);
    return { finding, policy: this.#policyOf(domain, finding.found, relay) };
  }

  async #find(domain: string, relay: RelayDocument, finding?: Finding): Promise<Finding> {
    await this.#checkRoute();
    const directory = this.#directoryFor(relay.delivery.dnsServers);
    return finding !== undefined && directory.isGood(finding) ? finding : directory.find(domain, relay.hostname);
  }

  #policyOf(domain: string, found: Found<Destination>, relay: RelayDocument): DestinationPolicy {
    return this.#options.limits.destinations.part(this.#wholePolicyOf(domain, found, relay));
  }

  /** Domains with the same MX hosts share the limits of whichever of them an entry names. */
  #wholePolicyOf(domain: string, found: Found<Destination>, relay: RelayDocument): DestinationPolicy {
    const { destinations } = relay.delivery;
    if ("trouble" in found) return policyFor(destinations, { domain, hosts: [], site: domain });
    const facts = { domain, hosts: found.hosts.map(({ name }) => name), site: found.site };
    const policy = policyFor(destinations, facts);
    if (destinations.length === 0) return policy;
    if (policy.key !== `site ${found.site}`) {
      this.#remember(found.site, domain);
      return policy;
    }
    const named = this.#namedDomains.get(found.site);
    return named === undefined ? policy : policyFor(destinations, { ...facts, domain: named });
  }

  #remember(site: string, domain: string): void {
    this.#namedDomains.delete(site);
    this.#namedDomains.set(site, domain);
    const [oldest] = this.#namedDomains.keys();
    if (this.#namedDomains.size > namedSites && oldest !== undefined) this.#namedDomains.delete(oldest);
  }

  /** Questions under way end as trouble. */
  close(): void {
    this.#lookup?.close();
  }

  /**
   * Where name servers are configured they are asked for smarthosts too; a name that they do not know may be one of this
   * machine's or its network's, and is left to the system.
   */
  async #smarthosts(hosts: readonly SmarthostDocument[], relay: RelayDocument): Promise<readonly NextHop[]> {
    await this.#checkRoute();
    const directory = this.#directoryFor(relay.delivery.dnsServers);
    const hops = hosts.map(async (smarthost) => {
      const hop = nextHopOf(smarthost, relay.hostname);
      if (isIP(smarthost.host) !== 0) return [hop];
      const addresses = await directory.hostAddresses(smarthost.host.toLowerCase());
      if (addresses.length === 0) return [hop];
      const host = { name: smarthost.host, preference: 0, addresses };
      const order = attemptOrder({ hosts: [host] }, { chance: this.#options.chance, hasIPv6: this.#hasIPv6 });
      return order.map(({ address }) => ({ ...hop, key: `${hop.key} ${address}`, address }));
    });
    return (await Promise.all(hops)).flat();
  }

  #mxHop({ host, address }: HostAddress, helo: string, policy: DestinationPolicy): NextHop {
    const { key, maxConnections, messagesPerConnection, tlsMode } = policy;
    const { recipientsPerMessage = defaultRecipientsPerMessage } = policy;
    const smarthost: SmarthostDocument = { host, port: this.#options.mxPort, tlsMode };
    const hop = nextHopOf(smarthost, helo);
    const limits = { key, maxConnections, messagesPerConnection };
    return { ...hop, key: `${hop.key} ${address} ${key}`, address, limits, recipientsPerMessage };
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
    this.#own = createNetworks((this.#options.ownAddresses ?? addressesOfThisMachine)());
    this.#hasIPv6 = await hasRouteToIPv6();
  }

  /**
   * Where MX hosts have a port of their own they are a test's, on this machine like the relay; then its ports are what tells it
   * from them.
   */
  #isOwn(address: string, relay: RelayDocument): boolean {
    const { mxPort, ownPorts = [] } = this.#options;
    if (unspecified.has(address)) return true;
    if (!loopback.has(address) && !this.#own.has(address)) return false;
    return (
      mxPort === standardMxPort || ownPorts.includes(mxPort) || relay.listeners.some(({ port }) => port === mxPort)
    );
  }
}

function addressesOfThisMachine(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address));
}

export function nextHopOf(smarthost: SmarthostDocument, helo: string): NextHop {
  const { host, port, tlsMode, credentials, ca } = smarthost;
  const key = JSON.stringify([host, port, tlsMode, credentials?.username, credentials?.password, ca, helo]);
  return { key, smarthost, helo };
}
