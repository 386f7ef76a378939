import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { now, relayOf, secretOf } from "../../test/support/operatorobjects.ts";
import type { Secret } from "../kube/objects.ts";
import { leafLifeMs, type IssuedCertificate } from "./certificate.ts";
import { internalAuthority, issueLeaf, makeCertificateAuthority } from "./issue.ts";
import { internalAuthoritySecretName } from "../owned/names.ts";
import { peerReissueReason, renderPeer } from "./internalleaf.ts";
import { bundleOf } from "./bundle.ts";
import {
  decideInternalAuthority,
  type InternalAuthority,
  type InternalAuthorityDecision,
} from "./internalauthority.ts";

const dayMs = 86_400_000;
const first = await makeCertificateAuthority(now - 300 * dayMs, internalAuthority);
const second = await makeCertificateAuthority(now, internalAuthority);
const stranger = await makeCertificateAuthority(now, internalAuthority);
const serving: InternalAuthority = { ...second, bundle: bundleOf(second.certificate, [first.certificate]) };

function stored({ certificate, privateKey }: IssuedCertificate, bundle: string): Secret {
  const values = { "tls.crt": certificate, "tls.key": privateKey, "ca.crt": bundle };
  return secretOf({ name: internalAuthoritySecretName, namespace: "mailboat-system", values });
}

const leafOfAuthority = await issueLeaf({ authority: second, names: ["a"], now });

const decisions: readonly (readonly [string, Secret | undefined, InternalAuthorityDecision])[] = [
  ["none", undefined, { kind: "make", earlier: [] }],
  ["one that serves", stored(second, serving.bundle), { kind: "keep", authority: serving }],
  [
    "one with two thirds of its life behind it, which stays trusted",
    stored(first, first.certificate),
    { kind: "make", earlier: [first.certificate] },
  ],
  [
    "one whose key is another's, which stays trusted",
    stored({ ...second, privateKey: first.privateKey }, serving.bundle),
    { kind: "make", earlier: [second.certificate] },
  ],
  [
    "one that is no authority",
    stored(leafOfAuthority, serving.bundle),
    { kind: "make", earlier: [second.certificate] },
  ],
  ["nonsense", stored({ certificate: "x", privateKey: "y" }, "z"), { kind: "make", earlier: [] }],
  ["a bundle without the authority itself", stored(second, first.certificate), { kind: "write", authority: serving }],
  [
    "a bundle with more than authorities in it",
    stored(second, `${serving.bundle}and a word\n${leafOfAuthority.certificate}`),
    { kind: "write", authority: serving },
  ],
];
for (const [name, secret, expected] of decisions) {
  test(`decideInternalAuthority() says ${expected.kind} for ${name}`, () => {
    assert.deepEqual(decideInternalAuthority(secret, now), expected);
  });
}

test("an authority that has run out is believed no longer", () => {
  const later = now + 66 * dayMs;
  const decision = decideInternalAuthority(stored(second, serving.bundle), later);
  assert.deepEqual(decision, { kind: "write", authority: { ...second, bundle: second.certificate } });
});

const relay = relayOf();
const uris = ["mailboat://relay/mail/outbound"];
const leaf = await issueLeaf({ authority: second, names: [], uris, isClient: true, now });

function peerOf({ certificate, privateKey }: IssuedCertificate, authorities = serving.bundle): Secret {
  return renderPeer(relay, { chain: certificate, privateKey, authorities });
}

test("issueLeaf() makes a certificate that is known by its URI alone and may answer and ask", () => {
  const certificate = new X509Certificate(leaf.certificate);
  assert.equal(certificate.subjectAltName, "URI:mailboat://relay/mail/outbound");
  // serverAuth and clientAuth (RFC 5280 section 4.2.1.12).
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
  assert.equal(Date.parse(certificate.validTo), now + leafLifeMs);
});

const reasons: readonly (readonly [string, Secret | undefined, RegExp | undefined])[] = [
  ["none", undefined, /there is none yet/],
  ["one that serves", peerOf(leaf), undefined],
  [
    "a key of another certificate",
    peerOf({ ...leaf, privateKey: second.privateKey }),
    /not the key of the certificate/,
  ],
  ["authorities of the past", peerOf(leaf, first.certificate), /authorities are not those in force/],
  [
    "one that somebody else signed",
    peerOf(await issueLeaf({ authority: stranger, names: [], uris, now })),
    /not of the authority in force/,
  ],
  [
    "one for another relay",
    peerOf(await issueLeaf({ authority: second, names: [], uris: ["mailboat://relay/mail/other"], now })),
    /not for mailboat:\/\/relay\/mail\/outbound/,
  ],
  [
    "one for this relay and more",
    peerOf(await issueLeaf({ authority: second, names: [], uris: [...uris, "mailboat://operator"], now })),
    /not for mailboat:\/\/relay\/mail\/outbound/,
  ],
  [
    "one of which a third of its life is left",
    peerOf(await issueLeaf({ authority: second, names: [], uris, now: now - 61 * dayMs })),
    /it expires 2026-12-22/,
  ],
];
for (const [name, peer, expected] of reasons) {
  test(`peerReissueReason() ${expected === undefined ? "is content with" : "will not have"} ${name}`, () => {
    const question = { relay: relay.metadata, peer, authority: serving, now };
    const reason = peerReissueReason(question);
    if (expected === undefined) assert.equal(reason, undefined);
    else assert.match(reason ?? "", expected);
  });
}
