import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readProxyHeader } from "./proxyheader.ts";

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const v2 = (command: number, family: number, rest: Buffer): Buffer => {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rest.length);
  return Buffer.concat([signature, Buffer.from([command, family]), length, rest]);
};
const v4 = Buffer.from([198, 51, 100, 7, 192, 0, 2, 1, 4, 210, 0, 25]);
const v6 = Buffer.concat([
  Buffer.from("20010db8000100000000000000000007", "hex"),
  Buffer.alloc(16),
  Buffer.from([4, 210, 0, 25]),
]);
/** As a balancer with a socket for both families sends it. */
const mapped = Buffer.concat([Buffer.from("00000000000000000000ffffc6336407", "hex"), v6.subarray(16)]);
const text = (line: string): Buffer => Buffer.from(`${line}\r\n`);

/** The client's address, `unknown`, or why there is none. */
const cases: readonly (readonly [string, Buffer, string])[] = [
  ["TCP4", text("PROXY TCP4 198.51.100.7 192.0.2.1 1234 25"), "198.51.100.7"],
  ["TCP6", text("PROXY TCP6 2001:DB8::7 2001:db8::1 1234 25"), "2001:db8::7"],
  ["TCP6 of a client of IPv4", text("PROXY TCP6 ::ffff:198.51.100.7 ::ffff:192.0.2.1 1234 25"), "198.51.100.7"],
  ["UNKNOWN", text("PROXY UNKNOWN"), "unknown"],
  ["UNKNOWN with addresses", text("PROXY UNKNOWN 198.51.100.7 192.0.2.1 1234 25"), "unknown"],
  ["the longest line", text(`PROXY UNKNOWN ${"f".repeat(91)}`), "unknown"],
  ["a longer line", text(`PROXY UNKNOWN ${"f".repeat(92)}`), "the PROXY line is too long"],
  ["a line without end", Buffer.from(`PROXY ${"x".repeat(200)}`), "the PROXY line is too long"],
  ["an address of the other family", text("PROXY TCP4 2001:db8::7 2001:db8::1 1 2"), "the PROXY line is malformed"],
  ["no address", text("PROXY TCP4 client 192.0.2.1 1 2"), "the PROXY line is malformed"],
  ["no ports", text("PROXY TCP4 198.51.100.7 192.0.2.1"), "the PROXY line is malformed"],
  ["a port too high", text("PROXY TCP4 198.51.100.7 192.0.2.1 70000 25"), "the PROXY line is malformed"],
  ["words behind it", text("PROXY TCP4 198.51.100.7 192.0.2.1 1 2 x"), "the PROXY line is malformed"],
  ["two spaces", text("PROXY TCP4  198.51.100.7 192.0.2.1 1 2"), "the PROXY line is malformed"],
  ["an unknown family", text("PROXY UDP4 198.51.100.7 192.0.2.1 1 2"), "the PROXY line is malformed"],
  ["a client's own words", text("EHLO client.example"), "no PROXY header"],
  ["lower case", text("proxy TCP4 198.51.100.7 192.0.2.1 1 2"), "no PROXY header"],
  ["version 2 over IPv4", v2(0x21, 0x11, v4), "198.51.100.7"],
  ["version 2 over IPv6", v2(0x21, 0x21, v6), "2001:db8:1:0:0:0:0:7"],
  ["version 2 over IPv6 of a client of IPv4", v2(0x21, 0x21, mapped), "198.51.100.7"],
  ["version 2 with extensions", v2(0x21, 0x11, Buffer.concat([v4, Buffer.alloc(500, 4)])), "198.51.100.7"],
  ["version 2 LOCAL", v2(0x20, 0x11, v4), "unknown"],
  ["version 2 LOCAL without address", v2(0x20, 0, Buffer.alloc(0)), "unknown"],
  ["version 2 UNSPEC", v2(0x21, 0, v4), "unknown"],
  ["version 2 over UDP", v2(0x21, 0x12, v4), "the PROXY header names no TCP connection"],
  ["version 2 over a local socket", v2(0x21, 0x31, Buffer.alloc(216)), "the PROXY header names no TCP connection"],
  ["version 2 cut short", v2(0x21, 0x11, v4.subarray(0, 11)), "the PROXY header names no TCP connection"],
  ["version 3", v2(0x31, 0x11, v4), "the PROXY header has an unknown version or command"],
  ["version 2 of 60 KB", v2(0x21, 0x11, Buffer.alloc(60_000)), "the PROXY header is too long"],
];

for (const [name, bytes, expected] of cases) {
  test(`readProxyHeader() reads ${expected} out of ${name}, and no sooner than all of it is there`, () => {
    const behind = Buffer.concat([bytes, Buffer.from("EHLO x\r\n")]);
    const reading = readProxyHeader(behind);
    if (reading.kind === "fault") return assert.equal(reading.reason, expected);
    assert.equal(reading.kind === "header" ? (reading.clientAddress ?? "unknown") : "more", expected);
    assert.equal(reading.kind === "header" ? reading.octets : -1, bytes.length);
    for (let length = 0; length < bytes.length; length += 1) {
      assert.equal(readProxyHeader(behind.subarray(0, length)).kind, "more", `after ${length} octets`);
    }
  });
}

test("readProxyHeader() reads anything without throwing, and never waits for more than two KB and a half", () => {
  const anything = fc.uint8Array({ minLength: 2100, maxLength: 2200 });
  const start = fc.constantFrom(Buffer.alloc(0), signature, Buffer.from("PROXY "), v2(0x21, 0x11, v4).subarray(0, 14));
  fc.assert(
    fc.property(start, anything, (opening, rest) => readProxyHeader(Buffer.concat([opening, rest])).kind !== "more"),
  );
});
