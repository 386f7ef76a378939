import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import type { MailRelay } from "../../api/mailrelay.ts";
import {
  configMapOf,
  domainOf,
  domainWorld,
  now,
  installation,
  relayOf,
  relayWorld,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { relayDocumentOf } from "../mailrelay/document.ts";
import { issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import type { ConfigMap, Secret, Stored } from "../kube/objects.ts";
import { type Readings, readReferences } from "./readings.ts";
import { domainReferences } from "../senderdomain/references.ts";
import { planDomain, planRelay } from "../../test/support/plans.ts";
import { smarthostDocuments, type SmarthostSpec } from "./smarthost.ts";

const dayMs = 86_400_000;
const life = { name: "Test CA", algorithm: "ECDSA", lifeMs: 30 * dayMs } as const;
const [valid, expired, later] = await Promise.all([
  makeCertificateAuthority(now, life),
  makeCertificateAuthority(now - 60 * dayMs, life),
  makeCertificateAuthority(now + 60 * dayMs, life),
]);
const leaf = await issueLeaf({ authority: valid, names: ["smtp.example.net"], now });
/** As an appliance makes it: it signed itself, and says that it is no authority. */
const selfSigned = await issueSelfSigned();

async function issueSelfSigned(): Promise<string> {
  x509.cryptoProvider.set(webcrypto);
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=smtp.example.net",
    keys: await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]),
    signingAlgorithm: algorithm,
    notBefore: new Date(now - dayMs),
    notAfter: new Date(now + dayMs),
    extensions: [new x509.BasicConstraintsExtension(false, undefined, true)],
  });
  return certificate.toString("pem");
}

/** What somebody wrote, and what its relay gets: OpenSSL reads no further than to a line that it does not like. */
const usable: readonly (readonly [what: string, text: string, given: string])[] = [
  ["an authority", valid.certificate, valid.certificate],
  ["a certificate that signed itself", selfSigned, `${selfSigned}\n`],
  [
    "an authority behind one that has expired",
    expired.certificate + valid.certificate,
    expired.certificate + valid.certificate,
  ],
  ["an authority and what it signed", leaf.certificate + valid.certificate, leaf.certificate + valid.certificate],
  ["an authority with text around it", `# ours\r\n${valid.certificate.replaceAll("\n", "\r\n")}`, valid.certificate],
  [
    "two authorities of files of which the first did not end its last line",
    expired.certificate.trimEnd() + valid.certificate,
    expired.certificate + valid.certificate,
  ],
  ["an authority behind a byte order mark", `\uFEFF${valid.certificate}`, valid.certificate],
  ["an authority that is there twice", valid.certificate + valid.certificate, valid.certificate],
  [
    "an authority below one that somebody took out",
    `${expired.certificate.replaceAll(/^/gm, "# ")}\n${valid.certificate}`,
    valid.certificate,
  ],
  [
    "an authority with words that look like one",
    `# -----BEGIN CERTIFICATE-----?\n${valid.certificate}`,
    valid.certificate,
  ],
];
const unusable: readonly (readonly [string, string | undefined, RegExp])[] = [
  ["nothing", undefined, /Secret ca lacks the data key ca\.crt: add it$/],
  ["an empty text", "", /Secret ca holds no certificate in ca\.crt, which is empty: it must be PEM$/],
  ["a line end", "\n", /Secret ca holds no certificate in ca\.crt, which is empty: it must be PEM$/],
  ["rubbish", "garbage", /Secret ca holds no certificate in ca\.crt: it must be PEM$/],
  [
    "a block that is no certificate",
    `${valid.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
    /Secret ca holds no certificate in ca\.crt at place 2: it must be PEM$/,
  ],
  [
    "an authority behind one that breaks off",
    `${expired.certificate.slice(0, 300)}\n${valid.certificate}`,
    /Secret ca holds no certificate in ca\.crt at place 1: it must be PEM$/,
  ],
  [
    "an authority before one that breaks off",
    valid.certificate + expired.certificate.slice(0, 300),
    /Secret ca holds no certificate in ca\.crt at place 2: it must be PEM$/,
  ],
  [
    "an authority that somebody took out",
    `#${valid.certificate}`,
    /Secret ca holds no certificate in ca\.crt: it must/,
  ],
  [
    "a revocation list",
    `${valid.certificate}-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n`,
    /Secret ca holds a revocation list in ca\.crt, and nothing would read it: leave it out/,
  ],
  ["a private key", valid.privateKey, /Secret ca holds a private key in ca\.crt: leave there the certificate/],
  [
    "a private key beside the authority",
    valid.certificate + valid.privateKey,
    /Secret ca holds a private key in ca\.crt/,
  ],
  [
    "a leaf",
    leaf.certificate,
    /Secret ca holds a certificate in ca\.crt that is no authority's: put there the one of the/,
  ],
  [
    "an authority that has expired",
    expired.certificate,
    /Secret ca holds an authority in ca\.crt that is valid from 2026-09-\S+Z to 2026-10-\S+Z: renew it$/,
  ],
  ["an authority of tomorrow", later.certificate, /that is valid from 2027-01-\S+Z to 2027-02-\S+Z: renew it$/],
];

