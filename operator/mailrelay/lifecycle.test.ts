/** A relay over time: what planRelay() does when it is scaled, deleted, renewed, and when rights or parts are missing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RelayReport } from "../../api/relayreport.ts";
import { drainFinalizer, servingLabel } from "../../api/labels.ts";
import {
  authoritySecretOf,
  internalAuthoritySecretOf,
  claimOf,
  now,
  podOf,
  relayOf,
  relayWorld,
  reportOf,
  secretOf,
} from "../../test/support/operatorobjects.ts";
import type { Certificate } from "../kube/kinds.ts";
import type { StatefulSet } from "../kube/objects.ts";
import { leafLifeMs, readCertificate } from "../trust/certificate.ts";
import { internalAuthority, issueLeaf, makeCertificateAuthority } from "../trust/issue.ts";
import { certificateSecretName } from "../owned/names.ts";
import { renderStatefulSet } from "./objects/statefulset.ts";
import type { RelayWorld } from "./world.ts";
import type { PodFact } from "../pods/facts.ts";
import { planRelay, type RelayPlan } from "../../test/support/plans.ts";

const authority = await makeCertificateAuthority(now);
const names = ["relay.example.com", "outbound.mail.svc", "outbound.mail.svc.cluster.local", "localhost"];
const leaf = await issueLeaf({ authority, names, now });
const pem = { "tls.crt": leaf.certificate, "tls.key": leaf.privateKey };
const own = secretOf({ name: "outbound-certificate", values: { ...pem, "ca.crt": authority.certificate } });
const internal = await makeCertificateAuthority(now, internalAuthority);
const internalSecret = internalAuthoritySecretOf(internal);
const read = readCertificate(leaf.certificate, leaf.privateKey);
assert.ok(read.kind === "usable");
const { fingerprint } = read.fact;

function setOf(replicas: number): StatefulSet {
  return renderStatefulSet({ relay: relayOf(), image: "mailboat-relay", replicas, present: undefined });
}

/** A relay that runs: its pods report what was rendered, with so many recipients waiting in each. */
function running(queued: readonly number[], spec: object = {}, world: Partial<RelayWorld> = {}): RelayWorld {
  const bare = relayWorld({
    relay: relayOf({ replicas: queued.length, ...spec }),
    authority: authoritySecretOf(authority),
    internalAuthority: internalSecret,
    certificate: own,
    statefulSet: setOf(queued.length),
    claims: queued.map((_, ordinal) => claimOf(ordinal)),
    ...world,
  });
  const revision = planRelay(bare).status.revision ?? "";
  const pods = queued.map((count, ordinal) =>
    podOf(`outbound-${ordinal}`, { report: reportOf({ revision, fingerprint, queued: count }) }),
  );
  return { ...bare, pods };
}

/** Pods of these ordinals show the order to leave, and what came of it. */
function draining(world: RelayWorld, drains: Readonly<Record<number, RelayReport["drain"]>>): RelayWorld {
  const pods = world.pods.map((pod, ordinal) => {
    const drain = drains[ordinal];
    if (drain === undefined || pod.report === undefined) return pod;
    return { ...pod, serving: false, report: { ...pod.report, draining: true, drain } };
  });
  return { ...world, pods };
}

const none = { handedOver: 0 };

function conditionOf(plan: RelayPlan, type: string): string {
  const found = plan.status.conditions?.find((entry) => entry.type === type);
  return `${found?.status ?? "absent"} ${found?.reason ?? ""}: ${found?.message ?? ""}`;
}

function replicasOf(plan: RelayPlan): number | undefined {
  const set = plan.apply.find((object) => object.kind === "StatefulSet");
  return set?.kind === "StatefulSet" ? set.spec.replicas : undefined;
}

