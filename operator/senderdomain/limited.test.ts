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

test("an entry of senders is named when an identity of it is limited, and no entry of another domain", () => {
  const domain = domainOf({ spec: { senders: [byNetwork, { name: "more", trustedNetworks: true }] } });
  const own = `of ${domain.spec.domain}`;
  const world = limitedWorld([`sender more ${own}`, "sender networks of other.example"], { domain });
  const first = planDomain(world);
  assert.deepEqual(first.status.limitedSenders, ["more"]);
  assert.notEqual(first.status.limitedSince, undefined);
  const [event] = first.events.filter(({ reason }) => reason === "LimitReached");
  assert.match(event?.note ?? "", /an identity of the senders entry more has sent what it may/);
  const told = { ...domain, status: first.status };
  const both = planDomain({
    ...limitedWorld([`sender more ${own}`, `sender networks ${own}`], { domain: told }),
    now: world.now + 60_000,
  });
  assert.deepEqual(both.status.limitedSenders, ["networks", "more"]);
  assert.equal(both.status.limitedSince, first.status.limitedSince);
  assert.equal(
    planDomain(limitedWorld(["sender networks of other.example"], { domain })).status.limitedSince,
    undefined,
  );
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

test("entries of senders reach the pods in their order, with whom each names, where one has limits", () => {
  const login = { name: "apps", credentials: { secretSelector: { matchLabels: { app: "yes" } } } };
  const limits = { messagesPerHour: 100, bytesPerHour: "1Mi" };
  const selected = new Map([["spec.senders[1].credentials.secretSelector", ["shop/one", "shop/two"]]]);
  const credentials = { documents: [], problems: [], selected };
  const written = (senders: readonly object[]): DomainDocument["senderEntries"] =>
    documentOf(domainWorld({ domain: domainOf({ spec: { senders } }), credentials }))?.senderEntries;
  const nobody = { secrets: [], serviceAccounts: [], clientCertificates: [], trustedNetworks: false };
  assert.equal(written([byNetwork, login]), undefined);
  assert.deepEqual(written([byNetwork, { ...login, limits }]), [
    { ...nobody, name: "networks", trustedNetworks: true, limits: {} },
    {
      ...nobody,
      name: "apps",
      secrets: ["shop/one", "shop/two"],
      limits: { messagesPerHour: 100, bytesPerHour: 2 ** 20 },
    },
  ]);
});
