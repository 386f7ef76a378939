import assert from "node:assert/strict";
import { test } from "node:test";
import { domainOf, domainWorld, podOf, relayOf, relayWorld, secretOf } from "../../../test/support/operatorobjects.ts";
import type { Kind } from "../../kube/objects.ts";
import { encodeData } from "../../kube/secret.ts";
import { readShard, type ShardFact } from "../../kube/shard.ts";
import { judgeAccepted } from "../assess.ts";
import { domainDataKey, shardOf } from "../../binding/shards.ts";
import { hides } from "../../kube/kube.ts";
import { renderShard } from "../../binding/shards.ts";
import type { RelayWorld } from "../world.ts";
import { isHidden } from "./plan.ts";
import { planDomain, planRelay, planHidden } from "../../../test/support/plans.ts";

const relay = relayOf({
  tenants: [
    { name: "own", namespaces: { from: "Same" } },
    { name: "others", namespaces: { from: "All" }, domains: ["shop.example", "example.com"] },
  ],
});

/** The shards after a domain of namespace shop was written. */
function shardsWith(domain = "shop.example", namespace = "shop"): ReadonlyMap<string, ShardFact> {
  const { write } = planDomain(domainWorld({ relay, domain: domainOf({ namespace, spec: { domain } }) }));
  assert.ok(write !== undefined);
  const data = encodeData({ [write.dataKey]: write.text });
  return new Map([[shardOf(domain), readShard({ ...renderShard(relay, shardOf(domain)), data })]]);
}

const removedKeys = (world: RelayWorld): readonly string[] => planRelay(world).removals.flatMap(({ keys }) => keys);
const unseen = new Map([["shop", undefined]]);
const shards = shardsWith();

test("a shard tells of each document whose it is", () => {
  const [fact] = [...shards.values()];
  assert.deepEqual([...(fact?.namespaces ?? [])], [["shop.example.json", "shop"]]);
  const foreign = readShard(secretOf({ name: "s", values: { "a.json": "{}", "b.json": "", "c.json": "no JSON" } }));
  assert.deepEqual([...foreign.namespaces], []);
});

const removals: readonly (readonly [string, Partial<RelayWorld>, boolean])[] = [
  ["its namespace is seen, and so it is gone", {}, true],
  ["its namespace is not seen", { unseen }, false],
  ["its namespace is not seen, and another one is", { unseen: new Map([["other", undefined]]) }, true],
  ["it is of the relay's own namespace, which is seen", { shards: shardsWith("a.example", "mail") }, true],
  ["the relay admits the namespace no more", { unseen, relay: relayOf() }, true],
  [
    "the relay admits the domain no more",
    {
      unseen,
      relay: relayOf({
        tenants: [
          { name: "own", namespaces: { from: "Same" } },
          { name: "others", namespaces: { from: "All" }, domains: ["example.com"] },
        ],
      }),
    },
    true,
  ],
  [
    "the relay selects namespaces by labels, and they are not seen",
    {
      unseen,
      relay: relayOf({
        tenants: [
          { name: "own", namespaces: { from: "Same" } },
          { name: "others", namespaces: { from: "Selector", selector: { matchLabels: { team: "shop" } } } },
        ],
      }),
    },
    false,
  ],
  ["it is held", { domains: new Set(["shop.example"]) }, false],
];
for (const [when, world, isRemoved] of removals) {
  test(`a document whose SenderDomain is not found ${isRemoved ? "goes" : "stays"} when ${when}`, () => {
    assert.equal(removedKeys(relayWorld({ relay, shards, ...world })).length, isRemoved ? 1 : 0);
  });
}

test("what stays is said, with the namespace and what to do", () => {
  const accepted = judgeAccepted(relayWorld({ relay, shards, unseen }));
  assert.deepEqual([accepted.status, accepted.reason], ["True", "DomainsNotSeen"]);
  assert.match(accepted.message, /1 domain \(shop\.example\).*not watch, or may not read, shop: .*watchNamespaces/);
  assert.match(accepted.message, /data key of a Secret outbound-domains-NN in namespace mail/);
  const attached = (world: Partial<RelayWorld>) =>
    planRelay(relayWorld({ relay, shards, ...world })).status.attachedDomains;
  assert.deepEqual([attached({ unseen }), attached({})], [1, 0], "the pods have it");
  assert.equal(judgeAccepted(relayWorld({ relay, shards })).reason, "Accepted");
});