test("a relay that runs what it should is ready, and asks for nothing but its finalizer", () => {
  const plan = planRelay(running([0, 0]));
  assert.equal(conditionOf(plan, "Ready"), "True Ready: mail is taken, signed and sent");
  assert.deepEqual([plan.finalizer, plan.marks, plan.nudges, plan.remove, plan.grow], ["put", [], [], [], []]);
});

test("scale-in is held while the pod that leaves holds mail; it gets no new clients and Ready stays", () => {
  const plan = planRelay(running([0, 1234], { replicas: 1 }));
  assert.equal(replicasOf(plan), 2);
  assert.match(
    conditionOf(plan, "Draining"),
    /^True HandingOver: outbound-1 \(1200 recipients wait\): hands its mail over and leaves when .* back to 2/,
  );
  assert.deepEqual(
    plan.orders.map(({ pod, order }) => [pod.name, order?.peers.map((peer) => peer.name)]),
    [["outbound-1", ["outbound-0"]]],
  );
  assert.equal(plan.requeueAfterMs, 500);
  assert.match(conditionOf(plan, "Ready"), /^True/);
  assert.match(conditionOf(plan, "Reconciling"), /^True Progressing/);
  assert.deepEqual(plan.marks, [
    {
      reference: { kind: "Pod", namespace: "mail", name: "outbound-1" },
      change: { labels: { [servingLabel]: undefined } },
    },
  ]);
  assert.deepEqual([plan.status.desiredReplicas, plan.status.replicas], [1, 2]);
});

test("a pod whose spool is empty goes, and a change of mind brings its clients back", () => {
  assert.equal(replicasOf(planRelay(draining(running([3, 0], { replicas: 1 }), { 1: none }))), 1);
  const world = running([0, 5]);
  const pods = world.pods.map((pod) => ({ ...pod, serving: pod.name === "outbound-0" }));
  assert.deepEqual(planRelay({ ...world, pods }).marks, [
    {
      reference: { kind: "Pod", namespace: "mail", name: "outbound-1" },
      change: { labels: { [servingLabel]: "true" } },
    },
  ]);
});

test("a pod that stays after all is told so first and gets clients when it takes mail again", () => {
  const leaving = draining(running([0, 5]), { 1: none });
  const plan = planRelay(leaving);
  assert.deepEqual(
    [plan.marks, plan.orders.map(({ pod, order }) => [pod.name, order])],
    [[], [["outbound-1", undefined]]],
  );
  assert.match(conditionOf(plan, "Draining"), /^True ScalingIn: outbound-1: stays after all/);
  const pods = leaving.pods.map((pod) => ({ ...pod, orderFailure: { why: "ECONNREFUSED", since: now } }));
  assert.match(conditionOf(planRelay({ ...leaving, pods }), "Draining"), /cannot be told so: ECONNREFUSED/);
});

const troubles: readonly (readonly [string, Partial<PodFact>, RegExp])[] = [
  [
    "does not answer",
    { report: undefined, ready: false },
    /^True SpoolNotEmpty: outbound-1 \(does not answer\): .*see why it is not ready; or set spec\.replicas back to 2/,
  ],
  [
    "finds nobody to take its mail",
    { report: reportOf({ queued: 7, drain: { handedOver: 1234, failure: "outbound-0 answers 507" } }) },
    /^True SpoolNotEmpty: outbound-1 \(7 recipients wait, 1200 messages handed over\): its mail is not taken \(outbound-0 answers 507\): see that .* port 9465/,
  ],
  [
    "takes no orders",
    { report: reportOf({ queued: 7 }), orderFailure: { why: "connect ECONNREFUSED", since: now } },
    /^True SpoolNotEmpty: .* cannot be given \(connect ECONNREFUSED\): let the operator reach its port 9465/,
  ],
  [
    "is from before there were orders",
    { report: reportOf({ queued: 7 }), administration: undefined },
    /^True SpoolNotEmpty: .* leaves when it has delivered it/,
  ],
];
for (const [name, fact, expected] of troubles) {
  test(`a pod that leaves and ${name} is told apart, with what to do`, () => {
    const world = running([0, 7], { replicas: 1 });
    const pods = world.pods.map((pod, ordinal) => (ordinal === 1 ? { ...pod, ...fact } : pod));
    assert.match(conditionOf(planRelay({ ...world, pods }), "Draining"), expected);
  });
}

