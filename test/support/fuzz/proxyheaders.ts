/** Headers of the PROXY protocol, versions 1 and 2, and what is none. */
import fc from "fast-check";
import { bent, noise, pick } from "./wish.ts";

export interface ProxyOpening {
  /** Each character is an octet. */
  readonly text: string;
  /** `trusted`: of a network that the listener trusts. `nobody`: of another, or of whom the proxy does not know. */
  readonly client: "trusted" | "nobody" | "none" | "open";
}

/** Which the listener trusts. */
export const trustedByProxy = "192.0.2.0/24";

const signature = "\r\n\r\n\0\r\nQUIT\n";
const octets = (...values: readonly number[]): string => String.fromCharCode(...values);
const byte = fc.integer({ min: 1, max: 254 });
const port = fc.integer({ min: 0, max: 65_535 });

function binary(command: number, family: number, rest: string): string {
  return signature + octets(command, family, rest.length >> 8, rest.length & 255) + rest;
}

const extensions = pick("", "", octets(4, 0, 3, 1, 2, 3), octets(3, 0, 4, 9, 9, 9, 9), "\0".repeat(400));

const lineOf = (start: string): fc.Arbitrary<string> =>
  fc
    .tuple(byte, byte, port, port)
    .map(([last, target, from, to]) => `PROXY TCP4 ${start}.${last} 198.51.100.${target} ${from} ${to}\r\n`);

const binaryOf = (start: readonly number[]): fc.Arbitrary<string> =>
  fc
    .tuple(byte, extensions)
    .map(([last, more]) => binary(0x21, 0x11, octets(...start, last, 198, 51, 100, 1, 4, 210, 0, 25) + more));

const trusted: fc.Arbitrary<ProxyOpening> = fc
  .oneof(lineOf("192.0.2"), binaryOf([192, 0, 2]))
  .map((text) => ({ text, client: "trusted" }));

const v6 = (end: string): string =>
  `${"\x20\x01\x0d\xb8"}${"\0".repeat(11)}${end}${"\0".repeat(16)}${octets(4, 210, 0, 25)}`;

/** The proxy does not say who it is, whatever address stands behind that. */
const nobodyKnown = pick(
  "PROXY UNKNOWN\r\n",
  "PROXY UNKNOWN 192.0.2.1 198.51.100.1 1234 25\r\n",
  binary(0x20, 0x11, octets(192, 0, 2, 1, 198, 51, 100, 1, 4, 210, 0, 25)),
  binary(0x20, 0, ""),
  binary(0x21, 0, octets(192, 0, 2, 1, 198, 51, 100, 1, 4, 210, 0, 25)),
);

const nobody: fc.Arbitrary<ProxyOpening> = fc
  .oneof(
    lineOf("203.0.113"),
    binaryOf([203, 0, 113]),
    fc.integer({ min: 1, max: 9999 }).map((one) => `PROXY TCP6 2001:db8::${one} 2001:db8::1 1234 25\r\n`),
    byte.map((one) => binary(0x21, 0x21, v6(octets(one)))),
    ...Array.from({ length: 4 }, () => nobodyKnown),
  )
  .map((text) => ({ text, client: "nobody" }));
const none: fc.Arbitrary<ProxyOpening> = pick(
  "EHLO client.example\r\n",
  "proxy TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
  "PROXY TCP4 192.0.2.1 198.51.100.1 1\r\n",
  "PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n",
  "PROXY TCP4 192.0.2.1 198.51.100.1 1 2 3\r\n",
  "PROXY TCP4 192.0.2.01x 198.51.100.1 1 2\r\n",
  "PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n",
  "PROXY TCP4  192.0.2.1 198.51.100.1 1 2\r\n",
  " PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n",
  `PROXY UNKNOWN ${"x".repeat(200)}\r\n`,
  binary(0x31, 0x11, octets(192, 0, 2, 1, 198, 51, 100, 1, 4, 210, 0, 25)),
  binary(0x22, 0x11, octets(192, 0, 2, 1, 198, 51, 100, 1, 4, 210, 0, 25)),
  binary(0x21, 0x12, octets(192, 0, 2, 1, 198, 51, 100, 1, 4, 210, 0, 25)),
  binary(0x21, 0x11, octets(192, 0, 2, 1)),
  binary(0x21, 0x31, "\0".repeat(216)),
  binary(0x21, 0x11, "\0".repeat(60_000)),
).map((text) => ({ text, client: "none" }));

/** Whoever bends a header may by chance write one of another client, or one that waits for more. */
const open: fc.Arbitrary<ProxyOpening> = fc
  .oneof(bent(trusted.map(({ text }) => text)), bent(nobody.map(({ text }) => text)), noise)
  .map((text) => ({ text, client: "open" }));

export const proxyOpening: fc.Arbitrary<ProxyOpening> = fc.oneof(
  { weight: 5, arbitrary: trusted },
  { weight: 3, arbitrary: nobody },
  { weight: 2, arbitrary: none },
  { weight: 2, arbitrary: open },
);
