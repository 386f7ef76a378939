/**
 * Whatever the world is, carrying out plans leads to a world in which the next plan changes nothing: no write, no event,
 * the same status byte for byte. The cluster's part (StatefulSet controller, kubelet, relays) is played in memory.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { relayIdentity } from "../../api/administration.ts";
import { emptySpoolAnnotation, queuedAnnotation, retainedLabel, servingLabel, shardLabel } from "../../api/labels.ts";
import {
  authoritySecretOf,
  claimOf,
  now,
  podOf,
  relayOf,
  relayWorld,
  reportOf,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import type { MetadataChange } from "../kube/kube.ts";
import { readShard } from "../kube/shard.ts";
import { readCertificate } from "../trust/certificate.ts";
import { readRelayDocument } from "./document.ts";
import { internalAuthority, issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import { renderInternalAuthority } from "../trust/internalauthority.ts";
import { renderPeer } from "../trust/internalleaf.ts";
import { renderShard } from "../binding/shards.ts";
import { renderStatefulSet } from "./objects/statefulset.ts";
import { orderDigest } from "../pods/orders.ts";
import type { RelayWorld } from "./world.ts";
import type { ClaimFact, PodFact } from "../pods/facts.ts";
import { planRelay, type RelayPlan } from "../../test/support/plans.ts";

const authority = await makeCertificateAuthority(now);
const leaf = await issueLeaf({
  authority,
  names: ["relay.example.com", "outbound.mail.svc", "outbound.mail.svc.cluster.local", "localhost"],
  now,
});
const own = secretOf({
  name: "outbound-certificate",
  values: { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey, "ca.crt": authority.certificate },
});
const authoritySecret = authoritySecretOf(authority);
const reading = readCertificate(leaf.certificate, leaf.privateKey);
const fingerprint = reading.kind === "usable" ? reading.fact.fingerprint : "";

const internal = await makeCertificateAuthority(now, internalAuthority);
const keptAuthority = { ...internal, bundle: internal.certificate };
const peerLeaf = await issueLeaf({ authority: internal, names: [], uris: [relayIdentity(relayOf().metadata)], now });
const internalSecret = renderInternalAuthority("mailboat-system", keptAuthority);
const peer = renderPeer(relayOf(), {
  chain: peerLeaf.certificate,
  privateKey: peerLeaf.privateKey,
  authorities: keptAuthority.bundle,
});

/** Recipients by ordinal that cannot be delivered to for as long as the test runs. */
type Queues = readonly number[];

function carriedOut(world: RelayWorld, plan: RelayPlan, queues: Queues): RelayWorld {
  const removed = new Map(plan.removals.map(({ secret, keys }) => [secret.metadata.labels?.[shardLabel], keys]));
  const shards = [...world.shards].map(([shard, fact]) => {
    const left = [...fact.documents].filter(([key]) => removed.get(shard)?.includes(key) !== true);
    const digest = left.length === fact.documents.size ? fact.digest : `without ${removed.get(shard)?.join() ?? ""}`;
    return [shard, { digest, documents: new Map(left), sizes: fact.sizes, namespaces: fact.namespaces }] as const;
  });
  const find = (kind: string, name: string) =>
    plan.apply.find((object) => object.kind === kind && object.metadata.name === name);
  const set = find("StatefulSet", "outbound");
  const configuration = find("Secret", "outbound-configuration");
  const finalizers = plan.finalizer === "put" ? ["mailboat.dev/drain"] : world.relay.metadata.finalizers;
  const next: RelayWorld = {
    ...world,
    relay: { ...world.relay, metadata: { ...world.relay.metadata, finalizers }, status: plan.status },
    certificate: plan.issueFor === undefined ? world.certificate : own,
    authority: plan.keep.includes("clients") ? authoritySecret : world.authority,
    internalAuthority: plan.keep.includes("pods") ? internalSecret : world.internalAuthority,
    peer: plan.issuesPeer ? peer : world.peer,
    configuration: configuration?.kind === "Secret" ? configuration : world.configuration,
    statefulSet: set?.kind === "StatefulSet" ? set : world.statefulSet,
    shards: new Map(shards),
    claims: world.claims
      .filter((claim) => plan.remove.every((reference) => reference.name !== claim.name))
      .map((claim) => markedClaim(claim, plan)),
  };
  return withPods(next, plan, queues);
}

function changeOf(plan: RelayPlan, name: string): MetadataChange {
  return plan.marks.find((mark) => mark.reference.name === name)?.change ?? {};
}

function markedClaim(claim: ClaimFact, plan: RelayPlan): ClaimFact {
  const { labels = {}, annotations = {} } = changeOf(plan, claim.name);
  const queued = annotations[queuedAnnotation];
  return {
    ...claim,
    size: plan.grow.find((one) => one.name === claim.name)?.size ?? claim.size,
    isRetained: retainedLabel in labels ? labels[retainedLabel] !== undefined : claim.isRetained,
    queued: queuedAnnotation in annotations ? (queued === undefined ? undefined : Number(queued)) : claim.queued,
    emptySpool: emptySpoolAnnotation in annotations ? annotations[emptySpoolAnnotation] : claim.emptySpool,
  };
}

