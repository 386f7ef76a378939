/**
 * The kinds of text that fields hold: names of objects, of hosts, of domains. Each is bounded, so that the cost of CEL
 * rules over lists of them stays within an API server's budget, and says in its message what to write instead.
 */
import { z } from "zod";
import { lowerCased, spelled } from "./pattern.ts";

const label = "[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?";
const lowerLabel = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";

function text(pattern: string, maxLength: number, wrong: string) {
  return spelled(z.string().min(1).max(maxLength), new RegExp(`^${pattern}$`), wrong);
}

function name(pattern: string, maxLength: number, wrong: string) {
  return lowerCased(z.string().min(1).max(maxLength), new RegExp(`^${pattern}$`), wrong);
}

/** Name of any namespaced object (RFC 1123 subdomain). */
export function objectName() {
  const wrong = "must be an object's name: lower-case letters, digits, '-' and '.'";
  return text(`${lowerLabel}(\\.${lowerLabel})*`, 253, wrong);
}

/** RFC 1123 label: namespaces, entries of lists. */
export function labelName() {
  return text(lowerLabel, 63, "must be lower-case letters, digits and '-', at most 63 of them");
}

/** A host name of one or more labels (RFC 1123 section 2.1), which includes the written form of an IPv4 address. */
export function hostName() {
  const wrong = "must be a host name of letters, digits, '-' and '.'; write other scripts as A-labels (xn--...)";
  return name(`${lowerLabel}(\\.${lowerLabel})*`, 253, wrong);
}

/** A mail domain: at least two labels, as A-labels (RFC 5890 section 2.3.2.1). */
export function domainName() {
  const wrong = "must be a domain such as example.com; write a domain of another script as A-labels (xn--...)";
  return name(`${lowerLabel}(\\.${lowerLabel})+`, 253, wrong);
}

/** Any name in DNS, also those of records: `_spf.example.com`. */
export function recordName() {
  return name(`_?${lowerLabel}(\\._?${lowerLabel})+`, 253, "must be a name in DNS such as _spf.example.com");
}

/** A domain, or `*.` and a domain for everything below it. */
export function domainPattern() {
  const wrong = "must be a domain such as example.com, or *.example.com for those below it; other scripts as A-labels";
  return name(`(\\*\\.)?${lowerLabel}(\\.${lowerLabel})+`, 255, wrong);
}

/**
 * Host and port are spelled out, so that no program finds out later that it is no URL; no user and password (RFC 9110
 * section 4.2.4).
 */
export function httpUrl() {
  const host = `(${label}(\\.${label})*|\\[[0-9A-Fa-f:.]+\\])`;
  const wrong = "must be a URL that starts with http:// or https:// and a host, such as https://otel-collector:4318";
  return text(`https?://${host}(:[0-9]{1,5})?([/?#][^\\s]*)?`, 2048, wrong);
}

/** A DKIM selector (RFC 6376 section 3.1). */
export function dkimSelector() {
  return name(`${lowerLabel}(\\.${lowerLabel})*`, 63, "must be a DKIM selector: letters, digits, '-' and '.'");
}

export function emailAddress() {
  return name(
    `[^\\s<>@"(),:;\\\\]{1,64}@${lowerLabel}(\\.${lowerLabel})+`,
    320,
    "must be an address such as postmaster@example.com",
  );
}

export function portNumber() {
  return z.int().min(1).max(65535);
}

/** Labels, annotations and node selectors: text by text. */
export function textMap(maxProperties: number, maxLength: number) {
  return z.record(z.string().max(317), z.string().max(maxLength)).meta({ maxProperties });
}
