/** Whole reconciles over local mode's store, which is given claims and missing rights that a machine alone does not have. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { relayLabel, revisionAnnotation, servingLabel } from "../../api/labels.ts";
import { domainOf, now, installation, relayOf, reportOf } from "../../test/support/operatorobjects.ts";
import { ForbiddenError, type ListOptions, RejectedError } from "../kube/kube.ts";
import type { AppliedObject, Kind, KindMap, PersistentVolumeClaim, Secret } from "../kube/objects.ts";
import { decodeData, encodeData } from "../kube/secret.ts";
import { LocalKube } from "../../local/kube.ts";
import { reconcileDomain } from "../senderdomain/reconcile.ts";
import { createCredentialSource } from "../credentials/source.ts";
import { createIssuerSource } from "../issuers/source.ts";
import { readRelayDocument } from "./document.ts";
import type { RelaySources } from "./gather.ts";
import { reconcileRelay } from "./reconcile.ts";
import { RelayMemory } from "../work/memory.ts";

const claim: PersistentVolumeClaim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "spool-outbound-0", namespace: "mail", labels: { "mailboat.dev/relay": "outbound" } },
  spec: { storageClassName: "standard", resources: { requests: { storage: "10Gi" } } },
  status: { phase: "Bound" },
};

class StrictKube extends LocalKube {
  /** Namespace whose Secrets the operator may not read. */
  forbidden: string | undefined;
  claims: readonly PersistentVolumeClaim[] = [];
  asked: string[] = [];
  /** A kind that the API server finds fault with. */
  rejected: Kind | undefined;
  /** What it says then. */
  fault: () => string = () => "spec.template.spec: Invalid value";
  /** Names of Secrets that are somebody else's. */
  foreign: ReadonlySet<string> = new Set();
  /** What happens while a domain's status is on its way. */
  meanwhile: (() => Promise<void>) | undefined;

  override async applyStatus<K extends "MailRelay" | "SenderDomain">(
    kind: K,
    object: KindMap[K],
    status: NonNullable<KindMap[K]["status"]>,
  ): Promise<void> {
    if (kind === "SenderDomain") await this.meanwhile?.();
    await super.applyStatus(kind, object, status);
  }

  override async apply(object: AppliedObject): Promise<void> {
    if (object.kind === this.rejected) throw new RejectedError(this.fault());
    if (this.foreign.has(object.metadata.name)) throw new RejectedError("not ours", { refusedFor: "name" });
    await super.apply(object);
  }

  override async mergeSecret(secret: Secret, changes: Readonly<Record<string, string | undefined>>): Promise<void> {
    if (this.rejected === "Secret") throw new RejectedError(this.fault());
    if (this.foreign.has(secret.metadata.name)) throw new RejectedError("not ours", { refusedFor: "name" });
    await super.mergeSecret(secret, changes);
  }

  override async get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined> {
    if (kind === "Secret" && namespace === this.forbidden) throw new ForbiddenError(`secrets in ${namespace}`);
    return super.get(kind, namespace, name);
  }

  override async list<K extends Kind>(kind: K, options: ListOptions = {}): Promise<readonly KindMap[K][]> {
    if (kind === "Secret" && options.namespace === this.forbidden && this.forbidden !== undefined) {
      throw new ForbiddenError("secrets");
    }
    const listed = await super.list(kind, options);
    return kind === "PersistentVolumeClaim" ? ([...this.claims] as KindMap[K][]) : listed;
  }

  override async growClaim(_namespace: string, name: string, size: string): Promise<void> {
    this.asked.push(`${name} to ${size}`);
    await Promise.resolve();
    throw new RejectedError("the storage class does not allow expansion");
  }
}

interface Stage {
  readonly kube: StrictKube;
  readonly sources: RelaySources;
  readonly memory: RelayMemory;
  readonly writes: string[];
  readonly run: () => Promise<void>;
  readonly reasonOf: (kind: "MailRelay" | "SenderDomain", type: string) => Promise<string | undefined>;
}