/** The StatefulSet's pods, each with what is mounted by now and what waits in its spool. */
function withPods(world: RelayWorld, plan: RelayPlan, queues: Queues): RelayWorld {
  const replicas = world.statefulSet?.spec.replicas ?? 0;
  const revision = readRelayDocument(world.configuration)?.revision;
  const pods: PodFact[] = [];
  const claims = [...world.claims];
  for (let ordinal = 0; ordinal < replicas; ordinal += 1) {
    const name = `outbound-${ordinal}`;
    const before = world.pods.find((pod) => pod.name === name) ?? podOf(name);
    const { labels = {} } = changeOf(plan, name);
    const nudge = plan.nudges.find(({ pod }) => pod.name === name);
    const told = plan.orders.find(({ pod }) => pod.name === name);
    const { drain } = before.report ?? {};
    const isTold = told === undefined ? drain !== undefined : told.order !== undefined;
    pods.push({
      ...before,
      serving: servingLabel in labels ? labels[servingLabel] === "true" : before.serving,
      annotatedRevision: nudge?.value ?? before.annotatedRevision,
      report: reportOf({
        ...(revision === undefined ? {} : { revision }),
        ...(world.certificate === undefined ? {} : { fingerprint }),
        queued: queues[ordinal] ?? 0,
        ...(isTold ? { drain: { handedOver: 0 } } : {}),
      }),
      ordered: told === undefined ? before.ordered : told.order && orderDigest(told.order),
    });
    if (!claims.some((claim) => claim.ordinal === ordinal)) claims.push(claimOf(ordinal));
  }
  return { ...world, pods, claims: claims.sort((left, right) => left.ordinal - right.ordinal) };
}

const claimFacts = fc.record({
  size: fc.constantFrom("5Gi", "10Gi", "20Gi"),
  isBound: fc.boolean(),
  isRetained: fc.boolean(),
  queued: fc.constantFrom(undefined, 0, 5),
  emptySpool: fc.constantFrom(undefined, "spool-a"),
  growthRefused: fc.constantFrom(undefined, { why: "no", retryAt: now + 1 }),
});

const worlds = fc
  .record({
    replicas: fc.integer({ min: 0, max: 4 }),
    present: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }),
    paused: fc.boolean(),
    deleted: fc.constantFrom(undefined, now - 1000, now - 1_000_000),
    hasFinalizer: fc.boolean(),
    storedCertificate: fc.boolean(),
    leftOver: fc.boolean(),
    isForbidden: fc.boolean(),
    claims: fc.array(claimFacts, { maxLength: 6 }),
    kinds: fc.subarray(["Certificate", "PodMonitor"] as const),
    from: fc.constantFrom("Same", "All"),
  })
  .map((one): RelayWorld => {
    const relay = relayOf({
      replicas: one.replicas,
      paused: one.paused,
      tenants: [
        { name: "own", namespaces: { from: "Same" } },
        { name: "others", namespaces: { from: one.from } },
      ],
    });
    const deletionTimestamp = one.deleted === undefined ? undefined : new Date(one.deleted).toISOString();
    const finalizers = one.hasFinalizer ? ["mailboat.dev/drain"] : [];
    const shard = readShard({ ...renderShard(relay, "22"), data: { "example.com.json": "e30=" } });
    return relayWorld({
      relay: { ...relay, metadata: { ...relay.metadata, finalizers, deletionTimestamp } },
      statefulSet:
        one.present === undefined
          ? undefined
          : renderStatefulSet({ relay, image: "mailboat-relay", replicas: one.present, present: undefined }),
      ...(one.storedCertificate ? { certificate: own, authority: authoritySecret } : {}),
      shards: new Map([["22", shard]]),
      domains: new Set(one.leftOver ? [] : ["example.com"]),
      claims: one.claims.map((claim, ordinal) => claimOf(ordinal, claim)),
      kinds: new Set(one.kinds),
      forbidden: new Set(one.isForbidden ? ["outbound-configuration"] : []),
    });
  });

test("plans that are carried out end in a plan that changes nothing", () => {
  fc.assert(
    fc.property(worlds, fc.array(fc.constantFrom(0, 0, 3, 1234), { maxLength: 5 }), (start, queues) => {
      let world = withPods(start, planRelay({ ...start, pods: [] }), queues);
      for (let round = 0; round < 12; round += 1) world = carriedOut(world, planRelay(world), queues);
      const plan = planRelay(world);
      const after = carriedOut(world, plan, queues);
      assert.deepEqual(after, world);
      assert.equal(JSON.stringify(planRelay(after)), JSON.stringify(plan));
      assert.deepEqual(
        [plan.events, plan.marks, plan.nudges, plan.orders, plan.removals, plan.remove, plan.grow],
        [[], [], [], [], [], [], []],
      );
      assert.deepEqual([plan.keep, plan.issueFor, plan.issuesPeer], [[], undefined, false]);
      assert.notEqual(plan.finalizer, "put");
    }),
    { numRuns: 300 },
  );
});
