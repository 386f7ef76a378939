import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiDomain, domainOf, matchesLocalPart, parseAddress } from "./address.ts";

const addresses: readonly { readonly text: string; readonly address: string | undefined; readonly ascii?: boolean }[] =
  [
    { text: "a@example.com", address: "a@example.com" },
    { text: "A.b+c@EXAMPLE.com", address: "A.b+c@example.com" },
    { text: "a@xn--mnchen-3ya.example", address: "a@xn--mnchen-3ya.example" },
    { text: "a@münchen.example", address: "a@xn--mnchen-3ya.example", ascii: false },
    { text: "jörg@example.com", address: "jörg@example.com", ascii: false },
    { text: '"john doe"@example.com', address: '"john doe"@example.com' },
    { text: '"a@b"@example.com', address: '"a@b"@example.com' },
    { text: "name.@docomo.example", address: "name.@docomo.example" },
    { text: "a@[192.0.2.1]", address: "a@[192.0.2.1]" },
    { text: "a@[IPv6:2001:db8::1]", address: "a@[ipv6:2001:db8::1]" },
    { text: "a@under_score.example", address: "a@under_score.example" },
    { text: "@example.com", address: undefined },
    { text: "a@", address: undefined },
    { text: "a", address: undefined },
    { text: "", address: undefined },
    { text: "a b@example.com", address: undefined },
    { text: "a@exa mple.com", address: undefined },
    { text: "a@-example.com", address: undefined },
    { text: "a@example..com", address: undefined },
    { text: "a@example.com.", address: undefined },
    { text: '"a"b@example.com', address: undefined },
    { text: "a@münchen.example/evil.example", address: undefined },
    { text: "a@münchen.example#", address: undefined },
    { text: "a@mün%2echen.example", address: undefined },
    { text: "a@ü\u0000.example", address: undefined },
    { text: "a@b\ufffd.example", address: undefined },
    { text: "a\u0085@example.com", address: undefined },
    { text: "a\u2028b@example.com", address: undefined },
    { text: "\u202ea@example.com", address: undefined },
    { text: "a\u2066@example.com", address: undefined },
    { text: "a\u200b@example.com", address: undefined },
    { text: "a\ufeff@example.com", address: undefined },
    { text: "a\u00ad@example.com", address: undefined },
    { text: "a\u00a0@example.com", address: undefined },
    { text: "a\u3000@example.com", address: undefined },
    { text: "a\ue000@example.com", address: undefined },
    { text: "a\u{e0001}@example.com", address: undefined },
    { text: '"a\u2028b"@example.com', address: undefined },
    { text: "a\uff20b.example@example.com", address: undefined },
    { text: "a\ufe6bb@example.com", address: undefined },
    { text: "\uff1ca\uff1e@example.com", address: undefined },
    { text: "a@b\u00adc.example", address: undefined },
    { text: "a@b\u202ec.example", address: undefined },
    { text: "\u4e2d\u6587@example.com", address: "\u4e2d\u6587@example.com", ascii: false },
    { text: "\u0928\u093f\u0930@example.com", address: "\u0928\u093f\u0930@example.com", ascii: false },
    { text: `a@${"b".repeat(64)}.example`, address: undefined },
    { text: `${"a".repeat(243)}@example.com`, address: undefined },
  ];

for (const { text, address, ascii } of addresses) {
  test(`parseAddress() reads ${JSON.stringify(text.slice(0, 60))} as ${address ?? "no address"}`, () => {
    const parsed = parseAddress(text);
    assert.equal(parsed?.address, address);
    assert.equal(parsed?.ascii, address === undefined ? undefined : (ascii ?? true));
  });
}

const domains: readonly (readonly [string, string])[] = [
  ["", ""],
  ["a@EXAMPLE.com", "example.com"],
  ["a@münchen.example", "xn--mnchen-3ya.example"],
  ['"a@b"@example.com', "example.com"],
];
for (const [address, domain] of domains) {
  test(`domainOf(${JSON.stringify(address)}) is ${JSON.stringify(domain)}`, () => {
    assert.equal(domainOf(address), domain);
  });
}

test("asciiDomain() never yields another host than the one written", () => {
  for (const evil of [
    "münchen.example:25",
    "münchen.example?x",
    "u@münchen.example",
    "münchen.example\\x",
    "mün chen",
  ]) {
    assert.equal(asciiDomain(evil), undefined, evil);
  }
});

const patterns: readonly (readonly [readonly string[], string, boolean])[] = [
  [["*"], "anything", true],
  [["orders"], "orders", true],
  [["orders"], "Orders", true],
  [["orders"], "orders2", false],
  [["orders-*"], "orders-eu", true],
  [["orders-*"], "orders", false],
  [["*-bounce"], "a-bounce", true],
  [["a*b*c"], "aXbYc", true],
  [["a*b*c"], "acb", false],
  [["ab*ba"], "aba", false],
  [["a.b"], "axb", false],
  [["x", "y"], "y", true],
  [["orders"], '"orders"', true],
  [[], "a", false],
];
for (const [list, local, matches] of patterns) {
  test(`matchesLocalPart() says ${matches} for ${local} against ${JSON.stringify(list)}`, () => {
    assert.equal(matchesLocalPart(list, local), matches);
  });
}

test("matchesLocalPart() answers a pattern of many stars at once", () => {
  assert.equal(matchesLocalPart([`${"a*".repeat(200)}b`], "a".repeat(250)), false);
});
