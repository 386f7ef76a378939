/** Networks as CIDR blocks and name servers as addresses, decided without Node so that api stays pure. */
import { z } from "zod";
import { listSet } from "./list.ts";
import { ruled, type Rule } from "./rule.ts";

const isNetwork: Rule<string> = {
  cel: "isCIDR(self)",
  message: "must be a network in CIDR form, for example 10.0.0.0/8 or fd00::/8",
  holds: (text) => prefixLength(text) !== undefined,
};

/** RFC 5321 has no word for it, but a relay for the whole Internet is what blocklists are for. */
const isNotEverything: Rule<string> = {
  cel: "!isCIDR(self) || cidr(self).prefixLength() > 0",
  message: "would make this an open relay: name the networks that may relay",
  holds: (text) => prefixLength(text) !== 0,
};

/** Any network; 0.0.0.0/0 is allowed because being listed here grants no relaying. */
export function network() {
  return ruled(z.string().max(43), [isNetwork]);
}

/** Networks whose clients are trusted. */
export function trustedNetworks() {
  return listSet(ruled(z.string().max(43), [isNetwork, isNotEverything]), 64);
}

/** IPv6 with a port stands in brackets, as in a URL (RFC 3986 section 3.2.2). */
const isNameServer: Rule<string> = {
  cel:
    "isIP(self) || (self.matches('^[0-9.]+:[0-9]{1,5}$') && isIP(self.substring(0, self.lastIndexOf(':')))) || " +
    "(self.matches('^\\\\[[0-9a-fA-F:]+\\\\]:[0-9]{1,5}$') && isIP(self.substring(1, self.lastIndexOf(']'))))",
  message: "must be an IP address, with a port if it is not 53: 10.0.0.10, 10.0.0.10:5353 or [fd00::10]:5353",
  holds: (text) => {
    const [, ipv4, ipv6] = /^(?:([0-9.]+)|\[([0-9a-fA-F:]+)\]):[0-9]{1,5}$/.exec(text) ?? [];
    return isAddress(ipv4 ?? ipv6 ?? text);
  },
};

export function nameServer() {
  return ruled(z.string().max(64), [isNameServer]);
}

const isIpAddress: Rule<string> = {
  cel: "isIP(self)",
  message: "must be an IP address",
  holds: isAddress,
};

export function ipAddress() {
  return ruled(z.string().max(45), [isIpAddress]);
}

function isAddress(text: string): boolean {
  return addressBits(text) !== undefined;
}

/** The number of bits after the slash, or undefined when the text is no network. */
export function prefixLength(text: string): number | undefined {
  const match = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text);
  const bits = addressBits(match?.[1] ?? "");
  const length = Number(match?.[2]);
  return bits !== undefined && length <= bits ? length : undefined;
}

/**
 * The same network with zeros behind its prefix, as `10.0.0.0/8` for `10.1.2.3/8`. Kubernetes warns of others in its own objects and is
 * about to refuse them (KEP-4858), and there are networks of clusters that pass over a policy with one of them.
 */
export function networkOf(cidr: string): string {
  const [address = "", bits] = cidr.split("/");
  const isIpv4 = address.includes(".");
  const width = isIpv4 ? 8 : 16;
  const given = isIpv4 ? address.split(".").map(Number) : groupsOf(address);
  const masked = given.map((group, index) => {
    const free = width - Math.min(Math.max(Number(bits) - index * width, 0), width);
    return (group >> free) << free;
  });
  if (masked.every((group, index) => group === given[index])) return cidr;
  const text = isIpv4
    ? masked.join(".")
    : masked
        .map((group) => group.toString(16))
        .join(":")
        .replace(/(?:(?:^|:)0)+$/, "::");
  return `${text}/${bits}`;
}

/** The eight groups of an IPv6 address; `::` stands for those that are left out (RFC 4291 section 2.2). */
function groupsOf(address: string): readonly number[] {
  const [before = [], after = []] = address.split("::").map((part) => (part === "" ? [] : part.split(":")));
  const left = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return [...before, ...left, ...after].map((group) => Number.parseInt(group, 16));
}

/**
 * 32 or 128; undefined when the text is no address. IPv4-mapped IPv6 is refused, as Kubernetes does (it hides an IPv4
 * network).
 */
function addressBits(text: string): 32 | 128 | undefined {
  if (z.ipv4().safeParse(text).success) return 32;
  if (text.includes(".") || /^(0{0,4}:){1,5}:?ffff:/i.test(text)) return undefined;
  return z.ipv6().safeParse(text).success ? 128 : undefined;
}