const relayKey = { namespace: "mail", name: "outbound" };
/** As a StatefulSet's controller puts it on its pods. */
const bySet = [
  {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    name: "outbound",
    uid: "set",
    controller: true,
    blockOwnerDeletion: true,
  },
] as const;
const domainKey = { namespace: "shop", name: "example-com" };

async function open(context: TestContext, spec: object = {}): Promise<Stage> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-reconcile-"));
  context.after(() => rm(directory, { recursive: true }));
  const writes: string[] = [];
  const kube = new StrictKube({
    stateDirectory: directory,
    now: () => now,
    onStatus: ({ object }) => writes.push(`status of ${object.kind}`),
  });
  await kube.open();
  const bare = <T extends { metadata: { name: string; namespace: string } }>(object: T): T => ({
    ...object,
    metadata: { name: object.metadata.name, namespace: object.metadata.namespace },
  });
  const relay = relayOf({
    tenants: [
      { name: "own", namespaces: { from: "Same" } },
      { name: "others", namespaces: { from: "All" }, domains: ["example.com"] },
    ],
    ...spec,
  });
  const domain = domainOf({ namespace: "shop", spec: { dkim: { managed: { algorithms: ["Ed25519"] } } } });
  await kube.setGiven([
    { file: "a", object: bare(relay) },
    { file: "b", object: bare(domain) },
  ]);
  kube.onChange((changed) => writes.push(`${changed.kind} ${changed.name}`));
  const memory = new RelayMemory();
  const sources: RelaySources = {
    kube,
    credentials: createCredentialSource(),
    issuers: createIssuerSource({ kube, now: () => now }),
    // What a relay would report that has loaded what is mounted.
    readReport: async () => {
      const document = readRelayDocument(await kube.get("Secret", "mail", "outbound-configuration"));
      return reportOf({ revision: document?.revision ?? "none" });
    },
    giveOrder: () => Promise.resolve(undefined),
    memory,
    installation,
    now: () => now,
  };
  return {
    kube,
    sources,
    memory,
    writes,
    run: async () => {
      await reconcileDomain(sources, domainKey);
      await reconcileRelay(sources, relayKey);
    },
    reasonOf: async (kind, type) => {
      const key = kind === "MailRelay" ? relayKey : domainKey;
      const object = await kube.get(kind, key.namespace, key.name);
      return object?.status?.conditions?.find((entry) => entry.type === type)?.reason;
    },
  };
}

test("a few reconciles make everything, and the next one writes nothing", async (context) => {
  const { kube, run, writes } = await open(context);
  for (let round = 0; round < 4; round += 1) await run();
  const names = (await kube.list("Secret")).map((secret) => secret.metadata.name).sort();
  assert.deepEqual(names, [
    "example-com-dkim-mbe1",
    "mailboat-ca",
    "mailboat-internal-ca",
    "outbound-certificate",
    "outbound-configuration",
    "outbound-domains-22",
    "outbound-peer",
  ]);
  assert.equal((await kube.list("StatefulSet")).length, 1);
  const settled = writes.length;
  await run();
  assert.deepEqual(writes.slice(settled), []);
});

test("a relay of another class is left alone entirely, and the domains that refer to it too", async (context) => {
  const { kube, sources, run, writes } = await open(context, { className: "other" });
  await run();
  assert.deepEqual([writes.length, await kube.list("Secret")], [0, []]);
  const both = { ...sources, installation: { ...installation, className: "other" } };
  await reconcileRelay(both, relayKey);
  await reconcileDomain(both, domainKey);
  assert.ok(writes.includes("status of MailRelay") && writes.includes("status of SenderDomain"));
  // On one machine there is no other operator.
  await kube.remove({ kind: "StatefulSet", namespace: "mail", name: "outbound" });
  // The authorities, what they sign, the pods.
  for (let look = 0; look < 2; look += 1) {
    await reconcileRelay({ ...sources, installation: { ...installation, className: undefined } }, relayKey);
  }
  assert.equal((await kube.list("StatefulSet")).length, 1);
});

