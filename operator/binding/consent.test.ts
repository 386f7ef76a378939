import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, relayOf } from "../../test/support/operatorobjects.ts";
import { isOlder, judgeConsent, needsNamespaceLabels, refersTo } from "./consent.ts";

interface Admitted {
  readonly from: string;
  readonly selector?: object;
  readonly names?: readonly string[];
  readonly domains?: readonly string[];
}

/** The relay's own namespace, and whoever else is admitted. */
function tenantsOf({ domains, ...namespaces }: Admitted): readonly object[] {
  return [
    { name: "own", namespaces: { from: "Same" } },
    { name: "others", namespaces, ...(domains === undefined ? {} : { domains }) },
  ];
}

const rows: readonly (readonly [string, Admitted, string, string])[] = [
  ["its own namespace", { from: "Same" }, "mail", "given"],
  ["another namespace", { from: "Same" }, "shop", "NamespaceNotAllowed"],
  ["any namespace with All", { from: "All" }, "shop", "given"],
  ["a namespace that is named", { from: "Names", names: ["erp", "shop"] }, "shop", "given"],
  ["a namespace that is not named", { from: "Names", names: ["erp"] }, "shop", "NamespaceNotAllowed"],
  [
    "a namespace that the selector matches",
    { from: "Selector", selector: { matchLabels: { team: "shop" } } },
    "shop",
    "given",
  ],
  [
    "a namespace that the selector does not match",
    { from: "Selector", selector: { matchLabels: { team: "erp" } } },
    "shop",
    "NamespaceNotAllowed",
  ],
  ["a listed domain", { from: "All", domains: ["example.com"] }, "shop", "given"],
  ["a domain that is not listed", { from: "All", domains: ["*.example.com"] }, "shop", "DomainNotAllowed"],
  ["any domain of its own namespace", { from: "All", domains: ["example.org"] }, "mail", "given"],
];

for (const [name, admitted, namespace, expected] of rows) {
  test(`judgeConsent() answers ${expected} for ${name}`, () => {
    const relay = relayOf({ tenants: tenantsOf(admitted) });
    const consent = judgeConsent({ relay, domain: domainOf({ namespace }), namespaceLabels: { team: "shop" } });
    assert.equal(consent.kind === "refused" ? consent.reason : consent.kind, expected);
  });
}

const byTeam = { matchLabels: { team: "shop" } };
const byName = { matchLabels: { "kubernetes.io/metadata.name": "shop" } };
const hidden: readonly (readonly [string, Admitted, string])[] = [
  ["labels that may not be seen", { from: "Selector", selector: byTeam }, "unknown"],
  ["the name of a namespace", { from: "Selector", selector: byName }, "given"],
  [
    "another name, whatever the labels",
    {
      from: "Selector",
      selector: {
        ...byTeam,
        matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["erp"] }],
      },
    },
    "NamespaceNotAllowed",
  ],
  [
    "a domain that no namespace may bring",
    { from: "Selector", selector: byTeam, domains: ["example.org"] },
    "DomainNotAllowed",
  ],
  ["any namespace", { from: "All" }, "given"],
];

for (const [name, admitted, expected] of hidden) {
  test(`judgeConsent() without a sight of namespaces answers ${expected} for ${name}`, () => {
    const relay = relayOf({ tenants: tenantsOf(admitted) });
    const consent = judgeConsent({ relay, domain: domainOf({ namespace: "shop" }), namespaceLabels: undefined });
    assert.equal(consent.kind === "refused" ? consent.reason : consent.kind, expected);
    assert.equal(needsNamespaceLabels(relay.spec.tenants), JSON.stringify(admitted).includes("team"));
  });
}

test("judgeConsent() without an entry of tenants admits the relay's own namespace alone", () => {
  const answer = (namespace: string): string =>
    judgeConsent({ relay: relayOf(), domain: domainOf({ namespace }), namespaceLabels: {} }).kind;
  assert.deepEqual([answer("mail"), answer("shop")], ["given", "refused"]);
});

test("judgeConsent() lets a domain have a way out of its own only where an entry that admits it says so", () => {
  const smarthosts = [{ name: "own", host: "smtp.example.net", port: 25, tlsMode: "None" }];
  const domain = domainOf({ namespace: "shop", spec: { smarthosts } });
  const shops = { name: "shops", namespaces: { from: "All" } };
  const answer = (...tenants: readonly object[]): string => {
    const consent = judgeConsent({ relay: relayOf({ tenants }), domain, namespaceLabels: {} });
    return consent.kind === "refused" ? consent.reason : consent.kind;
  };
  assert.equal(answer(shops), "SmarthostsNotAllowed");
  assert.equal(answer({ ...shops, may: ["Smarthosts"] }), "given");
  // An entry for other domains allows nothing.
  const others = { name: "others", namespaces: { from: "All" }, domains: ["example.org"], may: ["Smarthosts"] };
  assert.equal(answer(shops, others), "SmarthostsNotAllowed");
  assert.equal(answer(shops, { ...others, domains: ["example.com"] }), "given");
});

test("isOlder() goes by creation time, then by namespace and name", () => {
  const old = domainOf({ name: "z", createdAt: "2026-01-01T00:00:00Z" });
  const young = domainOf({ name: "a", createdAt: "2026-02-01T00:00:00Z" });
  const twin = domainOf({ name: "a", createdAt: "2026-01-01T00:00:00Z" });
  assert.deepEqual([isOlder(old, young), isOlder(young, old)], [true, false]);
  assert.deepEqual([isOlder(old, twin), isOlder(twin, old)], [false, true]);
});

test("refersTo() takes the own namespace where relayRef names none", () => {
  assert.equal(refersTo(domainOf({ spec: { relayRef: { name: "outbound" } } }), relayOf()), true);
  assert.equal(refersTo(domainOf({ namespace: "shop", spec: { relayRef: { name: "outbound" } } }), relayOf()), false);
});
