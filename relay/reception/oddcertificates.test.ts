/** Certificates as the world makes them, over the wire: what each comes to, and that its owner is told what to mend. */
import "reflect-metadata";
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import * as x509 from "@peculiar/x509";
import {
  type AuthorityWish,
  clientAuth,
  type ClientPair,
  type ClientWish,
  makeAuthority,
  makeClient,
  pairOf,
  serverAuth,
} from "../../test/support/clientcertificates.ts";
import { makeCertificate, openBed, snapshotOf, type SnapshotWish } from "../../test/support/submission.ts";

const hourMs = 3_600_000;
const root = await makeAuthority("Root");
const ended = { notBefore: new Date(Date.now() - 3 * hourMs), notAfter: new Date(Date.now() - hourMs) };
const old = await makeAuthority("Old", ended);
const anyUsage = "2.5.29.37.0";

const usual: SnapshotWish = {
  listeners: [
    { name: "gate", tlsMode: "Implicit", authentication: "Required", clientCertificates: "Required" },
    { name: "password", tlsMode: "Implicit", authentication: "Required" },
  ],
  domains: { "erp.example": { certificates: { commonNames: ["erp"], dnsNames: ["erp.example.com"] } } },
  certificate: await makeCertificate(),
  clientAuthorities: `${root.certificate}${old.certificate}`,
};
const bed = await openBed(usual);
after(() => bed.close());

/** What came of the handshake, and the answer to AUTH EXTERNAL, or to mail of erp.example behind it. */
async function answered(
  certificate: ClientPair,
  tlsVersion?: "TLSv1.2",
): Promise<{ readonly result: string; readonly said: string }> {
  const before = bed.handshakes.length;
  // A client that is as careful as we are would not show a weak key.
  const client = await bed.connect("gate", {
    certificate,
    tls: { ciphers: "DEFAULT@SECLEVEL=0" },
    ...(tlsVersion === undefined ? {} : { tlsVersion }),
  });
  await client.reply();
  await client.command("EHLO client.example");
  const login = await client.command("AUTH EXTERNAL =");
  const message = "From: a@erp.example\r\n\r\nx";
  const said = login.startsWith("235") ? await client.send("a@erp.example", ["b@example.net"], message) : login;
  client.destroy();
  return { result: bed.handshakes.slice(before).join().replace("gate ", ""), said };
}

const erp = { commonName: "erp" };
const below = (wish: AuthorityWish) => (): Promise<ClientPair> =>
  makeAuthority("Between", { issuer: root, ...wish }).then((between) => makeClient(between, erp));
const ofRoot = (wish: ClientWish) => (): Promise<ClientPair> => makeClient(root, { ...erp, ...wish });
const critical = new x509.Extension("1.2.3.4.5", true, Uint8Array.of(4, 1, 0));
/** Permits DNS names below shop.example, and no others (RFC 5280 section 4.2.1.10). */
const constrained = new x509.Extension(
  "2.5.29.30",
  true,
  Buffer.concat([Buffer.from([0x30, 18, 0xa0, 16, 0x30, 14, 0x82, 12]), Buffer.from("shop.example")]),
);

const rows: readonly (readonly [what: string, () => Promise<ClientPair>, result: string, said: RegExp])[] = [
  ["made for clients", ofRoot({}), "accepted", /^250 /],
  ["made for servers and clients", ofRoot({ usages: [serverAuth, clientAuth] }), "accepted", /^250 /],
  ["made for clients and servers", ofRoot({ usages: [clientAuth, serverAuth] }), "accepted", /^250 /],
  ["made for nothing in particular", ofRoot({ usages: [] }), "accepted", /^250 /],
  ["made for servers alone", ofRoot({ usages: [serverAuth] }), "unsuitable", /^530 5\.7\.0 .*clientAuth/],
  ["made for any use", ofRoot({ usages: [anyUsage] }), "unsuitable", /^530 5\.7\.0 .*clientAuth/],
  [
    "whose key may not sign",
    ofRoot({ keyUsages: x509.KeyUsageFlags.keyEncipherment }),
    "unsuitable",
    /^530 5\.7\.0 .*digital signature/,
  ],
  ["with an Ed25519 key", ofRoot({ key: "Ed25519" }), "accepted", /^250 /],
  ["with an RSA key of 2,048 bits", ofRoot({ key: 2048 }), "accepted", /^250 /],
  ["with an RSA key of 1,024 bits", ofRoot({ key: 1024 }), "invalid", /^530 5\.7\.0 .*openssl verify/],
  ["of tomorrow", ofRoot({ notBefore: new Date(Date.now() + hourMs) }), "expired", /^530 5\.7\.0 .*is not valid now/],
  ["of an authority that has ended", () => makeClient(old, erp), "expired", /^530 5\.7\.0 .*an authority that signed/],
  ["by way of an authority that has ended", below(ended), "expired", /^530 5\.7\.0 .*an authority that signed/],
  ["signed by one that is no authority", below({ maySign: false }), "unsuitable", /^530 5\.7\.0 .*CA:TRUE/],
  ["of an authority made for servers", below({ usages: [serverAuth] }), "unsuitable", /^530 5\.7\.0 .*clientAuth/],
  [
    "with an extension that nobody knows",
    ofRoot({ extensions: [critical] }),
    "invalid",
    /^530 5\.7\.0 .*openssl verify/,
  ],
  [
    "with a name that its authority may not sign",
    () =>
      makeAuthority("Between", { issuer: root, extensions: [constrained] }).then((between) =>
        makeClient(between, { dnsNames: ["erp.example.com"] }),
      ),
    "invalid",
    /^530 5\.7\.0 .*openssl verify/,
  ],
  [
    "below more authorities than may be",
    () =>
      makeAuthority("Between", { issuer: root, pathLength: 0 })
        .then((between) => makeAuthority("Below", { issuer: between }))
        .then((lowest) => makeClient(lowest, erp)),
    "invalid",
    /^530 5\.7\.0 .*PATH_LENGTH_EXCEEDED; openssl verify/,
  ],
];

