/**
 * Secrets are followed where a resource of ours needs one and for as long as it does; what RBAC refuses is asked for in a
 * measured way, and at once when somebody is at work there.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { relayLabel, shardLabel } from "../../api/labels.ts";
import { indexes } from "../../operator/run/indexes.ts";
import type { ReflectorEvent, ReflectorTimes } from "../../operator/kube/cache/reflector.ts";
import type { RequestObserver } from "../../operator/kube/client/client.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import type { ClusterChange } from "../../operator/kube/cluster/news.ts";
import { ClusterReads } from "../../operator/kube/cluster/reads.ts";
import { ForbiddenError } from "../../operator/kube/kube.ts";
import { createLog } from "../../runtime/log.ts";
import { openClient, quickTimes, secrets } from "../support/controlplane/clients.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const timeout = 90_000;
let stage: OperatorStage;
const endings: (() => void)[] = [];

before(
  async () => {
    if (skip === false) stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

afterEach(() => {
  for (const end of endings.splice(0)) end();
});

after(async () => {
  if (skip === false) await stage.close();
});

interface Opened {
  readonly reads: ClusterReads;
  readonly changes: ClusterChange[];
  /** What reflectors of Secrets told. */
  readonly events: ReflectorEvent[];
  /** `verb resource` of each request that was answered. */
  readonly asked: string[];
}

/** With the operator's rights. */
async function openReads(times: Partial<ReflectorTimes> = {}): Promise<Opened> {
  const stopping = new AbortController();
  endings.push(() => stopping.abort());
  const events: ReflectorEvent[] = [];
  const changes: ClusterChange[] = [];
  const asked: string[] = [];
  const observe: RequestObserver = ({ verb, resource }) => asked.push(`${verb} ${resource}`);
  const reads = new ClusterReads({
    edge: {
      client: openClient(stage.operatorKubeconfig, { stopping: stopping.signal, observe }),
      times: { ...quickTimes, ...times },
      chance: () => 0.5,
      now: () => performance.now(),
      stopping: stopping.signal,
      observe: (resource, event) => {
        if (resource === "secrets") events.push(event);
      },
      onError: (error) => assert.fail(String(error)),
    },
    namespaces: [],
    operatorNamespace: stage.operatorNamespace,
    log: createLog({ level: "silent", program: "test" }),
    indexes,
    onSight: () => {},
  });
  reads.onChange((change) => changes.push(change));
  await reads.open();
  return { reads, changes, events, asked };
}

const followed = (reads: ClusterReads): number | undefined => reads.sizes()["Secret"];

function keyed(namespace: string): readonly [object, object] {
  const spec = { dkim: { keys: [{ selector: "s1", secretRef: { name: "key" } }] } };
  return [
    domainManifest({ namespace, name: "example-com", spec }),
    secretManifest({ namespace, name: "key", values: { privateKey: "any" } }),
  ];
}

test("a namespace is followed no longer than a resource in it, and anew with the next", { skip, timeout }, async () => {
  const { reads } = await openReads();
  const [shop, mail] = [stage.makeNamespace(), stage.makeNamespace()];
  stage.apply(...keyed(shop), relayManifest({ namespace: mail, name: "outbound" }));
  await until("the domain", () => reads.get("SenderDomain", shop, "example-com"));
  assert.ok((await reads.secrets.get(shop, "key")) !== undefined);
  assert.equal(followed(reads), 1);
  const domain = { namespace: shop, name: "example-com" };
  await stage.client.delete(resourceOf("SenderDomain"), domain, {});
  await until("the end of the watch", () => followed(reads) === 0);
  stage.apply(secretManifest({ namespace: shop, name: "second", values: { privateKey: "any" } }));
  stage.apply(...keyed(shop));
  await until("the domain", () => reads.get("SenderDomain", shop, "example-com"));
  assert.ok((await reads.secrets.get(shop, "key")) !== undefined);
  assert.equal(followed(reads), 2);
});

test("a single Secret is followed no longer than a resource names it", { skip, timeout }, async () => {
  const { reads } = await openReads();
  const shop = stage.makeNamespace({ givesSecrets: false });
  stage.giveSingle(shop, "key");
  stage.apply(...keyed(shop));
  await until("the domain", () => reads.get("SenderDomain", shop, "example-com"));
  await until("the right", () => reads.secrets.get(shop, "key").catch(() => undefined));
  assert.equal(followed(reads), 1);
  stage.apply(domainManifest({ namespace: shop, name: "example-com", spec: { dkim: undefined } }));
  await until("the end of the watch", () => followed(reads) === 0);
});