test("whoever pauses a relay that holds a turn lets another have it", async (context) => {
  const { memory, run } = await open(context, { paused: true });
  assert.equal(
    await memory.turns.ask("mail/outbound", { now, isWhole: true, present: () => Promise.resolve(new Map()) }),
    true,
  );
  await run();
  assert.equal(memory.turns.has("mail/outbound"), false);
});

test("pods behind the newest configuration are marked, once a second at most", async (context) => {
  const { kube, run, memory } = await open(context);
  for (let round = 0; round < 4; round += 1) await run();
  kube.putPod({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "outbound-0",
      namespace: "mail",
      labels: { "mailboat.dev/relay": "outbound" },
      ownerReferences: bySet,
    },
    status: { podIP: "127.0.0.1", ready: true, ports: [], phase: "Running" },
  });
  // The report above shows no certificate: the pod has not loaded the one there is.
  await run();
  const pod = await kube.get("Pod", "mail", "outbound-0");
  assert.match(pod?.metadata.annotations?.[revisionAnnotation] ?? "", /^[0-9a-f]{64}\.[0-9a-f]{16}\+[0-9a-f]{16}$/);
  assert.equal(memory.annotatedAt("mail/outbound-0"), now);
});

test("a pod that has our label and is of no StatefulSet of ours is no pod of ours", async (context) => {
  const { kube, run, sources } = await open(context);
  for (let round = 0; round < 4; round += 1) await run();
  const asked: string[] = [];
  const readReport: RelaySources["readReport"] = (pod) => {
    asked.push(pod.metadata.name);
    return Promise.resolve(reportOf({ queued: 1_000_000 }));
  };
  const others = [{ ...bySet[0], name: "another" }];
  for (const [name, ownerReferences] of [
    ["outbound-0", bySet],
    ["bare", undefined],
    ["anothers", others],
    ["claimed", [{ ...bySet[0], kind: "ReplicaSet" }]],
  ] as const) {
    const labels = { [relayLabel]: "outbound", [servingLabel]: "true" };
    const metadata = { name, namespace: "mail", labels, ...(ownerReferences === undefined ? {} : { ownerReferences }) };
    const status = { podIP: "127.0.0.1", ready: true, ports: [], phase: "Running" };
    kube.putPod({ apiVersion: "v1", kind: "Pod", metadata, status });
  }
  await reconcileRelay({ ...sources, readReport }, relayKey);
  assert.deepEqual(asked, ["outbound-0"]);
  const relay = await kube.get("MailRelay", "mail", "outbound");
  assert.deepEqual(
    relay?.status?.pods?.map(({ name }) => name),
    ["outbound-0"],
  );
  assert.equal(relay.status.replicas, 1);
});

test("Secrets that may not be read in the domain's namespace are told there, and the relay does not mind", async (context) => {
  const { kube, run, reasonOf } = await open(context);
  kube.forbidden = "shop";
  await run();
  await run();
  assert.equal(await reasonOf("SenderDomain", "KeysReady"), "SecretsForbidden");
  assert.equal(await reasonOf("MailRelay", "ResolvedRefs"), "ResolvedRefs");
  kube.forbidden = undefined;
  await run();
  assert.notEqual(await reasonOf("SenderDomain", "KeysReady"), "SecretsForbidden");
});

test("Secrets that may not be read in the relay's namespace stop writes there and are told on both", async (context) => {
  const { kube, run, writes, reasonOf } = await open(context);
  kube.forbidden = "mail";
  await run();
  await run();
  assert.equal(await reasonOf("MailRelay", "ResolvedRefs"), "SecretsForbidden");
  assert.equal(await reasonOf("SenderDomain", "Accepted"), "SecretsForbidden");
  assert.deepEqual(
    writes.filter((write) => /outbound-|StatefulSet/.test(write)),
    [],
  );
});

