import assert from "node:assert/strict";
import { test } from "node:test";
import { nameServer, networkOf, prefixLength, trustedNetworks } from "./network.ts";

const networks: readonly [string, number | undefined][] = [
  ["10.0.0.0/8", 8],
  ["10.0.0.1/32", 32],
  ["0.0.0.0/0", 0],
  ["::/0", 0],
  ["fd00::/8", 8],
  ["2001:db8::1/128", 128],
  ["10.0.0.0/33", undefined],
  ["10.0.0.0/08", undefined],
  ["010.0.0.0/8", undefined],
  ["10.0.0/8", undefined],
  ["10.0.0.1", undefined],
  ["::ffff:10.0.0.0/104", undefined],
  ["::ffff:0:0/96", undefined],
  ["0:0:0:0:0:ffff:0:0/96", undefined],
  ["fd00::/129", undefined],
  ["fd00::%eth0/64", undefined],
  ["example.com/8", undefined],
  ["", undefined],
];

for (const [text, expected] of networks) {
  test(`prefixLength() of ${JSON.stringify(text)} is ${expected ?? "none, it is no network"}`, () => {
    assert.equal(prefixLength(text), expected);
  });
}

for (const [written, network] of [
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["10.20.255.255/17", "10.20.128.0/17"],
  ["192.0.2.7/32", "192.0.2.7/32"],
  ["192.0.2.7/31", "192.0.2.6/31"],
  ["10.0.0.0/0", "0.0.0.0/0"],
  ["FD00::/8", "FD00::/8"],
  ["fd12:3456::7/8", "fd00::/8"],
  ["2001:db8:1:2:3:4:5:6/64", "2001:db8:1:2::/64"],
  ["2001:db8::f/125", "2001:db8:0:0:0:0:0:8/125"],
  ["2001:db8::1/128", "2001:db8::1/128"],
  ["1:2:3:4:5:6:7:8/112", "1:2:3:4:5:6:7::/112"],
  ["2001:db8::1/0", "::/0"],
] as const) {
  test(`networkOf() says ${network} for ${written}, and who is in it is the same`, () => {
    assert.equal(networkOf(written), network);
    assert.equal(networkOf(network), network);
    assert.equal(prefixLength(network), prefixLength(written));
  });
}

for (const everything of ["0.0.0.0/0", "::/0", "10.0.0.0/0"]) {
  test(`trustedNetworks() refuses ${everything}, an open relay`, () => {
    const issues = trustedNetworks().safeParse([everything]).error?.issues ?? [];
    assert.deepEqual(
      issues.map(({ message }) => message),
      ["would make this an open relay: name the networks that may relay"],
    );
  });
}

for (const [text, isServer] of [
  ["10.0.0.10", true],
  ["10.0.0.10:5353", true],
  ["fd00::10", true],
  ["[fd00::10]:5353", true],
  ["[fd00::10]", false],
  ["fd00::10]:53", false],
  ["[10.0.0.10]:53", false],
  ["10.0.0:53", false],
  ["dns.example.com", false],
  ["10.0.0.10:port", false],
] as const) {
  test(`nameServer() ${isServer ? "takes" : "refuses"} ${text}`, () => {
    assert.equal(nameServer().safeParse(text).success, isServer);
  });
}
