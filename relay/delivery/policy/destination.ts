/**
 * What a relay allows itself towards one destination: connections, pace, TLS. Pure: the configuration's entries, the
 * recipient's domain and its mail hosts decide.
 */
import type { OutboundTlsMode, RelayDocument } from "../../../api/relayconfig.ts";

type Entry = RelayDocument["delivery"]["destinations"][number];

export interface DestinationPolicy {
  /** Destinations with the same key share their limits: those of one entry, else those with the same set of MX hosts. */
  readonly key: string;
  readonly maxConnections: number;
  readonly messagesPerConnection: number;
  /** Recipients of one transaction; absent: the default. */
  readonly recipientsPerMessage?: number;
  /** Absent: as fast as it goes. */
  readonly messagesPerMinute?: number;
  readonly tlsMode: OutboundTlsMode;
}

/** What receivers commonly stand from a stranger; 100 messages a connection is below every limit that is published. */
export const defaultMaxConnections = 20;
export const defaultMessagesPerConnection = 100;
/** RFC 5321 section 4.5.3.1.8: every server has to take as many; more are a matter of luck. */
export const defaultRecipientsPerMessage = 100;

export interface DestinationFacts {
  /** A-label in lower case. */
  readonly domain: string;
  /** Names of its MX hosts, in lower case. */
  readonly hosts: readonly string[];
  /** The same for all domains with the same set of hosts. */
  readonly site: string;
}

export function policyFor(entries: readonly Entry[], facts: DestinationFacts): DestinationPolicy {
  const entry = entryFor(entries, facts);
  return {
    key: entry === undefined ? `site ${facts.site}` : `destination ${entry.name}`,
    maxConnections: entry?.maxConnections ?? defaultMaxConnections,
    messagesPerConnection: entry?.messagesPerConnection ?? defaultMessagesPerConnection,
    ...(entry?.recipientsPerMessage === undefined ? {} : { recipientsPerMessage: entry.recipientsPerMessage }),
    ...(entry?.messagesPerMinute === undefined ? {} : { messagesPerMinute: entry.messagesPerMinute }),
    tlsMode: entry?.tlsMode ?? "Opportunistic",
  };
}

/** The domain's own entry first, then that of its provider; the longest pattern of each, the first among equals. */
function entryFor(entries: readonly Entry[], { domain, hosts }: DestinationFacts): Entry | undefined {
  const fits = (names: readonly string[]) => (pattern: string) => names.every((name) => matchesDomain(pattern, name));
  return best(entries, fits([domain])) ?? (hosts.length > 0 ? best(entries, fits(hosts)) : undefined);
}

function best(entries: readonly Entry[], fits: (pattern: string) => boolean): Entry | undefined {
  let found: { readonly entry: Entry; readonly weight: number } | undefined;
  for (const entry of entries) {
    const weight = Math.max(0, ...entry.match.filter(fits).map(weightOf));
    if (weight > (found?.weight ?? 0)) found = { entry, weight };
  }
  return found?.entry;
}

/** A whole name outweighs every wildcard. */
function weightOf(pattern: string): number {
  return pattern.startsWith("*.") ? pattern.length : pattern.length + 1_000;
}

/** `*.example.com` stands for every name below example.com, and not for itself. */
function matchesDomain(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase();
  return wanted.startsWith("*.") ? name.endsWith(wanted.slice(1)) && name.length > wanted.length - 1 : name === wanted;
}