test("Secrets of the operator's own that may not be read are told on each relay, and stop its writes", async (context) => {
  const { kube, run, writes, reasonOf } = await open(context);
  kube.forbidden = "mailboat-system";
  await run();
  await run();
  assert.equal(await reasonOf("MailRelay", "ResolvedRefs"), "SecretsForbidden");
  assert.deepEqual(
    writes.filter((write) => /outbound-(certificate|configuration)|StatefulSet/.test(write)),
    [],
  );
  kube.forbidden = undefined;
  for (let round = 0; round < 4; round += 1) await run();
  assert.equal(await reasonOf("MailRelay", "ResolvedRefs"), "ResolvedRefs");
});

test("a volume that may not grow is told in status and asked for again later, not each time", async (context) => {
  const { kube, run, reasonOf } = await open(context, { spool: { storage: { size: "20Gi" } } });
  kube.claims = [claim];
  await run();
  await run();
  await run();
  assert.equal(await reasonOf("MailRelay", "Accepted"), "StorageNotChanged");
  assert.deepEqual(kube.asked, ["spool-outbound-0 to 20Gi"]);
});

test("a template that the API server refuses is told in status, holds up nothing else, and heals", async (context) => {
  const { kube, run, reasonOf } = await open(context);
  kube.rejected = "StatefulSet";
  // The certificate first, the StatefulSet next, what came of it last.
  for (let round = 0; round < 3; round += 1) await run();
  assert.equal(await reasonOf("MailRelay", "Accepted"), "Invalid");
  assert.equal(await reasonOf("MailRelay", "Stalled"), "Invalid");
  assert.notEqual(await kube.get("Secret", "mail", "outbound-configuration"), undefined);
  kube.rejected = undefined;
  await run();
  await run();
  assert.equal(await reasonOf("MailRelay", "Accepted"), "Accepted");
});

let request = 0;

const words: readonly (readonly [what: string, fault: () => string, mostWrites: number])[] = [
  // The Secrets that the relay needs come first, and each is another status.
  ["names another request", () => `denied (request ${(request += 1)}-${request.toString(16)})`, 3],
  ["is another sentence", () => `denied for ${String.fromCharCode(97 + ((request += 1) % 26))}`, 30],
];

for (const [what, fault, mostWrites] of words) {
  test(`a refusal that ${what} each time is said at once, and looked at a second later at the earliest`, async (context) => {
    const { kube, sources, run, writes, reasonOf } = await open(context);
    for (let round = 0; round < 3; round += 1) await run();
    kube.fault = fault;
    kube.rejected = "StatefulSet";
    await kube.remove({ kind: "StatefulSet", namespace: "mail", name: "outbound" });
    const before = writes.length;
    const pauses = [await reconcileRelay(sources, relayKey)];
    assert.equal(await reasonOf("MailRelay", "Accepted"), "Invalid");
    for (let look = 1; look < 30; look += 1) pauses.push(await reconcileRelay(sources, relayKey));
    for (const pause of pauses) assert.ok(pause !== undefined && pause >= 1_000, `looks again after ${pause} ms`);
    const told = writes.slice(before).filter((write) => write === "status of MailRelay");
    assert.ok(told.length <= mostWrites, `${told.length} writes`);
    if (mostWrites >= 30) assert.deepEqual(pauses.slice(-2), [60_000, 60_000]);
  });

  test(`a refusal that ${what} each time is said of a domain at once, and looked at later`, async (context) => {
    const { kube, sources, run, writes, reasonOf } = await open(context);
    await reconcileRelay(sources, relayKey);
    kube.fault = fault;
    kube.rejected = "Secret";
    const pauses = [await reconcileDomain(sources, domainKey)];
    assert.equal(await reasonOf("SenderDomain", "KeysReady"), "SecretInvalid");
    const before = writes.length;
    for (let look = 1; look < 30; look += 1) pauses.push(await reconcileDomain(sources, domainKey));
    for (const pause of pauses) assert.ok(pause !== undefined && pause >= 1_000, `looks again after ${pause} ms`);
    const told = writes.slice(before).filter((write) => write === "status of SenderDomain");
    assert.ok(told.length <= mostWrites, `${told.length} writes`);
    kube.rejected = undefined;
    await reconcileDomain(sources, domainKey);
    await run();
    assert.equal(await reasonOf("SenderDomain", "KeysReady"), "KeysReady");
  });
}