test("which kinds a sight hides", () => {
  const part = { kind: "part", hidden: new Set<Kind>(["Pod"]) } as const;
  const kinds = ["SenderDomain", "Pod"] as const;
  const hidden = (sight: Parameters<typeof hides>[0]): readonly boolean[] => kinds.map((kind) => hides(sight, kind));
  assert.deepEqual(hidden({ kind: "whole" }), [false, false]);
  assert.deepEqual(hidden({ kind: "gone" }), [false, false]);
  assert.deepEqual(hidden({ kind: "outside" }), [true, true]);
  assert.deepEqual(hidden(part), [false, true]);
});

const sight = { kind: "part", hidden: new Set<Kind>(["Service", "Pod"]) } as const;

test("where pods cannot be seen nothing is done, and status says what is missing and keeps the rest", () => {
  const running = relayWorld({ pods: [podOf("outbound-0")] });
  const status = { ...planRelay(running).status, queued: 7, late: 3 };
  const world = relayWorld({ relay: { ...relay, status }, sight });
  assert.ok(isHidden(world));
  const plan = planHidden(world);
  assert.deepEqual([plan.apply, plan.marks, plan.removals, plan.orders, plan.remove], [[], [], [], [], []]);
  assert.deepEqual([plan.finalizer, plan.issueFor, plan.issuesPeer], [undefined, undefined, false]);
  const said = (type: string) => plan.status.conditions?.find((one) => one.type === type);
  assert.deepEqual([said("Accepted")?.status, said("Accepted")?.reason], ["False", "NamespaceNotSeen"]);
  assert.match(said("Accepted")?.message ?? "", /may not read Pod, Service in namespace mail/);
  assert.deepEqual([said("Ready")?.status, said("Stalled")?.status], ["False", "True"]);
  assert.equal(said("Available")?.status, "True", "as it was");
  assert.deepEqual([plan.status.replicas, plan.status.readyReplicas], [1, 1], "as it was");
  assert.deepEqual([plan.status.queued, plan.status.late], [7, 3], "as it was");
  assert.deepEqual([plan.figures.queued, plan.figures.late], [7, 3], "and so it goes on when they are seen again");
});

test("one that is deleted is not hidden: it goes with what is known of it", () => {
  const metadata = { ...relay.metadata, deletionTimestamp: "2026-11-23T12:00:00Z", finalizers: ["mailboat.dev/drain"] };
  const world = relayWorld({ relay: { ...relay, metadata }, sight });
  assert.equal(isHidden(world), false);
  assert.equal(planRelay(world).finalizer, "takeOff");
  const told = relayWorld({ relay: { ...relay, metadata, status: { queued: 7 } }, sight });
  assert.deepEqual([planRelay(world).status.queued, planRelay(told).status.queued], [undefined, 7]);
});

test("a domain whose relay is not seen keeps what the pods have, and is not told that there is none", () => {
  const domain = domainOf({ namespace: "shop" });
  const accepted = (relaySight: RelayWorld["sight"]) =>
    planDomain(domainWorld({ domain, relay: undefined, relaySight })).status.conditions?.find(
      ({ type }) => type === "Accepted",
    );
  assert.equal(accepted({ kind: "outside" })?.reason, "RelayNotSeen");
  assert.equal(accepted({ kind: "part", hidden: new Set<Kind>(["MailRelay"]) })?.reason, "RelayNotSeen");
  assert.equal(accepted({ kind: "part", hidden: new Set<Kind>(["Pod"]) })?.reason, "RelayNotFound");
  assert.equal(accepted({ kind: "whole" })?.reason, "RelayNotFound");
  assert.equal(accepted({ kind: "gone" })?.reason, "RelayNotFound");
});

test("a domain that a SenderDomain which is not seen holds is not taken over", () => {
  const plan = planDomain(domainWorld({ relay, unseenHolder: "shop" }));
  const accepted = plan.status.conditions?.find(({ type }) => type === "Accepted");
  assert.deepEqual([accepted?.status, accepted?.reason], ["False", "DomainConflict"]);
  assert.match(
    accepted?.message ?? "",
    /namespace shop.*take data key example\.com\.json out of Secret mail\/outbound-d/,
  );
  assert.equal(plan.write, undefined);
  assert.equal(domainDataKey("example.com"), "example.com.json");
});
