/** What of a SenderDomain depends on what its relay reads, and on what was said of it before. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { relayDocument } from "../../api/relayconfig.ts";
import * as former from "../../test/support/formerrelease/relayconfig.ts";
import { domainOf, domainWorld, ed25519Key, relayWorld, secretOf } from "../../test/support/operatorobjects.ts";
import { readShard } from "../kube/shard.ts";
import { encodeData } from "../kube/secret.ts";
import { relayDocumentOf } from "../mailrelay/document.ts";
import { planDomain } from "../../test/support/plans.ts";
import type { DomainWorld } from "./world.ts";

const secret = secretOf({ name: "key", values: { privateKey: ed25519Key } });
const spec = { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] }, localParts: ["orders"] };
const world = domainWorld({ domain: domainOf({ spec }), secrets: new Map([["key", secret]]) });
const mounted = (version: 1 | 2) => ({ ...relayDocument.parse(relayDocumentOf(relayWorld()).document), version });

function writtenFor(one: DomainWorld): unknown {
  const { write } = planDomain(one);
  return write === undefined ? undefined : JSON.parse(write.text);
}

test("a domain's document is in the version that the relay's pods are given, and is written again for another", () => {
  const old = { ...world, mounted: mounted(1) };
  assert.deepEqual(former.domainDocument.parse(writtenFor(old)).addresses, ["orders"]);
  const { write } = planDomain(old);
  assert.ok(write !== undefined);
  const settled = { ...old, shard: readShard({ ...write.secret, data: encodeData({ [write.dataKey]: write.text }) }) };
  assert.equal(writtenFor(settled), undefined);
  const raised = writtenFor({ ...settled, mounted: mounted(2) });
  assert.equal(former.domainDocument.safeParse(raised).success, false);
  assert.deepEqual(writtenFor(world), raised, "a relay that has nothing yet is given the newest");
});

test("while the configuration of its relay is missing, a domain's document stays in the version that the pods have", () => {
  const { relay } = world;
  assert.ok(relay !== undefined);
  const written = (documentVersion: number) =>
    writtenFor({ ...world, relay: { ...relay, status: { documentVersion } } });
  assert.equal(former.domainDocument.safeParse(written(1)).success, true);
  assert.equal(former.domainDocument.safeParse(written(2)).success, false);
  assert.deepEqual(written(3), written(2), "of a release after this one it is the newest that we write");
});

test("each key says since when it signs, as it was said before", () => {
  const { status } = planDomain(world);
  const key = { selector: "s1", algorithm: "Ed25519", state: "Active", since: "2026-11-23T12:00:00Z" };
  assert.deepEqual(status.dkim?.keys, [key]);
  const later = { ...world, now: world.now + 60_000, domain: { ...world.domain, status } };
  assert.deepEqual(planDomain(later).status.dkim, status.dkim);
});