const refusedSecrets: readonly (readonly [name: string, kind: "MailRelay" | "SenderDomain", type: string])[] = [
  ["example-com-dkim-mbe1", "SenderDomain", "KeysReady"],
  ["outbound-domains-22", "SenderDomain", "Accepted"],
  ["outbound-certificate", "MailRelay", "Accepted"],
  ["outbound-configuration", "MailRelay", "Accepted"],
  ["mailboat-ca", "MailRelay", "Accepted"],
];

for (const [name, kind, type] of refusedSecrets) {
  test(`a Secret ${name} that may not be written is told in ${type}, and it heals`, async (context) => {
    const { kube, run, reasonOf } = await open(context);
    kube.foreign = new Set([name]);
    for (let round = 0; round < 4; round += 1) await run();
    assert.match((await reasonOf(kind, type)) ?? "none", /^(?:Invalid|SecretInvalid)$/);
    assert.equal(await kube.get("Secret", name === "mailboat-ca" ? "mailboat-system" : "mail", name), undefined);
    kube.foreign = new Set();
    for (let round = 0; round < 4; round += 1) await run();
    assert.match((await reasonOf(kind, type)) ?? "none", /^(?:Accepted|KeysReady)$/);
  });
}

test("an authority that was brought back without our marks signs on, and its refusal says what to do", async (context) => {
  const { kube, run, reasonOf } = await open(context);
  for (let round = 0; round < 4; round += 1) await run();
  const own = { kind: "Secret", namespace: "mailboat-system", name: "mailboat-ca" } as const;
  const before = await kube.get(own.kind, own.namespace, own.name);
  assert.ok(before);
  const { "tls.crt": certificate, "tls.key": privateKey } = decodeData(before);
  assert.ok(certificate !== undefined && privateKey !== undefined);
  await kube.remove(own);
  await kube.apply({
    ...before,
    data: encodeData({ "tls.crt": certificate, "tls.key": privateKey, "ca.crt": certificate }),
  });
  await kube.remove({ kind: "Secret", namespace: "mail", name: "outbound-certificate" });
  await kube.remove({ kind: "StatefulSet", namespace: "mail", name: "outbound" });
  kube.foreign = new Set([own.name]);
  for (let round = 0; round < 4; round += 1) await run();
  const issued = await kube.get("Secret", "mail", "outbound-certificate");
  assert.ok(issued, "a relay gets its certificate");
  assert.equal(decodeData(issued)["ca.crt"], certificate);
  assert.equal((await kube.list("StatefulSet")).length, 1, "and starts");
  for (let round = 0; round < 2; round += 1) await run();
  assert.deepEqual(await kube.get("Secret", "mail", "outbound-certificate"), issued, "what serves stays");
  const relay = await kube.get("MailRelay", relayKey.namespace, relayKey.name);
  const accepted = relay?.status?.conditions?.find(({ type }) => type === "Accepted");
  assert.match(
    accepted?.message ?? "",
    /^spec\.tls\.selfSigned: Kubernetes refuses Secret mailboat-system\/mailboat-ca: /,
  );
  assert.match(
    accepted?.message ?? "",
    /kubectl label secret mailboat-ca --namespace mailboat-system app\.kubernetes\.io\/managed-by=mailboat-operator/,
  );
  kube.foreign = new Set();
  for (let round = 0; round < 4; round += 1) await run();
  assert.equal(await reasonOf("MailRelay", "Accepted"), "Accepted");
  const healed = await kube.get("Secret", "mail", "outbound-certificate");
  assert.ok(healed && "rsa.crt" in decodeData(healed));
});

