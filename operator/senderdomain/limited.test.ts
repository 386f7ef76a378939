/** A domain that has sent what it may: since when, said once, and what of it reaches the pods. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDomainDocument, type DomainDocument } from "../../api/relayconfig.ts";
import { domainOf, domainWorld, relayOf } from "../../test/support/operatorobjects.ts";
import { planDomain } from "../../test/support/plans.ts";
import type { DomainWorld } from "./world.ts";

const byNetwork = { name: "networks", trustedNetworks: true };

function limitedWorld(limited: readonly string[], world: Partial<DomainWorld> = {}): DomainWorld {
  const tenants = [{ name: "all", namespaces: { from: "All" } }];
  return domainWorld({ relay: { ...relayOf({ tenants }), status: { limited: [...limited] } }, ...world });
}

test("a domain that is limited says since when, once, and that it is over", () => {
  const { domain } = limitedWorld([]);
  const { namespace } = domain.metadata;
  const reasons = (plan: ReturnType<typeof planDomain>): readonly string[] =>
    plan.events.map(({ reason }) => reason).filter((reason) => reason.startsWith("Limit"));
  for (const owner of [domain.spec.domain, `namespace ${namespace}`]) {
    const world = limitedWorld([owner]);
    const first = planDomain(world);
    assert.equal(first.status.limitedSince, new Date(world.now).toISOString().replace(/\.\d+Z$/, "Z"));
    assert.deepEqual(reasons(first), ["LimitReached"]);
    const told = { ...domain, status: first.status };
    const later = planDomain({ ...world, domain: told, now: world.now + 60_000 });
    assert.deepEqual(later.status, first.status, "nothing is written again");
    assert.deepEqual(reasons(later), []);
    const over = planDomain(limitedWorld(["other.example", "namespace elsewhere"], { domain: told }));
    assert.equal(over.status.limitedSince, undefined);
    assert.deepEqual(reasons(over), ["LimitOver"]);
  }
});

function documentOf(world: DomainWorld): DomainDocument | undefined {
  const text = planDomain(world).write?.text;
  return text === undefined ? undefined : parseDomainDocument(JSON.parse(text));
}

test("limits of the domain, and of the first entry of tenants that admits it, reach the pods", () => {
  const spec = { senders: [byNetwork], limits: { messagesPerHour: 10, bytesPerHour: "64Ki" } };
  const domain = domainOf({ spec });
  const { namespace } = domain.metadata;
  const entry = (name: string, more: object): object => ({ name, namespaces: { from: "All" }, ...more });
  const relay = relayOf({
    tenants: [
      entry("others", { domains: ["elsewhere.example"], limits: { messagesPerHour: 1 } }),
      entry("these", { limits: { recipientsPerHour: 50 } }),
      entry("also", { limits: { recipientsPerHour: 70 } }),
    ],
  });
  const document = documentOf(domainWorld({ domain, relay }));
  assert.deepEqual(document?.limits, { messagesPerHour: 10, bytesPerHour: 65_536 });
  assert.deepEqual(document.tenant, { name: "these", limits: { recipientsPerHour: 50 } });
  assert.equal(document.senderDomain.namespace, namespace);
  const unlimited = documentOf(domainWorld({ domain, relay: relayOf({ tenants: [entry("these", {})] }) }));
  assert.equal(unlimited?.tenant, undefined);
});
