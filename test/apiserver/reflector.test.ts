/** The reflector against a real API server, and against everything that can go wrong on the way to it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Client } from "../../operator/kube/client/client.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import {
  configMaps,
  type Mirror,
  type MirrorSettings,
  openClient,
  startMirror,
  untilEqual,
} from "../support/controlplane/clients.ts";
import { type OwnControlPlane, startControlPlane } from "../support/controlplane/controlplane.ts";
import { assertStruck, FaultProxy, type SeenRequest } from "../support/controlplane/faultproxy.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const stops: (() => Promise<void>)[] = [];
let plane: OwnControlPlane;
/** Straight to the server, for what the test itself does. */
let direct: Client;

before(
  async () => {
    if (skip !== false) return;
    plane = await startControlPlane(makeResultsDirectory(import.meta.url, "plane"));
    direct = openClient(plane.kubeconfig);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  for (const stop of stops.toReversed()) await stop();
  if (skip === false) await plane.stop();
});

function configMap(namespace: string, name: string, value = "1"): RawObject {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: { value } };
}

async function write(namespace: string, name: string, value = "1"): Promise<void> {
  await direct.apply(configMaps, configMap(namespace, name, value), { fieldManager: "test" });
}

async function remove(namespace: string, name: string): Promise<void> {
  await direct.delete(configMaps, { namespace, name }, {});
}

interface Stage {
  readonly namespace: string;
  readonly proxy: FaultProxy;
  readonly mirror: Mirror;
}

/** A reflector over the ConfigMaps `a` to `e` of a fresh namespace, through a proxy. */
async function stage(times: MirrorSettings["times"] = {}): Promise<Stage> {
  const namespace = plane.makeNamespace();
  for (const name of ["a", "b", "c", "d", "e"]) await write(namespace, name);
  const proxy = await FaultProxy.start(plane);
  stops.push(() => proxy.close());
  const mirror = startMirror({ client: openClient(proxy.kubeconfig), query: { namespace }, times });
  stops.push(mirror.stop);
  await mirror.reflector.synced;
  await until("a watch", () => proxy.watches === 1);
  return { namespace, proxy, mirror };
}

/** Names of what was told as gone, in order. */
function deletions(mirror: Mirror): readonly string[] {
  return mirror.changes.flatMap(({ before: was, after: is }) =>
    was !== undefined && is === undefined ? [was.metadata.name] : [],
  );
}

/** No version of an object is ever told twice. */
function assertNothingTwice(mirror: Mirror): void {
  const told = mirror.changes.flatMap(({ after: is }) =>
    is === undefined ? [] : [`${is.metadata.name}@${is.metadata.resourceVersion}`],
  );
  assert.deepEqual(told, [...new Set(told)]);
}

const isList = (seen: SeenRequest): boolean => seen.method === "GET" && !seen.isWatch;
const isWatch = (seen: SeenRequest): boolean => seen.isWatch;
const listed = (mirror: Mirror): number => mirror.events.filter((event) => event.kind === "listed").length;
const statusBody = (code: number, reason: string): string =>
  JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message: `test: ${reason}` });

test("3,000 objects come in pages and the store equals the server", { skip }, async () => {
  const namespace = plane.makeNamespace();
  const names = Array.from({ length: 3000 }, (_, index) => `map-${index}`);
  const writeAll = async (): Promise<void> => {
    for (let name = names.pop(); name !== undefined; name = names.pop()) await write(namespace, name);
  };
  await Promise.all(Array.from({ length: 16 }, writeAll));
  const proxy = await FaultProxy.start(plane);
  stops.push(() => proxy.close());
  const mirror = startMirror({ client: openClient(proxy.kubeconfig), query: { namespace } });
  stops.push(mirror.stop);
  await untilEqual(mirror, direct, { namespace });
  assert.equal(mirror.store.size, 3000);
  assert.equal(proxy.seen.filter(isList).length, 6);
  const one = mirror.store.get(`${namespace}/map-7`);
  assert.ok(one !== undefined);
  assert.deepEqual(one["data"], { value: "1" });
  assert.equal(one.metadata["managedFields"], undefined);
});