test("a domain whose relay's pods load it before its status says that it waits looks again at once", async (context) => {
  const { kube, run, sources, reasonOf } = await open(context);
  for (let round = 0; round < 4; round += 1) await run();
  assert.equal(await reconcileDomain(sources, domainKey), 300_000);
  kube.meanwhile = async () => {
    const relay = await kube.get("MailRelay", "mail", "outbound");
    assert.ok(relay?.status !== undefined);
    const { revision = "" } = relay.status;
    const pods = [{ name: "outbound-0", ready: true, revision }];
    await kube.applyStatus("MailRelay", relay, { ...relay.status, pods });
  };
  assert.equal(await reconcileDomain(sources, domainKey), 0);
  assert.equal(await reasonOf("SenderDomain", "Programmed"), "NoReadyPods");
  assert.equal(await reconcileDomain(sources, domainKey), undefined);
  assert.equal(await reasonOf("SenderDomain", "Programmed"), "Programmed");
});

/** Two pods of which the second will go; what they report, and what they are told. */
async function openLeaving(context: TestContext) {
  const stage = await open(context, { replicas: 2 });
  const { kube, sources } = stage;
  for (let round = 0; round < 4; round += 1) await stage.run();
  const names = ["outbound-0", "outbound-1"];
  for (const [index, name] of names.entries()) {
    kube.putPod({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name,
        namespace: "mail",
        labels: { [relayLabel]: "outbound", [servingLabel]: "true" },
        ownerReferences: bySet,
      },
      status: {
        podIP: "127.0.0.1",
        ready: true,
        ports: [{ name: "admin", containerPort: 9000 + index }],
        phase: "Running",
      },
    });
  }
  const told: (readonly [number, readonly string[] | undefined])[] = [];
  const drains = new Map<string, boolean>();
  const giveOrder: RelaySources["giveOrder"] = ({ address, order }) => {
    told.push([address.port, order?.peers.map((peer) => `${peer.host}:${peer.port}`)]);
    drains.set(`outbound-${address.port - 9000}`, order !== undefined);
    return Promise.resolve(undefined);
  };
  const readReport: RelaySources["readReport"] = (pod) => {
    const isDraining = drains.get(pod.metadata.name) === true;
    return Promise.resolve(reportOf({ queued: 1, ...(isDraining ? { drain: { handedOver: 0 } } : {}) }));
  };
  const look = async (): Promise<void> => {
    await reconcileRelay({ ...sources, giveOrder, readReport }, relayKey);
  };
  const scaleTo = async (replicas: number): Promise<void> => {
    const given = kube.given.map(({ file, object }) =>
      object.kind === "MailRelay"
        ? { file, object: { ...object, spec: { ...object.spec, replicas } } }
        : { file, object },
    );
    await kube.setGiven(given);
  };
  return { ...stage, told, drains, look, scaleTo };
}

test("a pod is told to leave once, again after it forgot, and that it stays when it does", async (context) => {
  const { told, drains, look, scaleTo, kube } = await openLeaving(context);
  await look();
  assert.deepEqual(told, []);
  await scaleTo(1);
  for (let round = 0; round < 3; round += 1) await look();
  const first = [9001, ["outbound-0.outbound-pods.mail.svc:9000"]];
  assert.deepEqual(told, [first]);
  // A relay that was started anew knows of no order.
  drains.clear();
  for (let round = 0; round < 3; round += 1) await look();
  assert.deepEqual(told, [first, first]);
  const isServing = async (): Promise<boolean> =>
    (await kube.get("Pod", "mail", "outbound-1"))?.metadata.labels?.[servingLabel] === "true";
  assert.equal(await isServing(), false);
  await scaleTo(2);
  await look();
  assert.deepEqual(told, [first, first, [9001, undefined]]);
  // Clients come back to it once it has said that it takes mail again.
  assert.equal(await isServing(), false);
  for (let round = 0; round < 3; round += 1) await look();
  assert.equal(told.length, 3);
  assert.equal(await isServing(), true);
});