test("a pod that finds no other pod to take its mail delivers what it can, and status says so", () => {
  const world = running([0, 7], { replicas: 1 });
  const pods = world.pods.map((pod, ordinal) => ({ ...pod, ready: ordinal === 1 }));
  const plan = planRelay({ ...world, pods });
  assert.match(conditionOf(plan, "Draining"), /^True SpoolNotEmpty: .* no pod that stays is ready to take its mail/);
  assert.deepEqual(
    plan.orders.map(({ order }) => order),
    [{ version: 1, peers: [] }],
  );
});

test("what a pod handed over, and that its volume goes, is told once", () => {
  const told = (plan: RelayPlan): readonly string[] =>
    plan.events.filter((event) => event.type === "Normal").map(({ reason, note }) => `${reason}: ${note}`);
  const world = draining(running([3, 0], { replicas: 1 }), { 1: { handedOver: 12 } });
  assert.deepEqual(told(planRelay(world)), [
    "HandedOver: Draining: outbound-1 leaves with an empty spool, 12 messages handed over",
  ]);
  const claims = [claimOf(0), claimOf(1, { queued: 0, emptySpool: "spool-a" })];
  const gone = { ...world, statefulSet: setOf(1), pods: world.pods.slice(0, 1), claims };
  assert.deepEqual(told(planRelay(gone)), [
    "SpoolRemoved: Draining: volume spool-outbound-1 is removed: its spool is proven empty",
  ]);
});

test("hibernation takes every pod at once and says what waits in which volume", () => {
  const world = running([3, 0], { replicas: 0 });
  const plan = planRelay(world);
  assert.equal(replicasOf(plan), 0);
  // Until the last pod has gone it is not what was asked for.
  assert.match(conditionOf(plan, "Ready"), /^False Progressing/);
  assert.match(conditionOf(plan, "Reconciling"), /^True Progressing/);
  const asleep = {
    ...world,
    statefulSet: setOf(0),
    pods: [],
    claims: [claimOf(0, { queued: 3 }), claimOf(1, { queued: 0 })],
  };
  const { status } = planRelay(asleep);
  assert.deepEqual([status.queued, status.retainedSpools], [3, [{ claimName: "spool-outbound-0", queued: 3 }]]);
  assert.match(conditionOf(planRelay(asleep), "Ready"), /^True Hibernating/);
  assert.match(conditionOf(planRelay(asleep), "Available"), /^False Hibernating/);
  assert.match(conditionOf(planRelay(asleep), "Reconciling"), /^False Settled/);
});

test("autoscaling decides what the StatefulSet says, and replicas 0 still hibernates", () => {
  const autoscaling = { minReplicas: 2, maxReplicas: 6, targetDueAge: "30s" };
  const late = new Date(now - 120_000).toISOString();
  const world = running([1, 1], { replicas: 1, autoscaling });
  const overdue = (pod: PodFact): PodFact => {
    const { report } = pod;
    return report === undefined
      ? pod
      : { ...pod, report: { ...report, spool: { ...report.spool, oldestDueTime: late } } };
  };
  const plan = planRelay({ ...world, pods: world.pods.map(overdue) });
  assert.deepEqual([replicasOf(plan), plan.status.desiredReplicas], [4, 4]);
  assert.equal(plan.recommendations.length, 2);
  assert.equal(replicasOf(planRelay(running([1, 1], { replicas: 0, autoscaling }))), 0);
});

const deletedAt = new Date(now - 1000).toISOString();
function deleted(world: RelayWorld, at = deletedAt): RelayWorld {
  const metadata = { ...world.relay.metadata, deletionTimestamp: at, finalizers: [drainFinalizer] };
  return { ...world, relay: { ...world.relay, metadata } };
}

