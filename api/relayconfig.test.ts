import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { relayDocumentOf } from "../test/support/relayvalues.ts";
import * as former from "../test/support/formerrelease/relayconfig.ts";
import { relayReport as formerReport } from "../test/support/formerrelease/relayreport.ts";
import { reportOf } from "../test/support/operatorobjects.ts";
import {
  credentialLists,
  credentialsIn,
  type DomainDocument,
  domainDocumentText,
  documentVersions,
  parseDomainDocument,
  relayDocument,
} from "./relayconfig.ts";
import { relayReport } from "./relayreport.ts";

const domain: DomainDocument = {
  version: 2,
  senderDomain: { namespace: "shop", name: "example" },
  domain: "example.com",
  keys: [{ selector: "s1", privateKey: "PEM" }],
  senders: {
    credentials: [],
    serviceAccounts: [],
    clientCertificates: [{ commonName: "erp" }],
    trustedNetworks: true,
  },
  localParts: ["orders", "no-reply-*"],
  smarthosts: [],
  limits: { messagesPerHour: 10 },
  bounces: { to: "postmaster@example.com" },
};

test("a document of the first version says the same to a relay of the release before", () => {
  const { version: _version, localParts, ...same } = domain;
  const read = former.domainDocument.parse(JSON.parse(domainDocumentText({ ...domain, version: 1 })));
  assert.deepEqual(read, { version: 1, ...same, addresses: localParts });
  assert.ok(former.relayDocument.safeParse({ ...relayDocumentOf(), version: 1 }).success);
});

const scram = { iterations: 4096, salt: "c2FsdA==", storedKey: "c3RvcmVk", serverKey: "c2VydmVy" };
const lasting = { identity: "shop/app", username: "app", scram };
const expiring = { ...lasting, identity: "shop/guest", expiresAt: 5 };

test("a login whose time ends is read with its end, and a relay that does not know of ends lets nobody in by it", () => {
  const { credentials: _none, ...others } = domain.senders;
  const senders = { ...credentialLists([expiring, lasting]), ...others };
  const text = domainDocumentText({ ...domain, senders });
  const read = parseDomainDocument(JSON.parse(text));
  assert.deepEqual(credentialsIn(read.senders), [lasting, expiring]);
  assert.equal(domainDocumentText(read), text);
  const before = former.domainDocument.parse(JSON.parse(domainDocumentText({ ...domain, senders, version: 1 })));
  assert.deepEqual(before.senders.credentials, [lasting]);
  const relay = relayDocument.parse({ ...relayDocumentOf(), ...credentialLists([expiring, lasting]) });
  assert.deepEqual(credentialsIn(relay), [lasting, expiring]);
  const relayBefore = former.relayDocument.parse({ ...relay, version: 1 });
  assert.deepEqual(relayBefore.credentials, [lasting]);
  assert.deepEqual(credentialLists([lasting]), { credentials: [lasting] });
});

test("a relay of the release before refuses what is newer, and says that it is the version", () => {
  const newest = former.domainDocument.safeParse(JSON.parse(domainDocumentText(domain)));
  assert.deepEqual(newest.error?.issues[0]?.path, ["version"]);
  assert.equal(former.relayDocument.safeParse(relayDocumentOf()).success, false);
});

for (const version of [1, 2] as const) {
  test(`a document of version ${version} is read as it was meant, and written again as the same text`, () => {
    const text = domainDocumentText({ ...domain, version });
    const read = parseDomainDocument(JSON.parse(text));
    assert.deepEqual(read, { ...domain, version });
    assert.equal(domainDocumentText(read), text);
    assert.match(text, new RegExp(`^\\{\\s*"version": ${version},\\s*"senderDomain"`));
    assert.ok(relayDocument.safeParse({ ...relayDocumentOf(), version }).success);
  });
}

for (const version of [0, 3, "2", undefined]) {
  test(`version ${String(version)} of a document is refused with what is read`, () => {
    const refused = (error: unknown): boolean => {
      assert.ok(error instanceof z.ZodError);
      const { path, message } = error.issues[0] ?? {};
      assert.deepEqual(path, ["version"]);
      assert.match(message ?? "", /, and this release reads 1 to 2$/);
      return true;
    };
    assert.throws(() => parseDomainDocument({ ...domain, version }), refused);
    assert.throws(() => relayDocument.parse({ ...relayDocumentOf(), version }), refused);
  });
}

test("each release reads the other's reports", () => {
  const today = reportOf();
  assert.deepEqual(today.documents, { ...documentVersions });
  assert.ok(formerReport.safeParse(today).success);
  const { documents: _documents, release: _release, ...before } = formerReport.parse(today) as typeof today;
  assert.deepEqual(relayReport.parse(before), before);
});