for (const [what, make, result, said] of rows) {
  test(`a certificate ${what} is ${result}`, async () => {
    const answer = await answered(await make());
    assert.equal(answer.result, result, answer.said);
    assert.match(answer.said, said);
  });
}

const odd: readonly ClientWish[] = [
  { commonName: "erp\0" },
  { commonName: "erp\0.example.org" },
  { commonName: "\0erp" },
  { commonName: "erp\n" },
  { commonName: " erp" },
  { commonName: "x, CN=erp" },
  { commonName: "x\nCN=erp" },
  { commonName: "x/CN=erp" },
  { dnsNames: ["erp.example.com\0.example.org"] },
  { dnsNames: ["erp.example.com\0"] },
  { dnsNames: ["erp.example.com."] },
  { dnsNames: [".erp.example.com"] },
  { dnsNames: [" erp.example.com"] },
  { dnsNames: ['x", DNS:erp.example.com'] },
  { dnsNames: ["*.example.com"] },
  { uris: ["https://x.example/, DNS:erp.example.com"] },
];
test("a name with anything before, behind or within it is another name", async () => {
  for (const wish of odd) {
    const { result, said } = await answered(await makeClient(root, wish));
    assert.deepEqual([result, said.slice(0, 9)], ["accepted", "550 5.7.1"], JSON.stringify(wish));
  }
});

test("one of a thousand names is found, and a certificate of more than TLS takes harms nobody else", async () => {
  const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `host-${at}.example.org`);
  const long = await makeClient(root, { dnsNames: [...names(1_000), "erp.example.com"] });
  assert.match((await answered(long)).said, /^250 /);
  const padding = new x509.Extension("1.2.3.4.5", false, Buffer.alloc(110_000));
  await assert.rejects(makeClient(root, { ...erp, extensions: [padding] }).then((longest) => answered(longest)));
  assert.match((await answered(long)).said, /^250 /);
});

test("as many authorities as the operator lets through are named to clients, and a handshake goes on", async () => {
  const named = await Promise.all(Array.from({ length: 6 }, (_, at) => makeAuthority(`${at} ${"x".repeat(9_950)}`)));
  const clientAuthorities = [root, ...named].map(({ certificate }) => certificate).join("");
  bed.snapshots.set(snapshotOf({ ...usual, clientAuthorities }));
  const pair = await makeClient(root, erp);
  for (const tlsVersion of ["TLSv1.2", undefined] as const)
    assert.match((await answered(pair, tlsVersion)).said, /^250 /);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`a ${version} session of a listener that asks for nothing is none where a certificate is wanted`, async () => {
    const open = (listener: string, session?: Buffer): TLSSocket => {
      const port = bed.submission.addresses.get(listener) ?? 0;
      const versions = { minVersion: version, maxVersion: version } as const;
      const kept = session === undefined ? {} : { session };
      return connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...versions, ...kept });
    };
    const socket = open("password");
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    socket.once("session", resolve).resume();
    const session = await promise;
    const again = open("password", session);
    await once(again, "secureConnect");
    assert.equal(again.isSessionReused(), true, "it is a session that could be taken up");
    const before = bed.handshakes.length;
    const gate = open("gate", session);
    await once(gate, "data");
    assert.equal(gate.isSessionReused(), false);
    assert.deepEqual(bed.handshakes.slice(before), ["gate none"]);
    for (const each of [socket, again, gate]) each.destroy();
  });
}

test("a certificate that signed itself is let in where it stands in the bundle, and its twin is not", async () => {
  const { digitalSignature, keyCertSign } = x509.KeyUsageFlags;
  const both = { maySign: false, keyUsages: digitalSignature | keyCertSign };
  const [self, twin] = [await makeAuthority("erp", both), await makeAuthority("erp", both)];
  bed.snapshots.set(snapshotOf({ ...usual, clientAuthorities: self.certificate }));
  assert.match((await answered(await pairOf(self))).said, /^250 /);
  assert.deepEqual((await answered(await pairOf(twin))).result, "untrusted");
});