test("a deleted relay waits for its spools, no longer than its deadline, even when it is paused", () => {
  const plan = planRelay(deleted(draining(running([0, 7], { paused: true }), { 0: none })));
  assert.equal(replicasOf(plan), 2);
  assert.equal(plan.finalizer, undefined);
  assert.deepEqual(
    plan.orders.map(({ pod, order }) => [pod.name, order]),
    ["outbound-0", "outbound-1"].map((name) => [name, { version: 1, peers: [] }]),
  );
  assert.match(
    conditionOf(plan, "Draining"),
    /^True Deleting: outbound-1 \(7 recipients wait\): .* until 2026-11-23T12:04:59Z/,
  );
  const over = planRelay(deleted(running([0, 7]), new Date(now - 300_000).toISOString()));
  assert.deepEqual([replicasOf(over), over.finalizer], [0, "takeOff"]);
  const claims = over.marks.filter((mark) => mark.reference.kind === "PersistentVolumeClaim");
  assert.deepEqual(
    claims.map((mark) => mark.change),
    [
      { labels: { "mailboat.dev/retained-spool": "true" }, annotations: { "mailboat.dev/queued": "0" } },
      { labels: { "mailboat.dev/retained-spool": "true" }, annotations: { "mailboat.dev/queued": "7" } },
    ],
  );
});

test("a deleted relay waits as long as its manifest says", () => {
  const at = (deadline: string, sinceMs: number) =>
    planRelay(deleted(running([0, 7], { drain: { deadline } }), new Date(now - sinceMs).toISOString()));
  assert.deepEqual([at("10m", 599_000).finalizer, at("10m", 600_000).finalizer], [undefined, "takeOff"]);
  assert.match(conditionOf(at("1h", 0), "Draining"), / until 2026-11-23T13:00:00Z at most/);
  assert.equal(at("0s", 0).finalizer, "takeOff");
});

test("a deleted relay with empty spools goes as soon as its pods are gone, and takes proven volumes along", () => {
  const empty = planRelay(deleted(draining(running([0, 0]), { 0: none, 1: none })));
  assert.deepEqual([replicasOf(empty), empty.finalizer], [0, undefined]);
  const claims = [claimOf(0, { queued: 0, emptySpool: "a" }), claimOf(1, { queued: 0, isRetained: true })];
  const gone = planRelay(deleted(relayWorld({ claims, statefulSet: setOf(0) })));
  assert.deepEqual([gone.finalizer, gone.remove.map(({ name }) => name)], ["takeOff", ["spool-outbound-0"]]);
});

test("a deleted relay that never had our finalizer is left to the cluster", () => {
  const metadata = { ...relayOf().metadata, deletionTimestamp: deletedAt };
  const plan = planRelay(relayWorld({ relay: { ...relayOf(), metadata } }));
  assert.deepEqual([plan.apply, plan.marks, plan.finalizer], [[], [], undefined]);
});

const command =
  /kubectl create rolebinding mailboat-secrets --namespace mail --clusterrole mailboat-secrets --serviceaccount mailboat-system:mailboat-operator/;

test("a Secret that may not be read becomes a condition with the command that allows it, and mail goes on", () => {
  const world = running([0], { tls: { secretRef: { name: "mine" } } });
  const plan = planRelay({ ...world, forbidden: new Set(["mine"]) });
  for (const type of ["ResolvedRefs", "CertificateReady"]) {
    assert.match(conditionOf(plan, type), /^False SecretsForbidden: spec\.tls\.secretRef: /);
    assert.match(conditionOf(plan, type), command);
  }
  assert.match(conditionOf(plan, "Stalled"), /^True Invalid/);
  assert.ok(plan.apply.every((object) => object.metadata.name !== certificateSecretName("outbound")));
});