type Kind = "Secret" | "ConfigMap";
type Held = { readonly secrets: ReadonlyMap<string, Secret>; readonly configMaps: ReadonlyMap<string, ConfigMap> };

function holding(kind: Kind, text: string | undefined): Held {
  const values: Readonly<Record<string, string>> = text === undefined ? {} : { "ca.crt": text };
  return kind === "Secret"
    ? { secrets: new Map([["ca", secretOf({ name: "ca", values })]]), configMaps: new Map() }
    : { secrets: new Map(), configMaps: new Map([["ca", configMapOf({ name: "ca", values })]]) };
}

function hopWith(kind: Kind) {
  const caRef = { kind, name: "ca", key: "ca.crt" };
  return { name: "first", host: "smtp.example.net", port: 587, tlsMode: "Required" as const, caRef };
}

function resolved(smarthosts: readonly (SmarthostSpec & object)[], held: Held) {
  const domain = domainOf({ spec: { smarthosts } });
  const readings: Readings = readReferences(domainReferences(domain), domainWorld({ domain, ...held }));
  const documents = smarthostDocuments({ smarthosts, field: "spec.smarthosts", readings, installation });
  return { documents, problems: readings.problems };
}

const kinds: readonly Kind[] = ["Secret", "ConfigMap"];

for (const [what, text, given] of usable) {
  for (const kind of kinds) {
    test(`a next hop may be pinned to ${what} in a ${kind}`, () => {
      const { documents, problems } = resolved([hopWith(kind)], holding(kind, text));
      assert.deepEqual(problems, []);
      assert.equal(documents[0]?.ca, given);
    });
  }
}

/** Wherever the spec of a MailRelay names an authority. */
function relaysNaming(caRef: object): readonly (readonly [string, Stored<MailRelay>])[] {
  const hop = { ...hopWith("Secret"), caRef };
  const oidc = [{ name: "issuer", issuer: "https://issuer.example.com", audience: "mailboat", caRef }];
  return [
    ["spec.delivery.smarthosts[0].caRef", relayOf({ delivery: { smarthosts: [hop] } })],
    ["spec.delivery.fallbackSmarthosts[0].caRef", relayOf({ delivery: { fallbackSmarthosts: [hop] } })],
    ["spec.tracing.caRef", relayOf({ tracing: { endpoint: "https://collector:4318", caRef } })],
    ["spec.identities.clientCertificates.caRef", relayOf({ identities: { clientCertificates: { caRef } } })],
    ["spec.identities.oidc[0].caRef", relayOf({ identities: { oidc } })],
  ];
}

