/** What relays are told of clients' certificates, also those that do not know of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
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
