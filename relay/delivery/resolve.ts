/**
 * From a route to the hosts that are tried, in order: smarthosts as configured, MX hosts by DNS (RFC 5321 section 5.1).
 * Rejects with ResolveError, whose trouble says whether the recipient's domain is gone or DNS is.
 */
import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import type { SmarthostDocument } from "../../api/relayconfig.ts";
import type { Chance } from "../../runtime/clock.ts";
import type { LocalReason, Trouble } from "../mail/outcome.ts";
import type { Route } from "../mail/route.ts";
import type { NextHop } from "./transport.ts";

export class ResolveError extends Error {
  override readonly name = "ResolveError";
  readonly trouble: Trouble;

  constructor(reason: LocalReason, detail?: string) {
    super(reason);
    this.trouble = {
      phase: reason === "no-route" ? "local" : "dns",
      reason,
      ...(detail === undefined ? {} : { detail }),
    };
  }
}

/** The questions that are asked; node:dns answers, tests answer for it. */
export type MailLookup = Pick<Resolver, "resolveMx" | "resolve4" | "resolve6">;

export interface ResolveOptions {
  readonly hostname: string;
  /** Empty means the system's. */
  readonly dnsServers: readonly string[];
  readonly chance: Chance;
  readonly lookup?: MailLookup;
}

const mxPort = 25;

export async function resolveHops(route: Route, options: ResolveOptions): Promise<readonly NextHop[]> {
  switch (route.kind) {
    case "smarthosts":
      return route.hosts.map((host) => hopOf(host, options.hostname));
    case "held":
      throw new ResolveError("no-route", route.reason);
    case "mx": {
      const hosts = await mailHosts(route.domain, options);
      return hosts.map((host) => hopOf({ host, port: mxPort, tlsMode: "Opportunistic" }, options.hostname));
    }
  }
}

function hopOf(smarthost: SmarthostDocument, helo: string): NextHop {
  const { host, port, tlsMode, credentials, ca } = smarthost;
  const key = JSON.stringify([host, port, tlsMode, credentials?.username, credentials?.password, ca, helo]);
  return { key, smarthost, helo };
}

async function mailHosts(domain: string, options: ResolveOptions): Promise<readonly string[]> {
  // RFC 5321 section 4.1.3: an address literal names its host.
  const literal = /^\[(?:ipv6:)?([0-9a-f.:]+)\]$/i.exec(domain)?.[1];
  if (literal !== undefined && isIP(literal) !== 0) return [literal];
  const lookup = options.lookup ?? systemLookup(options.dnsServers);
  const records = await answers(domain, () => lookup.resolveMx(domain));
  if (records.length === 0) return [await addressedHost(domain, lookup)];
  // RFC 7505 section 3: one record with an empty exchange says that the domain takes no mail.
  if (records.every(({ exchange }) => exchange === "" || exchange === ".")) throw new ResolveError("null-mx");
  // RFC 5321 section 5.1: lower preference first, chance among equals.
  return records
    .map(({ exchange, priority }) => ({ exchange, priority, order: options.chance() }))
    .toSorted((a, b) => a.priority - b.priority || a.order - b.order)
    .map(({ exchange }) => exchange);
}

/** RFC 5321 section 5.1: without MX the domain itself is the host, when it has an address. */
async function addressedHost(domain: string, lookup: MailLookup): Promise<string> {
  const v4 = await answers(domain, () => lookup.resolve4(domain));
  const v6 = v4.length > 0 ? [] : await answers(domain, () => lookup.resolve6(domain));
  if (v4.length + v6.length === 0) throw new ResolveError("no-such-domain", domain);
  return domain;
}

/** No such record is an empty answer; no such domain and no answer are errors. */
async function answers<T>(domain: string, ask: () => Promise<T[]>): Promise<T[]> {
  try {
    return await ask();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    if (code === "ENODATA") return [];
    if (code === "ENOTFOUND") throw new ResolveError("no-such-domain", domain);
    throw new ResolveError("dns-trouble", `${domain}: ${code}`);
  }
}

function systemLookup(servers: readonly string[]): MailLookup {
  const resolver = new Resolver({ timeout: 5_000, tries: 2 });
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}
