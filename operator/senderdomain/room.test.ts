import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, domainWorld, now, secretOf } from "../../test/support/operatorobjects.ts";
import { readShard } from "../kube/shard.ts";
import { encodeData } from "../kube/secret.ts";
import { domainDataKey, shardOf } from "../binding/shards.ts";
import { renderShard } from "../binding/shards.ts";
import { makePrivateKey } from "../dkim/makekey.ts";
import { shardBytes } from "./room.ts";
import { makeCertificateAuthority } from "../trust/issue.ts";
import type { DomainWorld } from "./world.ts";
import { type DomainPlan, planDomain } from "../../test/support/plans.ts";

const keys = ["s1", "s2"].map((selector) => ({ selector, secretRef: { name: selector } }));
const pems = await Promise.all(keys.map(() => makePrivateKey("RSA2048")));
const secrets = new Map(
  keys.map(({ selector }, index) => [
    selector,
    secretOf({ name: selector, values: { privateKey: pems[index] ?? "" } }),
  ]),
);
const signed = domainWorld({ domain: domainOf({ spec: { dkim: { keys } } }), secrets });

function accepted(plan: DomainPlan): string {
  const found = plan.status.conditions?.find((condition) => condition.type === "Accepted");
  return `${found?.status} ${found?.reason}: ${found?.message}`;
}

/** Its shard as it is with so many bytes of another domain. */
function beside(world: DomainWorld, bytes: number, own?: string): DomainWorld {
  assert.ok(world.relay !== undefined);
  const values = { "other.example.json": "x".repeat(bytes), ...(own === undefined ? {} : { "example.com.json": own }) };
  return { ...world, shard: readShard({ ...renderShard(world.relay, "22"), data: encodeData(values) }) };
}

test("ten thousand domains with two RSA-2048 keys each fit into the shards of one relay", () => {
  const text = planDomain(signed).write?.text ?? "";
  const domains = Array.from({ length: 10_000 }, (_, index) => `customer-${index}.mail.example.com`);
  const bytes = new Map<string, number>();
  for (const domain of domains) {
    const size = text.replace("example.com", domain).length;
    bytes.set(shardOf(domain), (bytes.get(shardOf(domain)) ?? 0) + size);
  }
  const largest = Math.max(...bytes.values());
  assert.ok(largest < 0.7 * shardBytes, `the largest of ${bytes.size} shards has ${largest} bytes`);
});

test("a domain is written while its shard has room to the last byte, and not beyond", () => {
  const size = planDomain(signed).write?.text.length ?? 0;
  assert.ok(planDomain(beside(signed, shardBytes - size)).write !== undefined);
  const full = planDomain(beside(signed, shardBytes - size + 1));
  assert.equal(full.write, undefined);
  assert.match(
    accepted(full),
    /^False RelayFull: spec\.relayRef: MailRelay mail\/outbound is full: .* another MailRelay$/,
  );
  assert.equal(full.requeueAfterMs, 60_000, "nothing tells that there is room again");
});

test("a domain that is in a full shard may change, and what it has there already does not count twice", () => {
  const text = planDomain(signed).write?.text ?? "";
  const crowded = beside(signed, shardBytes - text.length, text);
  assert.match(accepted(planDomain(crowded)), /^True Accepted/);
  const domain = domainOf({ spec: { dkim: { keys }, localParts: ["a"] } });
  assert.ok(planDomain({ ...crowded, domain }).write !== undefined);
  assert.equal(domainDataKey("example.com"), "example.com.json");
});

test("one domain does not fill a shard: the condition names what is large, and the pods keep what they have", async () => {
  // As large as a bundle of many: what stands around certificates is left out.
  const kind = { name: "x".repeat(25_000), algorithm: "ECDSA", lifeMs: 86_400_000 } as const;
  const { certificate } = await makeCertificateAuthority(now, kind);
  const hop = { name: "hop", host: "smtp.example.net", port: 25, tlsMode: "Required", caRef: { name: "ca" } };
  const ca = secretOf({ name: "ca", values: { "ca.crt": certificate } });
  const domain = domainOf({ spec: { smarthosts: [hop, { ...hop, name: "second", host: "smtp2.example.net" }] } });
  const plan = planDomain(domainWorld({ domain, secrets: new Map([["ca", ca]]) }));
  assert.equal(plan.write, undefined);
  assert.match(
    accepted(plan),
    /^False TooLarge: spec\.smarthosts: .* 136 KiB .* room for 128: give only the certificates/,
  );
  const one = domainOf({ spec: { smarthosts: [hop] } });
  assert.ok(planDomain(domainWorld({ domain: one, secrets: new Map([["ca", ca]]) })).write !== undefined);
});
