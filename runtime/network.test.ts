import assert from "node:assert/strict";
import { test } from "node:test";
import { clientOf, createNetworks, NetworkCache } from "./network.ts";

const cases: readonly (readonly [readonly string[], string, boolean])[] = [
  [["10.0.0.0/8"], "10.200.3.4", true],
  [["10.0.0.0/8"], "11.0.0.1", false],
  [["10.0.0.0/8"], "::ffff:10.1.2.3", true],
  [["10.0.0.0/8"], "0:0:0:0:0:ffff:a01:203", true],
  [["10.0.0.0/8"], "::ffff:b01:203", false],
  [["10.0.0.0/8"], "ffff:a01:203", false],
  [["10.0.0.0/8"], "::ffff:0:10.1.2.3", false],
  [["::ffff:10.0.0.0/104"], "10.1.2.3", true],
  [["::ffff:10.0.0.0/104"], "11.1.2.3", false],
  [["192.0.2.7"], "192.0.2.7", true],
  [["192.0.2.7"], "192.0.2.8", false],
  [["192.0.2.7/32", "2001:db8::/32"], "2001:DB8:1::2", true],
  [["2001:db8::/32"], "2001:db9::1", false],
  [["0.0.0.0/0"], "203.0.113.9", true],
  [["0.0.0.0/0"], "2001:db8::1", false],
  [["::/0"], "2001:db8::1", true],
  [["10.1.2.3/8"], "10.9.9.9", true],
  [[], "10.0.0.1", false],
  [["10.0.0.0/33"], "10.0.0.0", false],
  [["10.0.0.0/x"], "10.0.0.0", false],
  [["10.0.0.0/8/8"], "10.0.0.0", false],
  [["10.0.0/8"], "10.0.0.0", false],
  [["everybody"], "10.0.0.0", false],
  [["nonsense", "10.0.0.0/8"], "10.0.0.0", true],
  [["10.0.0.0/8"], "", false],
  [["10.0.0.0/8"], "10.0.0.1.example", false],
];
for (const [blocks, address, inside] of cases) {
  test(`${address || "an empty address"} is ${inside ? "inside" : "outside"} ${JSON.stringify(blocks)}`, () => {
    assert.equal(createNetworks(blocks).has(address), inside);
    assert.equal(new NetworkCache().has(blocks, address), inside);
  });
}

for (const [client, addresses] of [
  ["192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7", "0:0:0:0:0:FFFF:C000:207", "::ffff:c000:207", "0::ffff:192.0.2.7"]],
  ["192.0.2.8", ["192.0.2.8"]],
  [
    "2001:db8:1:2::/64",
    [
      "2001:db8:1:2::",
      "2001:db8:1:2::7",
      "2001:DB8:1:2:ffff:ffff:ffff:ffff",
      "2001:0db8:0001:0002:0:0:0:7",
      "2001:db8:1:2::192.0.2.7",
      "2001:db8:1:2:0:0:192.0.2.7",
    ],
  ],
  ["2001:db8:1:3::/64", ["2001:db8:1:3::7"]],
  ["2001:db8:0:0::/64", ["2001:db8::7", "2001:db8:0:0:1::", "2001:db8::1:0:0:7", "2001:db8::"]],
  ["fe80:0:0:0::/64", ["fe80::1%eth0", "fe80::2"]],
  ["0:0:0:0::/64", ["::1", "::"]],
  ["", [""]],
] as const) {
  test(`${addresses.join(", ")} count as one client`, () => {
    for (const address of addresses) assert.equal(clientOf(address), client, address);
  });
}
