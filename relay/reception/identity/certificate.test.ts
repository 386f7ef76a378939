/** Whose a certificate is, and how long it stands. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import {
  makeAuthority,
  makeClient,
  type ClientWish,
  type TestAuthority,
} from "../../../test/support/clientcertificates.ts";
import { domainOfWish, type DomainWish } from "../../../test/support/submission.ts";
import { decodeClientAuthorities } from "../../config/clientauthorities.ts";
import type { ClientAuthorities } from "../../config/snapshot.ts";
import { certificateOf, type ClientCertificate, isCalled, isNamed, stands } from "./certificate.ts";

const root = await makeAuthority("Root");
const spiffe = "spiffe://cluster.local/ns/shop/sa/erp";

async function shown(wish: ClientWish, authority: TestAuthority = root): Promise<ClientCertificate> {
  const { chain } = await makeClient(authority, wish);
  const [leaf, ...others] = chain.split(/(?<=-----END CERTIFICATE-----)\n/).filter((block) => block.trim() !== "");
  assert.ok(leaf !== undefined);
  return certificateOf(
    new X509Certificate(leaf),
    others.map((block) => new X509Certificate(block)),
  );
}

const wanted: readonly (readonly [what: string, ClientWish, DomainWish["certificates"], boolean])[] = [
  ["its common name", { commonName: "erp" }, { commonNames: ["other", "erp"] }, true],
  ["its common name in another case", { commonName: "ERP" }, { commonNames: ["erp"] }, false],
  ["a part of its common name", { commonName: "erp.example.com" }, { commonNames: ["erp"] }, false],
  ["no common name", {}, { commonNames: ["erp"] }, false],
  ["its common name as a DNS name", { commonName: "erp.example.com" }, { dnsNames: ["erp.example.com"] }, false],
  ["a DNS name as a common name", { dnsNames: ["erp.example.com"] }, { commonNames: ["erp.example.com"] }, false],
  ["one of its DNS names", { dnsNames: ["a.example.com", "erp.example.com"] }, { dnsNames: ["erp.example.com"] }, true],
  ["a DNS name in another case", { dnsNames: ["ERP.Example.com"] }, { dnsNames: ["erp.example.com"] }, true],
  ["a DNS name under its wildcard", { dnsNames: ["*.example.com"] }, { dnsNames: ["erp.example.com"] }, false],
  ["its wildcard itself", { dnsNames: ["*.example.com"] }, { dnsNames: ["*.example.com"] }, false],
  ["its SPIFFE ID", { uris: [spiffe] }, { uris: [spiffe] }, true],
  ["its SPIFFE ID beside a DNS name", { uris: [spiffe], dnsNames: ["x.example"] }, { uris: [spiffe] }, true],
  ["one of two SPIFFE IDs", { uris: [spiffe, `${spiffe}2`] }, { uris: [spiffe] }, false],
  ["a SPIFFE ID beside another URI", { uris: [spiffe, "urn:x:y"] }, { uris: [spiffe] }, false],
  ["the other URI beside a SPIFFE ID", { uris: [spiffe, "urn:x:y"] }, { uris: ["urn:x:y"] }, true],
  ["the same path of another trust domain", { uris: [spiffe.replace("cluster", "other")] }, { uris: [spiffe] }, false],
  ["a path below its SPIFFE ID", { uris: [spiffe] }, { uris: [`${spiffe}/x`] }, false],
  ["its SPIFFE ID in another case", { uris: [spiffe.replace("erp", "ERP")] }, { uris: [spiffe] }, false],
  ["a URI with a comma", { uris: ["https://x.example/a,b"] }, { uris: ["https://x.example/a,b"] }, true],
  ["nothing", { commonName: "erp", dnsNames: ["erp.example.com"], uris: [spiffe] }, {}, false],
  ["what hides in a URI", { uris: [`urn:x:, URI:${spiffe}`] }, { uris: [spiffe] }, false],
  ["what hides in a DNS name", { dnsNames: ["x, DNS:erp.example.com"] }, { dnsNames: ["erp.example.com"] }, false],
];
for (const [what, wish, certificates, expected] of wanted) {
  test(`a domain that names ${what} ${expected ? "lets a certificate in" : "does not let a certificate in"}`, async () => {
    const { names } = await shown(wish);
    const { senders } = domainOfWish("example.com", certificates === undefined ? {} : { certificates }).document;
    assert.equal(isNamed(names, senders), expected);
  });
}

test("its holder may say any of its names, and no other", async () => {
  const { names } = await shown({ commonName: "erp", dnsNames: ["erp.example.com", "*.example.com"], uris: [spiffe] });
  const said = ["erp", "Erp", "ERP.example.com", "x.example.com", spiffe, ""];
  assert.deepEqual(
    said.filter((name) => isCalled(names, name)),
    ["erp", "ERP.example.com", spiffe],
  );
});

function bundle(...authorities: readonly TestAuthority[]): ClientAuthorities {
  const decoded = decodeClientAuthorities(authorities.map(({ certificate }) => certificate).join(""), undefined);
  assert.ok(decoded !== undefined);
  return decoded;
}

test("it stands as long as an authority vouches for it, by itself or by what was sent along", async () => {
  const now = Date.now();
  const hourMs = 3_600_000;
  const between = await makeAuthority("Between", { issuer: root });
  const below = await makeAuthority("Below", { issuer: between });
  const forged = await makeAuthority("Root");
  const renewed = await makeAuthority("Root", { keys: root.keys });
  const brief = await makeAuthority("Brief", { notAfter: new Date(now + hourMs) });
  const [direct, deep, ofBrief] = [await shown({}), await shown({}, below), await shown({}, brief)];
  const alone = { ...deep, others: [] };
  const unsaid = await shown({ saysWhoseKey: false });
  const rows: readonly (readonly [string, boolean, boolean])[] = [
    ["its own authority", stands(direct, bundle(root), now), true],
    ["none", stands(direct, undefined, now), false],
    ["another beside its own", stands(direct, bundle(forged, root), now), true],
    ["one of the same name with another key", stands(direct, bundle(forged), now), false],
    ["one of the same name with another key, where it does not say whose", stands(unsaid, bundle(forged), now), false],
    ["its own, where it does not say whose key signed it", stands(unsaid, bundle(root), now), true],
    ["its own renewed with the same key", stands(direct, bundle(renewed), now), true],
    ["the root of a chain", stands(deep, bundle(root), now), true],
    ["the one in the middle of a chain", stands(deep, bundle(between), now), true],
    ["the one that signed it, of a chain", stands(deep, bundle(below), now), true],
    ["the root of a chain that was not sent", stands(alone, bundle(root), now), false],
    ["the one that signed it, of a chain that was not sent", stands(alone, bundle(below), now), true],
    ["its own after its end", stands(direct, bundle(root), now + 25 * hourMs), false],
    ["one that ends before it, until then", stands(ofBrief, bundle(brief), now + hourMs - 60_000), true],
    ["one that ends before it, after that", stands(ofBrief, bundle(brief), now + hourMs), false],
  ];
  for (const [what, found, expected] of rows) assert.equal(found, expected, what);
});

test("certificates that all sign each other are not walked through without end", async () => {
  const keys = root.keys;
  const circle = await Promise.all(Array.from({ length: 12 }, () => makeAuthority("Root", { keys })));
  const { leaf } = await shown({});
  const others = circle.map(({ certificate }) => new X509Certificate(certificate));
  const before = process.cpuUsage();
  assert.equal(stands(certificateOf(leaf, others), bundle(await makeAuthority("Other")), Date.now()), false);
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 500_000, `${user + system} microseconds`);
});

test("a bundle is taken without what signs nobody, and one with no authority is an error", async () => {
  const client = await makeClient(root, { commonName: "erp" });
  const taken = decodeClientAuthorities(`${client.chain}${root.certificate}`, undefined);
  assert.equal(taken?.certificates.length, 1);
  assert.equal(decodeClientAuthorities(`# the same\n${root.certificate}`, taken), taken);
  for (const text of ["", "none", client.chain])
    assert.throws(() => decodeClientAuthorities(text, undefined), /no certificate of an authority/);
});