test("where the operator may not read its own Secrets it writes nothing but status", () => {
  const plan = planRelay({ ...running([0]), forbidden: new Set(["outbound-configuration"]) });
  assert.deepEqual([plan.apply, plan.issueFor, plan.finalizer], [[], undefined, undefined]);
  assert.match(conditionOf(plan, "ResolvedRefs"), command);
});

test("a missing right does not keep a deleted relay", () => {
  const forbidden = new Set(["outbound-configuration"]);
  const plan = planRelay({ ...deleted(relayWorld({ statefulSet: setOf(0) })), forbidden });
  assert.equal(plan.finalizer, "takeOff");
});

test("the authority of pods and operator is made for a relay that goes, and nothing else waits for it", () => {
  const kindsOf = (world: RelayWorld): readonly string[] =>
    planRelay({ ...world, internalAuthority: undefined }).actions.map(({ kind }) => kind);
  const awaited = kindsOf(deleted(draining(running([0, 7]), { 0: none })));
  const claims = [claimOf(0, { queued: 0, emptySpool: "a" })];
  const withClaim = kindsOf(deleted(running([0, 7], {}, { claims })));
  for (const kinds of [awaited, withClaim]) {
    const place = kinds.indexOf("keepAuthority");
    assert.ok(place > kinds.lastIndexOf("apply") && place > kinds.lastIndexOf("mark"), kinds.join());
    assert.ok(
      kinds.slice(place + 1).every((kind) => ["status", "event"].includes(kind)),
      kinds.join(),
    );
  }
  assert.ok(!kindsOf({ ...deleted(running([0, 7])), isOwnForbidden: true }).includes("keepAuthority"), "it may not be");
  for (const isOwnForbidden of [true, false]) {
    const over = { ...deleted(running([0, 7]), new Date(now - 300_000).toISOString()), isOwnForbidden };
    assert.ok(!kindsOf(over).includes("keepAuthority"), "nothing is waited for any more");
    const plan = planRelay({ ...over, internalAuthority: undefined });
    assert.deepEqual([replicasOf(plan), plan.finalizer], [0, "takeOff"]);
  }
});

test("credentials that may not be read just now stay as they are", () => {
  const world = running([0]);
  const problem = { kind: "forbidden", object: "Secret", field: "f", message: "m" } as const;
  const plan = planRelay({ ...world, credentials: { documents: [], problems: [problem] } });
  assert.match(conditionOf(plan, "ResolvedRefs"), /^False SecretsForbidden: m/);
});

const issuer = { tls: { certManager: { issuerRef: { name: "ours" } } } };
function issuanceSaying(message: string): Certificate {
  const conditions = [{ type: "Ready", status: "False", reason: "DoesNotExist", message }];
  return {
    apiVersion: "cert-manager.io/v1",
    kind: "Certificate",
    metadata: { name: "outbound", namespace: "mail", ownerReferences: [] },
    spec: {
      secretName: "outbound-issued",
      secretTemplate: { labels: {} },
      dnsNames: [],
      issuerRef: { name: "ours", kind: "Issuer", group: "cert-manager.io" },
      privateKey: { rotationPolicy: "Always" },
    },
    status: { conditions },
  };
}

test("cert-manager is asked when it is there; what it says is passed on, what it issues is mounted", () => {
  const world = relayWorld({ relay: relayOf(issuer) });
  assert.match(
    conditionOf(planRelay(world), "CertificateReady"),
    /^False CertManagerNotInstalled: spec\.tls\.certManager/,
  );
  assert.match(conditionOf(planRelay(world), "Stalled"), /^True/);
  const there = { ...world, kinds: new Set(["Certificate"] as const) };
  assert.ok(planRelay(there).apply.some((object) => object.kind === "Certificate"));
  const waiting = { ...there, issuance: issuanceSaying("issuer ours is not ready") };
  assert.match(
    conditionOf(planRelay(waiting), "CertificateReady"),
    /^False Pending: .* says: issuer ours is not ready/,
  );
  const issued = {
    ...there,
    secrets: new Map([["outbound-issued", secretOf({ name: "outbound-issued", values: pem })]]),
  };
  const plan = planRelay(issued);
  assert.match(conditionOf(plan, "CertificateReady"), /^True Valid/);
  assert.ok(plan.apply.some((object) => object.metadata.name === certificateSecretName("outbound")));
});

