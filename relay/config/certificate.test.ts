import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { operatorIdentity } from "../../api/administration.ts";
import { clientAuthorities, issueLeaf, makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { InternalAuthority, type PeerFiles } from "../../test/support/peers.ts";
import { decodeCertificate, decodePeer } from "./certificate.ts";
import type { Files } from "./files.ts";

const relay = { namespace: "mail", name: "outbound" };
const authority = await InternalAuthority.make();
const other = await InternalAuthority.make();
const own = await authority.relay();

function filesOf(peer: PeerFiles): Files {
  return { "tls.crt": peer.certificate, "tls.key": peer.privateKey, "ca.crt": peer.authorities };
}

test("a peer certificate holds what TLS needs, and nothing is mounted is no fault", () => {
  assert.equal(decodePeer({}, relay), undefined);
  const peer = decodePeer(filesOf(own), relay);
  assert.ok(peer);
  assert.equal(peer.chain, own.certificate);
  assert.equal(peer.privateKey, own.privateKey);
  assert.equal(peer.authorities, own.authorities);
  assert.match(peer.fingerprint, /^[0-9a-f]{64}$/);
});

test("a bundle of the old and the new authority is believed, whichever issued the certificate", () => {
  for (const authorities of [
    `${authority.certificate}\n${other.certificate}`,
    `${other.certificate}\n${authority.certificate}`,
  ]) {
    assert.equal(decodePeer(filesOf({ ...own, authorities }), relay)?.authorities, authorities);
  }
});

const brokenCertificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const belongTogether = /tls\.crt, tls\.key and ca\.crt belong together/;
const faults: readonly { readonly name: string; readonly files: Files; readonly error: RegExp }[] = [
  { name: "no authority", files: { ...filesOf(own), "ca.crt": "" }, error: /not issued by any certificate of ca\.crt/ },
  { name: "an authority alone", files: { "ca.crt": authority.certificate }, error: belongTogether },
  {
    name: "a certificate alone",
    files: { "tls.crt": own.certificate, "tls.key": own.privateKey },
    error: belongTogether,
  },
  {
    name: "another authority",
    files: { ...filesOf(own), "ca.crt": other.certificate },
    error: /not issued by any certificate of ca\.crt/,
  },
  {
    name: "another relay",
    files: filesOf(await authority.relay({ namespace: "mail", name: "inbound" })),
    error: /is for URI:mailboat:\/\/relay\/mail\/inbound: it must be for URI:mailboat:\/\/relay\/mail\/outbound/,
  },
  {
    name: "the operator's own certificate",
    files: filesOf(await authority.issue({ uri: operatorIdentity })),
    error: /is for URI:mailboat:\/\/operator/,
  },
  { name: "no identity", files: filesOf(await authority.issue({})), error: /is for DNS:localhost/ },
  {
    name: "a broken certificate behind its own",
    files: { ...filesOf(own), "tls.crt": `${own.certificate}\n${brokenCertificate}` },
    error: /tls\.crt cannot be served: .*asn1/,
  },
  {
    name: "another's key",
    files: { ...filesOf(own), "tls.key": (await authority.relay()).privateKey },
    error: /tls\.key is not the key of tls\.crt/,
  },
];

test("a certificate for clients with a broken one behind it is refused, not served", () => {
  const files = { "tls.crt": `${own.certificate}\n${brokenCertificate}`, "tls.key": own.privateKey };
  assert.throws(() => decodeCertificate(files), /tls\.crt cannot be served: .*asn1/);
});

const clientFiles = await (async (): Promise<Files> => {
  const at = Date.now();
  const [ecdsaAuthority, rsaAuthority] = [
    await makeCertificateAuthority(at, clientAuthorities.ECDSA),
    await makeCertificateAuthority(at, clientAuthorities.RSA),
  ];
  const ecdsa = await issueLeaf({ authority: ecdsaAuthority, names: ["relay.example.com"], now: at });
  const rsa = await issueLeaf({ authority: rsaAuthority, names: ["relay.example.com"], now: at, lifeMs: 3_600_000 });
  const pairs = { "tls.crt": ecdsa.certificate, "tls.key": ecdsa.privateKey };
  return { ...pairs, "rsa.crt": rsa.certificate, "rsa.key": rsa.privateKey };
})();

test("an RSA certificate beside the first is served too, and the one that ends first counts", () => {
  const { "rsa.crt": chain = "", "rsa.key": privateKey = "", ...single } = clientFiles;
  const both = decodeCertificate(clientFiles);
  assert.deepEqual(both?.rsa, { chain, privateKey });
  assert.equal(both.notAfter, new X509Certificate(chain).validToDate.getTime());
  const alone = decodeCertificate(single);
  assert.equal(alone?.rsa, undefined);
  const leaf = new X509Certificate(single["tls.crt"] ?? "");
  assert.equal(alone?.fingerprint, leaf.fingerprint256.replaceAll(":", "").toLowerCase());
  assert.notEqual(both.fingerprint, alone.fingerprint);
});

const { "rsa.key": _, ...keyless } = clientFiles;
const rsaFaults: readonly (readonly [string, Files, RegExp])[] = [
  ["without its key", keyless, /rsa\.crt and rsa\.key belong together/],
  ["with another's key", { ...clientFiles, "rsa.key": own.privateKey }, /rsa\.key is not the key of rsa\.crt/],
  [
    "that is none",
    { ...clientFiles, "rsa.crt": own.certificate, "rsa.key": own.privateKey },
    /rsa\.crt has no RSA key/,
  ],
  [
    "with a broken one behind it",
    { ...clientFiles, "rsa.crt": `${clientFiles["rsa.crt"] ?? ""}${brokenCertificate}` },
    /rsa\.crt cannot be served: .*asn1/,
  ],
];

for (const [what, files, error] of rsaFaults) {
  test(`an RSA certificate ${what} is refused`, () => assert.throws(() => decodeCertificate(files), error));
}

for (const { name, files, error } of faults) {
  test(`a peer certificate with ${name} is refused`, () => assert.throws(() => decodePeer(files, relay), error));
}
