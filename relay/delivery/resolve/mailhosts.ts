/**
 * From DNS answers to the hosts that take a domain's mail, in the order they are tried (RFC 5321 section 5.1). Pure.
 *
 * Promise: it always ends in hosts with addresses or in a Trouble that says whether the domain is at fault, for good, or
 * the DNS is, for now. Only what every lookup agreed on is for good.
 */
import { isHostName, type Answer } from "../../dns/answer.ts";
import type { LocalReason, Trouble } from "../../mail/hostanswer.ts";

/** A host with the preference its domain gave it; lower is tried first. */
export interface Exchanger {
  readonly name: string;
  readonly preference: number;
}

export interface MailHost extends Exchanger {
  /** IPv4 and IPv6, each in the order the DNS gave them. */
  readonly addresses: readonly string[];
}

/** Where a domain's mail goes, good until `ttlSeconds` have passed. */
export interface Destination {
  /** By preference; never empty. */
  readonly hosts: readonly MailHost[];
  /** The same for all domains with the same set of hosts: one provider, one limit. */
  readonly site: string;
  readonly ttlSeconds: number;
}

export type Found<T> = T | { readonly trouble: Trouble };

/** What was found, and how long that is good. */
export interface Finding {
  readonly found: Found<Destination>;
  readonly until: number;
  /** The directory that found it: those of other name servers may know better. */
  readonly by: object;
}

/** Hosts beyond these are not looked up: nobody has more who wants mail. */
const hostLimit = 16;
/** Addresses tried in one attempt, over all hosts. */
export const addressLimit = 10;

export interface Exchangers {
  readonly exchangers: readonly Exchanger[];
  /** The domain has no MX and is its own host. */
  readonly implicit: boolean;
  readonly ttlSeconds: number;
}

/** `[192.0.2.1]` and `[ipv6:2001:db8::1]` (RFC 5321 section 4.1.3) name their host; undefined for a domain. */
export function literalAddress(domain: string): string | undefined {
  return /^\[(?:ipv6:)?([0-9a-f.:]+)\]$/i.exec(domain)?.[1];
}

/** What the answer to the MX question means. `ownName` is the name this relay gives with EHLO. */
export function exchangersOf(domain: string, answer: Answer, ownName: string): Found<Exchangers> {
  switch (answer.kind) {
    case "trouble":
      return dnsTrouble("dns-trouble", `MX of ${domain}: ${answer.detail}`);
    case "no-domain":
      return dnsTrouble("no-such-domain", domain);
    case "no-data":
      return {
        exchangers: [{ name: domain, preference: 0 }],
        implicit: true,
        ttlSeconds: answer.ttlSeconds,
      };
    case "records":
      break;
  }
  const { exchangers, ttlSeconds } = answer;
  // RFC 7505 section 3: the root as the only host says that the domain takes no mail. Beside others it names no host.
  if (exchangers.every(({ exchange }) => exchange === "")) return dnsTrouble("null-mx");
  const usable = exchangers
    .filter(({ exchange }) => isHostName(exchange))
    .map(({ exchange, preference }) => ({ name: exchange, preference }))
    .toSorted((a, b) => a.preference - b.preference);
  if (usable.length === 0) return dnsTrouble("mx-unusable", `${domain} has MX records that name no host`);
  const others = withoutLoop(usable, ownName.toLowerCase());
  if (others.length === 0) return dnsTrouble("mx-loop", `${ownName} is the best MX of ${domain}`);
  return { exchangers: others.slice(0, hostLimit), implicit: false, ttlSeconds };
}

/** RFC 5321 section 5.1: mail only moves towards lower preferences, or it would go round in a circle. */
function withoutLoop(exchangers: readonly Exchanger[], ownName: string): readonly Exchanger[] {
  const own = exchangers.find(({ name }) => name === ownName);
  return own === undefined ? exchangers : exchangers.filter(({ preference }) => preference < own.preference);
}

/** What was found of one host: A, and AAAA when it was asked for. Undefined stands for an answer that did not come in time. */
export interface HostAnswers {
  readonly exchanger: Exchanger;
  readonly answers: readonly (Answer | undefined)[];
}

export function destinationOf(
  domain: string,
  { implicit, ttlSeconds }: Exchangers,
  found: readonly HostAnswers[],
): Found<Destination> {
  const hosts = found.flatMap(({ exchanger, answers }) => {
    const addresses = answers.flatMap((answer) => (answer?.kind === "records" ? answer.addresses : []));
    const reachable = addresses.filter(isReachable);
    return reachable.length === 0 ? [] : [{ ...exchanger, addresses: reachable }];
  });
  if (hosts.length > 0) {
    const site = [...new Set(found.map(({ exchanger }) => exchanger.name))].toSorted().join(" ");
    return { hosts, site, ttlSeconds: Math.min(ttlSeconds, ...found.flatMap(({ answers }) => answers.map(ttlOf))) };
  }
  const open = found.flatMap(({ exchanger, answers }) =>
    answers.flatMap((answer) => (answer === undefined ? `${exchanger.name}: timeout` : wordsOf(exchanger, answer))),
  );
  if (open[0] !== undefined) return dnsTrouble("dns-trouble", open[0]);
  if (implicit) return dnsTrouble("no-mail-host", domain);
  return dnsTrouble("mx-unusable", `no MX host of ${domain} has an address: ${namesOf(found)}`);
}