test("a page whose continue token has expired begins the list anew", { skip }, async () => {
  const namespace = plane.makeNamespace();
  for (let index = 0; index < 501; index += 1) await write(namespace, `map-${index}`);
  const proxy = await FaultProxy.start(plane);
  stops.push(() => proxy.close());
  proxy.rules.push({
    matches: (seen) => seen.path.includes("continue="),
    fault: { kind: "answer", code: 410, body: statusBody(410, "Expired") },
    times: 1,
  });
  const mirror = startMirror({ client: openClient(proxy.kubeconfig), query: { namespace } });
  stops.push(mirror.stop);
  await untilEqual(mirror, direct, { namespace });
  assert.equal(mirror.store.size, 501);
  assertStruck(proxy.rules);
  assertNothingTwice(mirror);
});

test(
  "a watch that is cut resumes where it was: nothing missed, nothing told twice, no new list",
  { skip },
  async () => {
    const { namespace, proxy, mirror } = await stage();
    for (let round = 0; round < 5; round += 1) {
      await write(namespace, "a", `round ${round}`);
      assert.equal(proxy.cutWatches(), 1);
      await write(namespace, `new-${round}`);
      await remove(namespace, `new-${round}`);
      await until("another watch", () => proxy.watches === 1);
    }
    await remove(namespace, "b");
    await untilEqual(mirror, direct, { namespace });
    assertNothingTwice(mirror);
    assert.deepEqual(deletions(mirror), ["new-0", "new-1", "new-2", "new-3", "new-4", "b"]);
    assert.equal(listed(mirror), 1);
  },
);

test("a watch that falls silent with its connection open is found out and resumed", { skip }, async () => {
  const { namespace, proxy, mirror } = await stage({ silenceMs: 1_000 });
  assert.equal(proxy.muteWatches(), 1);
  await write(namespace, "f");
  await remove(namespace, "a");
  await untilEqual(mirror, direct, { namespace });
  assert.deepEqual(deletions(mirror), ["a"]);
  assert.equal(listed(mirror), 1);
  assertNothingTwice(mirror);
});

test("410 to a watch is answered by a new list, whose differences are told once", { skip }, async () => {
  const { namespace, proxy, mirror } = await stage();
  proxy.rules.push({
    matches: isWatch,
    fault: { kind: "answer", code: 410, body: statusBody(410, "Expired") },
    times: 3,
  });
  proxy.cutWatches();
  await remove(namespace, "a");
  await write(namespace, "b", "2");
  await untilEqual(mirror, direct, { namespace });
  await until("a watch", () => proxy.watches === 1);
  assert.deepEqual(deletions(mirror), ["a"]);
  assertNothingTwice(mirror);
  assert.equal(listed(mirror), 4);
});

test("an ERROR event of 410 inside a stream that began with 200 is answered by a new list", { skip }, async () => {
  const { namespace, proxy, mirror } = await stage();
  proxy.sayInWatches(JSON.stringify({ type: "ERROR", object: JSON.parse(statusBody(410, "Expired")) as unknown }));
  await until("a new list", () => listed(mirror) === 2);
  await remove(namespace, "c");
  await untilEqual(mirror, direct, { namespace });
  assert.deepEqual(deletions(mirror), ["c"]);
  assertNothingTwice(mirror);
});

test("a line that is no event makes the stream worthless: a new list", { skip }, async () => {
  const { namespace, proxy, mirror } = await stage();
  proxy.sayInWatches('{"type":"MODIFIED","object":{"half');
  await until("a new list", () => listed(mirror) === 2);
  await write(namespace, "g");
  await untilEqual(mirror, direct, { namespace });
  assertNothingTwice(mirror);
});

test("429 is waited out for as long as the server asks", { skip }, async () => {
  const { namespace, proxy, mirror } = await stage();
  proxy.rules.push({
    matches: isWatch,
    fault: { kind: "answer", code: 429, body: statusBody(429, "TooManyRequests"), headers: { "retry-after": "1" } },
    times: 1,
  });
  const before429 = performance.now();
  proxy.cutWatches();
  await remove(namespace, "d");
  await until("a deletion", () => deletions(mirror).length === 1);
  assert.ok(performance.now() - before429 >= 1_000);
  const asked = mirror.events.flatMap((event) => (event.kind === "failed" ? [event.error.kind] : []));
  assert.deepEqual(asked, ["Connection", "TooManyRequests"]);
});

