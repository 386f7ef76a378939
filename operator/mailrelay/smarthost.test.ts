import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import {
  domainOf,
  domainWorld,
  now,
  place,
  relayOf,
  relayWorld,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import { planDomain } from "../senderdomain/plan.ts";
import { relayDocumentOf } from "./document.ts";
import { issueLeaf, makeCertificateAuthority } from "./issue.ts";
import { bareReferenceProblems } from "./objects/references.ts";
import { readTracing } from "./objects/tracing.ts";
import { resolveSmarthosts } from "./smarthost.ts";

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

const usable: readonly (readonly [string, string])[] = [
  ["an authority", valid.certificate],
  ["a certificate that signed itself", selfSigned],
  ["an authority behind one that has expired", expired.certificate + valid.certificate],
  ["an authority and what it signed", leaf.certificate + valid.certificate],
  ["an authority with text around it", `# ours\r\n${valid.certificate.replaceAll("\n", "\r\n")}`],
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

function secretsWith(text: string | undefined): ReadonlyMap<string, ReturnType<typeof secretOf>> {
  return new Map([["ca", secretOf({ name: "ca", values: text === undefined ? {} : { "ca.crt": text } })]]);
}

const hop = {
  name: "first",
  host: "smtp.example.net",
  port: 587,
  tlsMode: "Required",
  caRef: { kind: "Secret", name: "ca", key: "ca.crt" },
} as const;
const question = {
  smarthosts: [hop],
  field: "spec.smarthosts",
  namespace: "mail",
  forbidden: new Set<string>(),
  place,
  now,
};

for (const [what, text] of usable) {
  test(`a next hop may be pinned to ${what}`, () => {
    const { documents, problems } = resolveSmarthosts({ ...question, secrets: secretsWith(text) });
    assert.deepEqual(problems, []);
    assert.equal(documents[0]?.ca, text);
  });
}

for (const [what, text, message] of unusable) {
  test(`${what} is no authority, wherever one is named: the condition says what is wrong with it`, () => {
    const secrets = secretsWith(text);
    const wanted = (field: string, problems: readonly { readonly kind: string; readonly message: string }[]): void => {
      const [problem] = problems;
      assert.ok(problem !== undefined && problems.length === 1, field);
      assert.equal(problem.kind, "invalid");
      assert.ok(problem.message.startsWith(`${field}: `), problem.message);
      assert.match(problem.message, message);
    };
    for (const list of ["smarthosts", "fallbackSmarthosts"] as const) {
      const relay = relayOf({ delivery: { [list]: [hop] } });
      const { document, problems } = relayDocumentOf(relayWorld({ relay, secrets }));
      wanted(`spec.delivery.${list}[0].caRef`, problems);
      assert.equal(document, undefined, "there is no last good way out");
    }
    const tracing = { endpoint: "https://collector:4318", caRef: { name: "ca" } };
    wanted("spec.tracing.caRef", readTracing(relayWorld({ relay: relayOf({ tracing }), secrets })).problems);
    const identities = { clientCertificates: { caRef: { name: "ca" } } };
    const bare = bareReferenceProblems(relayWorld({ relay: relayOf({ identities }), secrets }));
    wanted("spec.identities.clientCertificates.caRef", bare);
    const domain = domainOf({ spec: { smarthosts: [hop] } });
    const plan = planDomain(domainWorld({ domain, secrets }));
    const accepted = plan.status.conditions?.find(({ type }) => type === "Accepted");
    assert.deepEqual([accepted?.status, accepted?.reason, plan.write], ["False", "Invalid", undefined]);
    assert.match(accepted?.message ?? "", message);
  });
}

const login = { ...hop, caRef: undefined, credentialsRef: { name: "login" } };
for (const [what, values, wanted] of [
  ["a line end", { username: "hop\n", password: "hop-pw\n" }, { username: "hop", password: "hop-pw" }],
  ["the line end of another system", { username: "hop\r\n", password: "p\r\n" }, { username: "hop", password: "p" }],
  ["spaces, which count", { username: "hop", password: " p " }, { username: "hop", password: " p " }],
] as const) {
  test(`a next hop gets a login without ${what}`, () => {
    const secrets = new Map([["login", secretOf({ name: "login", values })]]);
    const { documents, problems } = resolveSmarthosts({ ...question, smarthosts: [login], secrets });
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
    const { problems } = resolveSmarthosts({ ...question, smarthosts: [login], secrets });
    assert.match(problems.map((problem) => problem.message).join(), message);
    assert.ok(problems[0]?.message.startsWith("spec.smarthosts[0].credentialsRef: "));
  });
}