function wordsOf({ name }: Exchanger, answer: Answer): string[] {
  return answer.kind === "trouble" ? [`address of ${name}: ${answer.detail}`] : [];
}

function namesOf(found: readonly HostAnswers[]): string {
  return found.map(({ exchanger }) => exchanger.name).join(", ");
}

/** Lookups in trouble are asked again soon: the hosts without an address may be back by then. */
function ttlOf(answer: Answer | undefined): number {
  return answer === undefined || answer.kind === "trouble" ? 5 : answer.ttlSeconds;
}

/**
 * RFC 1122 section 3.2.1.3, RFC 4291 section 2.7: no host has a multicast or a reserved address, or one of "this network". "This
 * host" is left to permittedHosts(): whoever connects to it comes back to itself.
 */
function isReachable(address: string): boolean {
  if (address.includes(":")) return !/^ff[0-9a-f]{2}:/i.test(address);
  const first = Number(address.split(".")[0]);
  return address === "0.0.0.0" || (first > 0 && first < 224);
}

/** What is known of addresses before anybody connects to them. */
export interface AddressFacts {
  /** A connection to it would come back to this relay. */
  readonly isOwn: (address: string) => boolean;
  /** The configuration says that no mail goes there by MX. */
  readonly isBlocked: (address: string) => boolean;
}

/** The hosts that mail may go to; a Trouble for good when there is none. */
export function permittedHosts(found: Destination, { isOwn, isBlocked }: AddressFacts): Found<Destination> {
  const own = found.hosts.find(({ addresses }) => addresses.some(isOwn));
  // RFC 5321 section 5.1: whoever is an MX itself hands on to better ones only, or mail would go round in a circle.
  const others = own === undefined ? found.hosts : found.hosts.filter(({ preference }) => preference < own.preference);
  if (own !== undefined && others.length === 0) {
    return dnsTrouble("mx-loop", `${own.name} has the address ${own.addresses.find(isOwn)}, which is this machine`);
  }
  const hosts = others.flatMap((host) => {
    const addresses = host.addresses.filter((address) => !isBlocked(address));
    return addresses.length === 0 ? [] : [{ ...host, addresses }];
  });
  const [blocked] = others;
  return hosts.length === 0 && blocked !== undefined
    ? dnsTrouble("blocked-network", `${blocked.name} has the address ${blocked.addresses[0]}`)
    : { ...found, hosts };
}

export interface AttemptFacts {
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  /** False on a machine without a way to the IPv6 Internet. */
  readonly hasIPv6: boolean;
}

export interface HostAddress {
  readonly host: string;
  readonly address: string;
}

/** Whom to try in one attempt: lower preference first, chance among equals, each host's addresses one after the other. */
export function attemptOrder({ hosts }: Pick<Destination, "hosts">, facts: AttemptFacts): readonly HostAddress[] {
  const drawn = hosts.map((host) => ({ host, draw: facts.chance() }));
  const inOrder = drawn.toSorted((a, b) => a.host.preference - b.host.preference || a.draw - b.draw);
  const all = inOrder.flatMap(({ host, draw }) =>
    addressOrder(host.addresses, draw, facts.hasIPv6).map((address) => ({ host: host.name, address })),
  );
  const first = all.filter((one, index) => all.findIndex(({ address }) => address === one.address) === index);
  return first.slice(0, addressLimit);
}

/**
 * The DNS's order, begun at a place of chance as its servers do (RFC 1794 section 4). Where there is a way to IPv6 it comes first
 * and the two take turns (RFC 8305 section 4): a route that leads nowhere must not use up the addresses that are tried.
 */
function addressOrder(addresses: readonly string[], draw: number, hasIPv6: boolean): readonly string[] {
  const isV6 = (address: string): boolean => address.includes(":");
  const v6 = turned(addresses.filter(isV6), draw);
  const v4 = turned(
    addresses.filter((address) => !isV6(address)),
    draw,
  );
  if (!hasIPv6) return [...v4, ...v6];
  return Array.from({ length: Math.max(v4.length, v6.length) }, (_, at) => [
    ...v6.slice(at, at + 1),
    ...v4.slice(at, at + 1),
  ]).flat();
}

function turned(addresses: readonly string[], draw: number): readonly string[] {
  const start = Math.floor(draw * addresses.length);
  return [...addresses.slice(start), ...addresses.slice(0, start)];
}

function dnsTrouble(reason: LocalReason, detail?: string): { readonly trouble: Trouble } {
  return { trouble: { phase: "dns", reason, ...(detail === undefined ? {} : { detail }) } };
}
