/** Objects that the operator owns come back as they were when somebody deletes or edits them; what others own stays theirs. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { dkimSelectorLabel } from "../../api/labels.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import type { Kind } from "../../operator/kube/objects.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";

const skip = lackingControlPlane();
let stage: OperatorStage;
let namespace: string;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    await stage.operator().leading();
    namespace = stage.makeNamespace();
    stage.apply(
      relayManifest({ namespace, name: "outbound" }),
      domainManifest({ namespace, name: "example-com" }),
      domainManifest({
        namespace,
        name: "managed",
        spec: { domain: "managed.example.com", dkim: { managed: { algorithms: ["Ed25519"] } } },
      }),
    );
    await stage.until("StatefulSet", { namespace, name: "outbound" }, { what: "is there", fits: () => true });
    await stage.untilCondition("SenderDomain", { namespace, name: "managed" }, { type: "KeysReady", status: "True" });
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const shard = shardSecretName("outbound", shardOf("example.com"));

const owned: readonly (readonly [Kind, string])[] = [
  ["StatefulSet", "outbound"],
  ["Service", "outbound"],
  ["Service", "outbound-pods"],
  ["ServiceAccount", "outbound"],
  ["PodDisruptionBudget", "outbound"],
  ["NetworkPolicy", "outbound"],
  ["Secret", "outbound-configuration"],
  ["Secret", "outbound-certificate"],
  ["Secret", "outbound-peer"],
  ["Secret", shard],
  ["Secret", "managed-dkim-mbe1"],
];

for (const [kind, name] of owned) {
  test(`a deleted ${kind} ${name.replace(/-\d\d$/, "-NN")} is made again`, { skip }, async () => {
    const first = await stage.read(kind, { namespace, name });
    await stage.client.delete(resourceOf(kind), { namespace, name }, {});
    const again = await stage.until(
      kind,
      { namespace, name },
      { what: "another one", fits: ({ metadata }) => metadata.uid !== first.metadata.uid, deadlineMs: 2_000 },
    );
    // The selector names its key: another key is never published under the name of the one before.
    const { [dkimSelectorLabel]: selector, ...labels } = again.metadata.labels ?? {};
    const { [dkimSelectorLabel]: formerly, ...wanted } = first.metadata.labels ?? {};
    assert.deepEqual(labels, wanted);
    assert.equal(selector === formerly, formerly === undefined);
    // What is made by chance is another one.
    const isMadeAnew = ["outbound-certificate", "outbound-peer", "managed-dkim-mbe1"].includes(name);
    if (kind === "Secret" && !isMadeAnew) {
      await stage.until(kind, { namespace, name }, { what: "the same content", fits: sameData(first) });
    }
  });
}

function sameData(first: RawObject): (object: RawObject) => boolean {
  return (object) => JSON.stringify(object["data"]) === JSON.stringify(first["data"]);
}

interface Edit {
  readonly kind: Kind;
  readonly name: string;
  readonly what: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The part that was edited. */
  readonly part: (object: RawObject) => unknown;
}

const spec = (object: RawObject): Readonly<Record<string, unknown>> => object["spec"] as Record<string, unknown>;

const edits: readonly Edit[] = [
  {
    kind: "StatefulSet",
    name: "outbound",
    what: "replicas",
    body: { spec: { replicas: 7 } },
    part: (object) => spec(object)["replicas"],
  },
  {
    kind: "Service",
    name: "outbound",
    what: "its selector",
    body: { spec: { selector: { app: "other" } } },
    part: (object) => spec(object)["selector"],
  },
  {
    kind: "PodDisruptionBudget",
    name: "outbound",
    what: "how many pods may go at a time",
    body: { spec: { maxUnavailable: "100%" } },
    part: (object) => spec(object)["maxUnavailable"],
  },
  {
    kind: "NetworkPolicy",
    name: "outbound",
    what: "who may come in",
    body: { spec: { ingress: [{}] } },
    part: (object) => spec(object)["ingress"],
  },
  {
    kind: "Secret",
    name: "outbound-configuration",
    what: "its content",
    body: { data: { "relay.json": Buffer.from("{}").toString("base64") } },
    part: (object) => object["data"],
  },
  {
    kind: "Secret",
    name: shard,
    what: "the document of a domain",
    body: { data: { "example.com.json": Buffer.from("{}").toString("base64") } },
    part: (object) => object["data"],
  },
  {
    kind: "Secret",
    name: shard,
    what: "a document that nobody asked for",
    body: { data: { "other.example.json": Buffer.from("{}").toString("base64") } },
    part: (object) => object["data"],
  },
  {
    kind: "ServiceAccount",
    name: "outbound",
    what: "the mounting of its token",
    body: { automountServiceAccountToken: true },
    part: (object) => object["automountServiceAccountToken"],
  },
];

for (const { kind, name, what, body, part } of edits) {
  test(`${what} of ${kind} ${name.replace(/-\d\d$/, "-NN")} goes back to what it was`, { skip }, async () => {
    const place = { namespace, name };
    const was = JSON.stringify(part(await stage.read(kind, place)));
    const edited = await stage.client.mergePatch(resourceOf(kind), place, { body, fieldManager: "kubectl-edit" });
    assert.notEqual(JSON.stringify(part(edited)), was);
    await stage.until(kind, place, {
      what: `${what} as it was`,
      fits: (object) => JSON.stringify(part(object)) === was,
      deadlineMs: 2_000,
    });
  });
}

test("fields that another field manager put beside ours stay", { skip }, async () => {
  const place = { namespace, name: "outbound" };
  // As `kubectl rollout restart` writes it: where it went, the pods that are not started anew yet would stay as they are.
  const restarted = { "kubectl.kubernetes.io/restartedAt": "2026-11-23T12:00:00Z" };
  const others = {
    StatefulSet: {
      metadata: { annotations: { "other.example/note": "kept" } },
      spec: { minReadySeconds: 5, template: { metadata: { annotations: restarted } } },
    },
    Service: { metadata: { labels: { team: "mail" } }, spec: { sessionAffinity: "ClientIP" } },
  } as const;
  for (const kind of ["StatefulSet", "Service"] as const) {
    const { apiVersion } = resourceOf(kind);
    const wanted = { ...others[kind], apiVersion, kind, metadata: { ...others[kind].metadata, ...place } };
    await stage.client.apply(resourceOf(kind), wanted, { fieldManager: "somebody" });
  }
  // A change of ours that writes both objects anew.
  const ports = [
    { name: "submission", port: 587 },
    { name: "submissions", port: 465, tlsMode: "Implicit" },
  ];
  stage.apply(relayManifest({ ...place, spec: { listeners: ports } }));
  await stage.until("Service", place, {
    what: "two ports",
    fits: (object) => (spec(object)["ports"] as readonly unknown[]).length === 2,
  });
  const statefulSet = await stage.until("StatefulSet", place, {
    what: "two listeners",
    fits: (object) => JSON.stringify(spec(object)["template"]).includes('"submissions"'),
  });
  const service = await stage.read("Service", place);
  assert.equal(statefulSet.metadata.annotations?.["other.example/note"], "kept");
  assert.equal(spec(statefulSet)["minReadySeconds"], 5);
  assert.ok(JSON.stringify(spec(statefulSet)["template"]).includes(JSON.stringify(restarted).slice(1, -1)));
  assert.equal(service.metadata.labels?.["team"], "mail");
  assert.equal(spec(service)["sessionAffinity"], "ClientIP");
});