for (const [what, text, message] of unusable) {
  for (const kind of kinds) {
    test(`${what} in a ${kind} is no authority, wherever one is named: the condition says what is wrong with it`, () => {
      const held = holding(kind, text);
      const wanted = new RegExp(message.source.replace("Secret", kind));
      for (const [field, relay] of relaysNaming({ kind, name: "ca" })) {
        const { document, problems } = relayDocumentOf(relayWorld({ relay, ...held }));
        const [problem] = problems;
        assert.ok(problem !== undefined && problems.length === 1, field);
        assert.deepEqual([problem.kind, problem.object, problem.field], ["invalid", kind, field]);
        assert.ok(problem.message.startsWith(`${field}: `), problem.message);
        assert.match(problem.message, wanted);
        // There is no last good way out.
        assert.equal(document === undefined, field.startsWith("spec.delivery."), field);
      }
      const domain = domainOf({ spec: { smarthosts: [hopWith(kind)] } });
      const plan = planDomain(domainWorld({ domain, ...held }));
      const accepted = plan.status.conditions?.find(({ type }) => type === "Accepted");
      assert.deepEqual([accepted?.status, accepted?.reason, plan.write], ["False", `${kind}Invalid`, undefined]);
      assert.match(accepted?.message ?? "", wanted);
    });
  }
}

test("of a ConfigMap that is not there, or may not be read, conditions say so in words of their own", () => {
  const relay = relayOf({ delivery: { smarthosts: [hopWith("ConfigMap")] } });
  const resolvedRefs = (held: Partial<Held> | { readonly configMaps: ReadonlyMap<string, "forbidden"> }) =>
    planRelay(relayWorld({ relay, ...held })).status.conditions?.find(({ type }) => type === "ResolvedRefs");
  const field = "spec\\.delivery\\.smarthosts\\[0\\]\\.caRef";
  const missing = resolvedRefs({});
  assert.equal(missing?.reason, "ConfigMapNotFound");
  assert.match(missing.message, new RegExp(`^${field}: ConfigMap ca does not exist: create it or correct the name$`));
  assert.equal(resolvedRefs(holding("ConfigMap", "garbage"))?.reason, "ConfigMapInvalid");
  const forbidden = resolvedRefs({ configMaps: new Map([["ca", "forbidden"]]) });
  assert.equal(forbidden?.reason, "ConfigMapsForbidden");
  const command = "kubectl create rolebinding mailboat-secrets --namespace mail --clusterrole mailboat-secrets";
  assert.match(forbidden.message, new RegExp(`^${field}: the operator may not read ConfigMaps .*: ${command} `));
  const domain = domainOf({ spec: { smarthosts: [hopWith("ConfigMap")] } });
  const { status, requeueAfterMs } = planDomain(domainWorld({ domain, configMaps: new Map([["ca", "forbidden"]]) }));
  const accepted = status.conditions?.find(({ type }) => type === "Accepted");
  // Nothing tells that a right to a single object was given.
  assert.deepEqual([accepted?.status, accepted?.reason, requeueAfterMs], ["False", "ConfigMapsForbidden", 60_000]);
});

const login = { ...hopWith("Secret"), caRef: undefined, credentialsRef: { name: "login" } };
for (const [what, values, wanted] of [
  ["a line end", { username: "hop\n", password: "hop-pw\n" }, { username: "hop", password: "hop-pw" }],
  ["the line end of another system", { username: "hop\r\n", password: "p\r\n" }, { username: "hop", password: "p" }],
  ["spaces, which count", { username: "hop", password: " p " }, { username: "hop", password: " p " }],
] as const) {
  test(`a next hop gets a login without ${what}`, () => {
    const secrets = new Map([["login", secretOf({ name: "login", values })]]);
    const { documents, problems } = resolved([login], { secrets, configMaps: new Map() });
    assert.deepEqual([documents[0]?.credentials, problems], [wanted, []]);
  });
}

for (const [what, values, message] of [
  ["no user name", { password: "p" }, /Secret login: data key username is missing: add it$/],
  ["an empty password", { username: "u", password: "\n" }, /Secret login: data key password is empty: fill it$/],
  ["two lines", { username: "u", password: "a\nb" }, /Secret login: data key password holds a line end/],
] as const) {
  test(`a login with ${what} is named, and nothing is sent with it`, () => {
    const secrets = new Map([["login", secretOf({ name: "login", values })]]);
    const { problems } = resolved([login], { secrets, configMaps: new Map() });
    assert.match(problems.map((problem) => problem.message).join(), message);
    assert.ok(problems[0]?.message.startsWith("spec.smarthosts[0].credentialsRef: "));
  });
}
