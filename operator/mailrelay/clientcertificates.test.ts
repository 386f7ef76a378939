/** What relays are told of clients' certificates, also those that do not know of them. */
import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import type { RelayDocument } from "../../api/relayconfig.ts";
import * as former from "../../test/support/formerrelease/relayconfig.ts";
import { configMapOf, domainOf, domainWorld, now, relayOf, relayWorld } from "../../test/support/operatorobjects.ts";
import { planDomain } from "../../test/support/plans.ts";
import { makeCertificateAuthority } from "../trust/issue.ts";
import { relayDocumentOf } from "./document.ts";
import { renderConfiguration } from "./objects/configuration.ts";
import type { RelayWorld } from "./world.ts";

const { certificate } = await makeCertificateAuthority(now);
const relay = relayOf({
  listeners: [
    { name: "submission", port: 587, clientCertificates: "Optional" },
    { name: "submissions", port: 465, tlsMode: "Implicit", clientCertificates: "Required", factors: 2 },
    { name: "smtp", port: 25, clientCertificates: "None" },
  ],
  identities: { clientCertificates: { caRef: { kind: "ConfigMap", name: "workloads" } } },
});

/** `forbidden` is a ConfigMap that may not be read. */
function worldWith(authorities: string | undefined): RelayWorld {
  const held =
    authorities === undefined || authorities === "forbidden"
      ? authorities
      : configMapOf({ name: "workloads", values: { "ca.crt": authorities } });
  return relayWorld({ relay, configMaps: new Map(held === undefined ? [] : [["workloads", held]]) });
}

function documentOf(world: RelayWorld): RelayDocument {
  const { document } = relayDocumentOf(world);
  assert.ok(document !== undefined);
  return document;
}

test("a listener that wants a certificate is opened by no relay of the release before", () => {
  const document = documentOf(worldWith(certificate));
  const { listeners, certificateListeners = [] } = document;
  assert.deepEqual(
    [...listeners, ...certificateListeners].map((each) => [each.name, each.clientCertificates, each.factors]),
    [
      ["submission", "Optional", undefined],
      ["smtp", undefined, undefined],
      ["submissions", "Required", 2],
    ],
  );
  const read = former.relayDocument.parse({ ...document, version: 1 });
  assert.deepEqual(
    read.listeners.map(({ name }) => name),
    ["submission", "smtp"],
  );
});

test("authorities that are gone vouch for nobody, those that cannot be read or used go on as they are", () => {
  const document = documentOf(worldWith(certificate));
  assert.equal(document.clientAuthorities, certificate);
  const configuration = renderConfiguration(relay, document);
  const left = (authorities: string | undefined): string | undefined =>
    documentOf({ ...worldWith(authorities), configuration }).clientAuthorities;
  assert.deepEqual(
    [left(undefined), left("forbidden"), left("garbage"), left("")],
    [undefined, certificate, certificate, certificate],
  );
  assert.equal(documentOf(worldWith("garbage")).clientAuthorities, undefined);
});

async function nameless(): Promise<string> {
  const signingAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(signingAlgorithm, true, ["sign", "verify"]);
  const notAfter = new Date(now + 86_400_000);
  const made = await x509.X509CertificateGenerator.createSelfSigned({ keys, signingAlgorithm, notAfter, name: "" });
  return `${made.toString("pem")}\n`;
}

test("more authorities than a handshake can name are refused, and those before go on", async () => {
  const names = Array.from({ length: 7 }, (_, at) => `${at} ${"x".repeat(9_000)}`);
  const kinds = names.map((name) => ({ name, algorithm: "ECDSA", lifeMs: 86_400_000 }) as const);
  const many = await Promise.all(kinds.map((kind) => makeCertificateAuthority(now, kind)));
  const texts = many.map((each) => each.certificate);
  const configuration = renderConfiguration(relay, documentOf(worldWith(certificate)));
  const { document, problems } = relayDocumentOf({ ...worldWith(texts.join("")), configuration });
  assert.equal(document?.clientAuthorities, certificate);
  assert.match(
    problems.map(({ message }) => message).join(),
    /clientCertificates\.caRef: ConfigMap workloads holds 7 authorities in ca\.crt, whose names are longer than a TLS handshake has room for/,
  );
  // One of an authority without a name is none of Node's texts.
  const fewer = [await nameless(), ...texts.slice(0, 6)].join("");
  assert.equal(documentOf(worldWith(fewer)).clientAuthorities, fewer);
});

test("a domain names certificates in places that a relay of the release before can read, or passes over", () => {
  const named = [
    { uri: "spiffe://cluster.local/ns/shop/sa/erp" },
    { commonName: "erp" },
    { dnsName: "erp.example.com" },
  ];
  const senders = [{ name: "erp", clientCertificates: named }];
  const { write } = planDomain(domainWorld({ domain: domainOf({ spec: { senders } }), relay }));
  assert.ok(write !== undefined);
  const document: unknown = JSON.parse(write.text);
  const { senders: written } = former.domainDocument.parse({ ...Object(document), version: 1, addresses: ["*"] });
  assert.deepEqual(written.clientCertificates, [{ commonName: "erp" }]);
  assert.match(
    JSON.stringify(document),
    /"certificateNames":\{"dnsNames":\["erp\.example\.com"\],"uris":\["spiffe:\/\/cluster\.local\/ns\/shop\/sa\/erp"\]\}/,
  );
});