test("the right to a single Secret that goes is news of that Secret", { skip, timeout }, async () => {
  const { reads, changes } = await openReads({ watchSeconds: { min: 1, max: 1 } });
  const shop = stage.makeNamespace({ givesSecrets: false });
  stage.giveSingle(shop, "key");
  stage.apply(...keyed(shop));
  await until("the right", () => reads.secrets.get(shop, "key").catch(() => undefined));
  stage.plane.kubectl(["delete", "rolebinding", "secrets-key", "--namespace", shop]);
  await until("news", () =>
    changes.find(
      (change) =>
        change.what === "object" && change.kind === "Secret" && change.name === "key" && change.after === undefined,
    ),
  );
  await assert.rejects(reads.secrets.get(shop, "key"), ForbiddenError);
});

test(
  "a document that is taken from a shard is news for whoever holds its domain by then",
  { skip, timeout },
  async () => {
    const { reads, changes } = await openReads();
    const place = { namespace: stage.makeNamespace(), name: "outbound-domains-00" };
    const labels = { [relayLabel]: "outbound", [shardLabel]: "00" };
    stage.apply(secretManifest({ ...place, labels, values: { "a.example.json": "a", "b.example.json": "b" } }));
    const known = await reads.secrets.documents(place.namespace, place.name);
    assert.equal(known.size, 2);
    const write = async (data: Readonly<Record<string, string | null>>): Promise<void> => {
      const answer = await stage.client.mergePatch(secrets, place, {
        body: { data },
        fieldManager: "mailboat-operator",
      });
      reads.offer("Secret", answer, Object.keys(data));
    };
    await write({ "b.example.json": "Yg==" });
    await write({ "a.example.json": null });
    const spoilt = changes.flatMap((change) => (change.what === "spoilt" ? change.dataKeys : []));
    assert.deepEqual(spoilt, ["a.example.json"]);
  },
);

test("news of a write of ours that is here before its answer costs no read", { skip, timeout }, async () => {
  const { reads, changes, asked } = await openReads();
  const place = { namespace: stage.makeNamespace(), name: "key" };
  stage.apply(...keyed(place.namespace));
  await until("the domain", () => reads.get("SenderDomain", place.namespace, "example-com"));
  assert.ok((await reads.secrets.get(place.namespace, place.name)) !== undefined);
  const [from, seen] = [asked.length, changes.length];
  const answered = Promise.withResolvers<void>();
  const written = reads.secrets.writing(place, async () => {
    const body = { data: { privateKey: "bmV3" } };
    const answer = await stage.client.mergePatch(secrets, place, { body, fieldManager: "mailboat-operator" });
    await answered.promise;
    reads.offer("Secret", answer);
  });
  const isNews = (change: ClusterChange): boolean =>
    change.what === "object" && change.kind === "Secret" && change.name === place.name;
  await until("news of the write", () => changes.slice(seen).find(isNews));
  const read = reads.secrets.get(place.namespace, place.name);
  // Whoever asked the server all the same would have its answer by then.
  await stage.read("Secret", place);
  answered.resolve();
  assert.deepEqual((await read)?.data, { privateKey: "bmV3" });
  await written;
  assert.deepEqual(
    asked.slice(from).filter((one) => one === "get secrets"),
    [],
  );
});

test("of many namespaces that give no right, each is asked for ever less often", { skip, timeout }, async () => {
  const { reads, events } = await openReads();
  // Nobody is told whether they exist.
  const names = Array.from({ length: 40 }, (_, index) => `hidden-${index}`);
  await Promise.all(names.map((name) => assert.rejects(reads.secrets.get(name, "key"), ForbiddenError)));
  const longest = (): number => Math.max(...events.map((event) => (event.kind === "failed" ? event.retryInMs : 0)));
  await until("a long pause", () => longest() > 2 * quickTimes.backoff.maxMs);
});

test("a right that is given takes effect at once where somebody touches a resource", { skip, timeout }, async () => {
  await stage.operator().leading();
  const shop = stage.makeNamespace({ givesSecrets: false });
  const refusals = (): number =>
    stage.plane
      .audit()
      .filter(
        ({ namespace, resource, verb, code }) =>
          namespace === shop && resource === "secrets" && verb === "list" && code === 403,
      ).length;
  stage.apply(relayManifest({ namespace: shop, name: "outbound" }));
  const relay = { namespace: shop, name: "outbound" };
  await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: "SecretsForbidden" });
  // By then the pause between two of them is five seconds or more.
  await until("the sixth refusal", () => refusals() >= 6, 60_000);
  stage.giveSecrets(shop);
  // The server's own view of rights is a little behind.
  await until("the right", () => stage.may("list", "secrets", shop));
  await pause(200);
  stage.plane.kubectl(["annotate", "mr", "outbound", "--namespace", shop, "example.com/look=again"]);
  await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", status: "True", withinMs: 2_500 });
});