test("a request to cert-manager that nobody wants any more is taken back, when it is ours", () => {
  const theirs = issuanceSaying("");
  const owner = { apiVersion: "v", kind: "MailRelay", name: "outbound", uid: "relay-uid" } as const;
  const ownerReferences = [{ ...owner, controller: true, blockOwnerDeletion: true } as const];
  const ours = { ...theirs, metadata: { ...theirs.metadata, ownerReferences } };
  const kinds = new Set(["Certificate"] as const);
  assert.deepEqual(planRelay({ ...running([0]), kinds, issuance: theirs }).remove, []);
  assert.deepEqual(planRelay({ ...running([0]), kinds, issuance: ours }).remove, [
    { kind: "Certificate", namespace: "mail", name: "outbound" },
  ]);
});

test("our own certificate is made anew when a third of its life is left, and not before", () => {
  const world = running([0]);
  assert.equal(planRelay({ ...world, now: now + (leafLifeMs * 6) / 10 }).issueFor, undefined);
  assert.deepEqual(planRelay({ ...world, now: now + (leafLifeMs * 7) / 10 }).issueFor, names);
});

test("Programmed waits for the certificate too, and pods are told of it", () => {
  const world = running([0]);
  const [pod] = world.pods;
  assert.ok(pod !== undefined);
  const older = { ...pod, report: reportOf({ revision: pod.report?.revision ?? "", fingerprint: "older" }) };
  const plan = planRelay({ ...world, pods: [older] });
  assert.match(conditionOf(plan, "Programmed"), /^False WaitingForPods: outbound-0/);
  assert.equal(plan.nudges.length, 1);
});

test("a relay that any namespace may use for any domain says so, with a warning", () => {
  const plan = planRelay(
    relayWorld({
      relay: relayOf({
        tenants: [
          { name: "own", namespaces: { from: "Same" } },
          { name: "others", namespaces: { from: "All" } },
        ],
      }),
    }),
  );
  const warning = plan.events.find((event) => event.reason === "AnyDomainAllowed");
  assert.equal(warning?.type, "Warning");
  assert.match(warning.note, /spec\.tenants\[1\]/);
  const limited = relayOf({
    tenants: [
      { name: "own", namespaces: { from: "Same" } },
      { name: "others", namespaces: { from: "All" }, domains: ["example.com"] },
    ],
  });
  assert.match(conditionOf(planRelay(relayWorld({ relay: limited })), "Accepted"), /^True Accepted/);
});

test("nothing is told of a drain that never was, and its end is good news", () => {
  const told = (plan: RelayPlan): unknown =>
    plan.events.filter((event) => event.note.startsWith("Draining")).map((event) => [event.type, event.reason]);
  const after = (last: RelayPlan, world: RelayWorld): RelayPlan =>
    planRelay({ ...world, relay: { ...world.relay, status: last.status } });
  const settled = planRelay(running([0, 7]));
  assert.deepEqual(told(settled), []);
  const held = after(settled, running([0, 7], { replicas: 1 }));
  assert.deepEqual(told(held), [["Normal", "HandingOver"]]);
  const failing = draining(running([0, 7], { replicas: 1 }), { 1: { handedOver: 0, failure: "no" } });
  assert.deepEqual(told(after(held, failing)), [["Warning", "SpoolNotEmpty"]]);
  assert.deepEqual(told(after(held, running([0]))), [["Normal", "NotDraining"]]);
});
