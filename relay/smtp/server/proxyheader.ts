/**
 * The header that a load balancer puts before a connection (PROXY protocol, versions 1 and 2), out of the first octets.
 *
 * Pure. Only a header that names an address of a TCP connection says who the client is. UNKNOWN, LOCAL and UNSPEC say that the
 * proxy does not know: whatever address is written behind them is not believed (section 2.1 and 2.2 of the specification).
 */
import { isIP } from "node:net";
import { normalizeAddress } from "../../../runtime/network.ts";

export interface ProxyHeader {
  readonly kind: "header";
  /** Undefined when the header does not say. */
  readonly clientAddress: string | undefined;
  /** What follows belongs to the client. */
  readonly octets: number;
}

export type ProxyReading =
  ProxyHeader | { readonly kind: "more" } | { readonly kind: "fault"; readonly reason: string };

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Section 2.1: the longest line, its end included. */
const longestLine = 107;
/** Addresses and extensions of version 2; balancers send some hundred octets. */
const longestExtension = 2048;
const more = { kind: "more" } as const;

export function readProxyHeader(bytes: Buffer): ProxyReading {
  const start = bytes.subarray(0, signature.length);
  if (start.equals(signature.subarray(0, start.length)))
    return start.length < signature.length ? more : readBinary(bytes);
  return readLine(bytes);
}

function fault(reason: string): ProxyReading {
  return { kind: "fault", reason };
}

function readLine(bytes: Buffer): ProxyReading {
  const opening = "PROXY ";
  const text = bytes.subarray(0, longestLine).toString("latin1");
  if (!text.startsWith(opening.slice(0, text.length))) return fault("no PROXY header");
  const end = text.indexOf("\r\n");
  if (end === -1) return bytes.length >= longestLine ? fault("the PROXY line is too long") : more;
  const octets = end + 2;
  const [family, ...words] = text.slice(opening.length, end).split(" ");
  if (family === "UNKNOWN") return { kind: "header", clientAddress: undefined, octets };
  const [source = "", target = "", sourcePort = "", targetPort = "", ...rest] = words;
  const version = family === "TCP4" ? 4 : family === "TCP6" ? 6 : 0;
  const isWhole = rest.length === 0 && isPort(sourcePort) && isPort(targetPort);
  if (version === 0 || !isWhole || isIP(source) !== version || isIP(target) !== version) {
    return fault("the PROXY line is malformed");
  }
  return { kind: "header", clientAddress: normalizeAddress(source), octets };
}

function isPort(word: string): boolean {
  return /^\d{1,5}$/.test(word) && Number(word) <= 65_535;
}

/** Section 2.2: version and command, family and transport, the length of the rest. */
function readBinary(bytes: Buffer): ProxyReading {
  const fixed = 16;
  if (bytes.length < fixed) return more;
  const command = bytes[12] ?? 0;
  const family = bytes[13] ?? 0;
  const length = bytes.readUInt16BE(14);
  if (command !== 0x20 && command !== 0x21) return fault("the PROXY header has an unknown version or command");
  if (length > longestExtension) return fault("the PROXY header is too long");
  const octets = fixed + length;
  if (bytes.length < octets) return more;
  const rest = bytes.subarray(fixed, octets);
  const isLocal = command === 0x20;
  if (isLocal || family === 0) return { kind: "header", clientAddress: undefined, octets };
  if (family === 0x11 && rest.length >= 12)
    return { kind: "header", clientAddress: [...rest.subarray(0, 4)].join("."), octets };
  if (family === 0x21 && rest.length >= 36) return { kind: "header", clientAddress: ipv6Of(rest), octets };
  return fault("the PROXY header names no TCP connection");
}

function ipv6Of(bytes: Buffer): string {
  const groups = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => bytes.readUInt16BE(at).toString(16));
  return normalizeAddress(groups.join(":"));
}