test("500 and refused connections are tried again, later and later", { skip }, async () => {
  const { namespace, proxy, mirror } = await stage();
  const answer500 = { kind: "answer", code: 500, body: statusBody(500, "InternalError") } as const;
  proxy.rules.push({ matches: isWatch, fault: answer500, times: 3 });
  proxy.rules.push({ matches: isWatch, fault: { kind: "cut" }, times: 3 });
  proxy.cutWatches();
  await write(namespace, "h");
  await untilEqual(mirror, direct, { namespace });
  const delays = mirror.events.flatMap((event) => (event.kind === "failed" ? [event.retryInMs] : []));
  // The cut watch, three times 500, and the refused ones: a refusal on a kept-alive connection is tried once more at once.
  assert.deepEqual(delays.slice(0, 5), [38, 75, 150, 300, 375]);
  assert.equal(listed(mirror), 1);
});

test("first lists that fail are tried until one succeeds", { skip }, async () => {
  const namespace = plane.makeNamespace();
  await write(namespace, "a");
  const proxy = await FaultProxy.start(plane);
  stops.push(() => proxy.close());
  proxy.rules.push({ matches: isList, fault: { kind: "cut" }, times: 2 });
  proxy.rules.push({ matches: isList, fault: { kind: "answer", code: 503, body: "starting" }, times: 2 });
  const mirror = startMirror({ client: openClient(proxy.kubeconfig), query: { namespace } });
  stops.push(mirror.stop);
  assert.equal((await mirror.reflector.firstOutcome)?.kind, "Connection");
  await untilEqual(mirror, direct, { namespace });
  assert.equal(mirror.reflector.error, undefined);
});

test("only what the selector selects is there: an object that loses its label is told as gone", { skip }, async () => {
  const namespace = plane.makeNamespace();
  const labelled = (value: string): RawObject => {
    const { metadata, ...rest } = configMap(namespace, "x");
    return { ...rest, metadata: { ...metadata, labels: { colour: value } } };
  };
  await direct.apply(configMaps, labelled("red"), { fieldManager: "test" });
  await write(namespace, "y");
  const mirror = startMirror({ client: direct, query: { namespace, labelSelector: "colour=red" } });
  stops.push(mirror.stop);
  await mirror.reflector.synced;
  assert.equal(mirror.store.size, 1);
  await direct.apply(configMaps, labelled("blue"), { fieldManager: "test" });
  await until("an empty store", () => mirror.store.size === 0);
  await direct.apply(configMaps, labelled("red"), { fieldManager: "test" });
  await until("a full store", () => mirror.store.size === 1);
});

test("metadata alone travels when nothing else is wanted", { skip }, async () => {
  const namespace = plane.makeNamespace();
  await write(namespace, "a", "secret");
  const mirror = startMirror({ client: direct, query: { namespace, metadataOnly: true } });
  stops.push(mirror.stop);
  await mirror.reflector.synced;
  await write(namespace, "b", "secret");
  await until("both", () => mirror.store.size === 2);
  for (const object of mirror.store.values()) {
    assert.equal(object["data"], undefined);
    assert.equal(object.kind, "ConfigMap");
  }
});

test("an answer to a write is in the store at once, and the watch does not tell it again", { skip }, async () => {
  const { namespace, mirror } = await stage();
  const answer = await direct.apply(configMaps, configMap(namespace, "own"), { fieldManager: "test" });
  mirror.store.offer(answer);
  assert.notEqual(mirror.store.get(`${namespace}/own`), undefined);
  await remove(namespace, "own");
  await until("the deletion", () => mirror.store.get(`${namespace}/own`) === undefined);
  // The answer arrives late: what is gone stays gone.
  mirror.store.offer(answer);
  assert.equal(mirror.store.get(`${namespace}/own`), undefined);
  assertNothingTwice(mirror);
});

test("the API server is killed and started again: the store keeps its content and catches up", { skip }, async () => {
  const { namespace, mirror } = await stage();
  await plane.killServer();
  await until("an error", () => mirror.reflector.error !== undefined);
  assert.equal(mirror.store.size, 5);
  await plane.startServer();
  await remove(namespace, "e");
  await write(namespace, "i");
  await untilEqual(mirror, direct, { namespace });
  assert.deepEqual(deletions(mirror), ["e"]);
  assertNothingTwice(mirror);
});
