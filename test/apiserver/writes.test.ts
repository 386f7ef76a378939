/** Writes of the operator's client, and the lease that allows them, against a real API server that keeps an audit log. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../operator/kube/client/client.ts";
import { isFailure } from "../../operator/kube/client/failure.ts";
import { Election } from "../../operator/kube/lease.ts";
import type { LeaseTimes } from "../../operator/kube/leaserecord.ts";
import { configMaps, openClient } from "../support/controlplane/clients.ts";
import { type ControlPlane, openControlPlane } from "../support/controlplane/controlplane.ts";
import { FaultProxy } from "../support/controlplane/faultproxy.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const stops: (() => Promise<void>)[] = [];
let plane: ControlPlane;
let client: Client;

before(
  async () => {
    if (skip !== false) return;
    plane = await openControlPlane(makeResultsDirectory(import.meta.url, "plane"));
    client = openClient(plane.kubeconfig);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  for (const stop of stops.toReversed()) await stop();
  if (skip === false) await plane.stop();
});

const fieldManager = "mailboat";

function settingsMap(namespace: string, data: Readonly<Record<string, string>>) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: "settings" }, data };
}

function candidate(identity: string, namespace: string, options: { times: LeaseTimes; via?: Client }): Election {
  const election = new Election({
    client: options.via ?? client,
    namespace,
    name: "operator",
    identity,
    fieldManager,
    times: options.times,
    monotonic: () => performance.now(),
    wall: () => Date.now(),
    chance: () => 0.5,
    // A lease that cannot be reached is what the test is about.
    onError: () => {},
    onDeadConnection: () => {},
  });
  stops.push(() => election.release().catch(() => undefined));
  election.start();
  return election;
}

test("applying the same object again changes nothing, and fields of others stay", { skip }, async () => {
  const namespace = plane.makeNamespace();
  const first = await client.apply(configMaps, settingsMap(namespace, { ours: "1" }), { fieldManager });
  const again = await client.apply(configMaps, settingsMap(namespace, { ours: "1" }), { fieldManager });
  assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
  await client.apply(configMaps, settingsMap(namespace, { theirs: "2" }), { fieldManager: "somebody" });
  await client.mergePatch(configMaps, again.metadata, { body: { data: { ours: "edited" } }, fieldManager: "editor" });
  const repaired = await client.apply(configMaps, settingsMap(namespace, { ours: "1" }), { fieldManager });
  assert.deepEqual(repaired["data"], { ours: "1", theirs: "2" });
});

test("what the server refuses is an error of its kind", { skip }, async () => {
  const namespace = plane.makeNamespace();
  const { metadata } = await client.create(configMaps, settingsMap(namespace, {}), fieldManager);
  await assert.rejects(client.create(configMaps, settingsMap(namespace, {}), fieldManager), (error) =>
    isFailure(error, "AlreadyExists"),
  );
  const stale = client.delete(configMaps, metadata, { uid: "00000000-0000-0000-0000-000000000000" });
  await assert.rejects(stale, (error) => isFailure(error, "Conflict"));
  const broken = { ...settingsMap(namespace, {}), data: { "no key": "1" } };
  await assert.rejects(client.apply(configMaps, broken, { fieldManager }), (error) => isFailure(error, "Invalid"));
  await client.delete(configMaps, metadata, { uid: metadata.uid });
  await client.delete(configMaps, metadata, { uid: metadata.uid });
  assert.equal(await client.get(configMaps, metadata), undefined);
});

test("a leader that gives the lease up is followed at once", { skip }, async () => {
  const namespace = plane.makeNamespace();
  const times: LeaseTimes = { durationMs: 60_000, renewDeadlineMs: 40_000, retryMs: 30_000 };
  const first = candidate("first", namespace, { times });
  await first.elected;
  const second = candidate("second", namespace, { times });
  await until("the second to know the first", () => second.holder === "first");
  assert.equal(second.isFresh(), false);
  await first.release();
  assert.equal(first.isFresh(), false);
  // Far sooner than anything but the release could bring it about.
  const early = AbortSignal.timeout(20_000);
  await Promise.race([
    second.elected,
    new Promise((_, reject) => early.addEventListener("abort", () => reject(new Error("the release was not seen")))),
  ]);
  assert.equal(second.isFresh(), true);
});

test(
  "a leader that is cut off writes nothing once its lease is not fresh, and another takes over",
  { skip },
  async () => {
    const namespace = plane.makeNamespace();
    const times: LeaseTimes = { durationMs: 3_000, renewDeadlineMs: 1_500, retryMs: 200 };
    const proxy = await FaultProxy.start(plane);
    stops.push(() => proxy.close());
    const cutOff = candidate("cut-off", namespace, { times, via: openClient(proxy.kubeconfig) });
    await cutOff.elected;
    // Only the way to the lease breaks: the write itself could still arrive.
    const writer = client.with({ mayWrite: () => cutOff.isFresh() });
    await writer.apply(configMaps, settingsMap(namespace, { leader: "cut-off" }), { fieldManager });
    const heir = candidate("heir", namespace, { times });
    proxy.rules.push({ matches: ({ path }) => path.includes("/leases"), fault: { kind: "silence" } });
    assert.match(await cutOff.lost, /could not be renewed in time/);
    assert.equal(heir.isFresh(), false, "the heir began before the lease had run out");
    const late = writer.apply(configMaps, settingsMap(namespace, { leader: "too late" }), { fieldManager });
    await assert.rejects(late, (error) => isFailure(error, "Fenced"));
    await heir.elected;
    const writes = plane.audit().filter((entry) => entry.namespace === namespace && entry.resource === "configmaps");
    assert.deepEqual(
      writes.map(({ verb, code }) => `${verb} ${code}`),
      ["patch 201"],
    );
  },
);
