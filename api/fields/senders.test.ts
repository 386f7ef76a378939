/** Names of certificates: in a list of lists, where an API server says a pattern and no words, and so not among the examples. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { clientCertificates } from "./senders.ts";

const uriWords = /^must be a SPIFFE ID with a path, such as spiffe:/;
const rows: readonly (readonly [object, RegExp | undefined])[] = [
  [{ uri: "spiffe://cluster.local/ns/shop/sa/erp" }, undefined],
  [{ uri: "https://erp.example.com/app?x=1" }, undefined],
  [{ uri: "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66" }, undefined],
  [{ uri: "spiffe://cluster.local" }, uriWords],
  [{ uri: "spiffe://cluster.local/" }, uriWords],
  [{ uri: "spiffe://Cluster.local/erp" }, uriWords],
  [{ uri: "spiffe://cluster.local/a b" }, uriWords],
  [{ uri: "ldap://erp" }, uriWords],
  [{ dnsName: "erp.example.com" }, undefined],
  [{ dnsName: "*.example.com" }, /^must be a domain such as example\.com/],
  [{ dnsName: "ERP.example.com" }, /^must be in lower case: write erp\.example\.com$/],
  [{ commonName: "ERP 3" }, undefined],
  [{}, /^must hold exactly one of commonName, dnsName, uri$/],
  [{ commonName: "erp", uri: "urn:x:y" }, /^must hold exactly one of commonName, dnsName, uri$/],
];
for (const [entry, words] of rows) {
  test(`a certificate that is named ${JSON.stringify(entry)} is ${words === undefined ? "taken" : "refused in words"}`, () => {
    const [fault] = clientCertificates.safeParse([entry]).error?.issues ?? [];
    if (words === undefined) assert.equal(fault, undefined);
    else assert.match(fault?.message ?? "", words);
  });
}
