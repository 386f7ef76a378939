import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { leafLifeMs, readCertificate, reissueReason, renewAt } from "./certificate.ts";
import { issueLeaf, makeCertificateAuthority } from "./issue.ts";

const now = Date.parse("2026-11-23T12:00:00Z");
const names = ["relay.example.com", "localhost", "127.0.0.1"];

test("issueLeaf() makes a certificate for its names that the authority has signed", async () => {
  const authority = await makeCertificateAuthority(now);
  const leaf = await issueLeaf({ authority, names, now });
  const certificate = new X509Certificate(leaf.certificate);
  assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey));
  assert.ok(certificate.checkIssued(new X509Certificate(authority.certificate)));
  assert.equal(certificate.checkHost("relay.example.com"), "relay.example.com");
  assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
});

test("reissueReason() asks for a new certificate when names or time call for it, and not before", async () => {
  const authority = await makeCertificateAuthority(now);
  const leaf = await issueLeaf({ authority, names, now });
  const reading = readCertificate(leaf.certificate, leaf.privateKey);
  assert.ok(reading.kind === "usable");
  assert.equal(reissueReason({ reading, names, now }), undefined);
  assert.equal(reissueReason({ reading, names, now: renewAt(reading.fact) - 1 }), undefined);
  assert.match(reissueReason({ reading, names, now: now + leafLifeMs }) ?? "", /^it expires 2027-/);
  assert.equal(
    reissueReason({ reading, names: [...names, "new.example.com"], now }),
    "it lacks the name new.example.com",
  );
  assert.equal(reissueReason({ reading: { kind: "absent" }, names, now }), "there is none yet");
});

test("readCertificate() says what is wrong with a certificate that cannot serve", async () => {
  const authority = await makeCertificateAuthority(now);
  const leaf = await issueLeaf({ authority, names, now });
  const rows = [
    [undefined, leaf.privateKey, /tls\.crt is missing/],
    [leaf.certificate, undefined, /tls\.key is missing/],
    ["nonsense", leaf.privateKey, /tls\.crt is not a certificate in PEM/],
    [leaf.certificate, "nonsense", /tls\.key is not a private key in PEM/],
    [leaf.certificate, authority.privateKey, /tls\.key is not the key of the certificate/],
  ] as const;
  for (const [chain, key, why] of rows) {
    const reading = readCertificate(chain, key);
    assert.match(reading.kind === "invalid" ? reading.why : reading.kind, why);
  }
});
