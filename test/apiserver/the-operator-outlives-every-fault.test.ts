/**
 * A proxy between the operator and a real API server misbehaves in every way a server, a load balancer or a network can, and the
 * server itself is killed: each time a change that was made meanwhile is carried out afterwards, by the same process.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { decodeData } from "../../operator/kube/secret.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { secretView } from "../../operator/kube/cluster/views.ts";
import { shardOf, shardSecretName } from "../../operator/binding/shards.ts";
import type { OwnControlPlane } from "../support/controlplane/controlplane.ts";
import { FaultProxy, type SeenRequest } from "../support/controlplane/faultproxy.ts";
import { domainManifest, relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { Passage } from "../support/controlplane/passage.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
let stage: OperatorStage<OwnControlPlane>;
let proxy: FaultProxy;
let passage: Passage;
let operator: OperatorProgram;
let namespace: string;
let edits = 0;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.openOwn(import.meta.url);
    proxy = await FaultProxy.start(stage.plane);
    passage = await Passage.to(stage.plane.port);
    operator = stage.operator({ kubeconfig: stage.kubeconfigVia(proxy), env: { WATCH_SILENCE_MS: "3000" } });
    await operator.leading();
    namespace = stage.makeNamespace();
    stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ namespace, name: "example-com" }));
    await carriedOut("*", 10_000);
  },
  { timeout: 1_800_000 },
);

afterEach(async () => {
  if (skip === false) await endFaults();
});

after(async () => {
  if (skip !== false) return;
  await Promise.all([proxy.close(), passage.close()]);
  await stage.close();
});

/** Once each has been met: what was shown without it was not shown. An answer to a write may bring news before any read. */
async function endFaults(): Promise<void> {
  for (const rule of proxy.rules) await until("a request that meets the fault", () => rule.struck !== undefined);
  proxy.rules.splice(0);
}

/** Asks for something new; not by way of the proxy. */
async function edit(): Promise<string> {
  edits += 1;
  const address = `edit-${edits}`;
  await stage.client.mergePatch(
    resourceOf("SenderDomain"),
    { namespace, name: "example-com" },
    { body: { spec: { localParts: [address] } }, fieldManager: "kubectl" },
  );
  return address;
}

/** Waits until the pods' Secret holds it. */
async function carriedOut(address: string, deadlineMs: number): Promise<void> {
  const name = shardSecretName("outbound", shardOf("example.com"));
  await stage.until(
    "Secret",
    { namespace, name },
    {
      what: `the address ${address}`,
      fits: (raw) => Object.values(decodeData(secretView(raw))).some((text) => text.includes(`"${address}"`)),
      deadlineMs,
    },
  );
}

/** Of the Secret that the change belongs in: other writes must not use a fault up. */
const isWrite = ({ method, path }: SeenRequest): boolean =>
  method !== "GET" && path.includes("/secrets/outbound-domains-");
const isLease = ({ path }: SeenRequest): boolean => path.includes("/leases");
const gone = JSON.stringify({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  reason: "Expired",
  message: "too old resource version",
  code: 410,
});

function status(code: number, reason: string): string {
  return JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", reason, message: reason, code });
}

test("watches that are cut, again and again", { skip }, async () => {
  for (let times = 0; times < 5; times += 1) {
    await until("a watch to cut", () => proxy.cutWatches() > 0);
    await carriedOut(await edit(), 10_000);
  }
});

test("watches that fall silent with their sockets open", { skip }, async () => {
  await until("watches", () => proxy.watches > 5);
  proxy.muteWatches();
  await carriedOut(await edit(), 20_000);
});

test("a storm of 410: the server forgets everything, and says so in every way it can", { skip }, async () => {
  const lists = (): number => proxy.seen.filter((seen) => !seen.isWatch && seen.path.includes("senderdomains")).length;
  const listed = lists();
  proxy.rules.push({
    matches: (seen) => seen.isWatch && !isLease(seen),
    fault: { kind: "answer", code: 410, body: gone },
  });
  proxy.sayInWatches(JSON.stringify({ type: "ERROR", object: JSON.parse(gone) as unknown }));
  const address = await edit();
  // Lists alone show it what has changed.
  await carriedOut(address, 20_000);
  assert.ok(lists() - listed < 30, `${lists() - listed} lists of one kind: the storm was answered with a storm`);
  await endFaults();
  await until("watches again", () => proxy.watches > 5, 20_000);
  await carriedOut(await edit(), 10_000);
});

test("429 with Retry-After, on everything but the lease", { skip }, async () => {
  const answer = {
    kind: "answer",
    code: 429,
    body: status(429, "TooManyRequests"),
    headers: { "retry-after": "1" },
  } as const;
  proxy.rules.push({ matches: (seen) => !isLease(seen), fault: answer, times: 20 });
  proxy.cutWatches();
  const asked = proxy.seen.length;
  const startedAt = performance.now();
  await carriedOut(await edit(), 30_000);
  // A server that asks for a second is left alone for a second.
  const perSecond = (proxy.seen.length - asked) / ((performance.now() - startedAt) / 1000);
  assert.ok(perSecond < 60, `${perSecond} requests a second`);
});

test("500 on every third kind of request, writes first", { skip }, async () => {
  proxy.rules.push({
    matches: isWrite,
    fault: { kind: "answer", code: 500, body: status(500, "InternalError") },
    times: 3,
  });
  await carriedOut(await edit(), 20_000);
  const isRead = (seen: SeenRequest): boolean => seen.method === "GET" && !isLease(seen);
  proxy.rules.push({ matches: isRead, fault: { kind: "answer", code: 503, body: "upstream is away" }, times: 10 });
  proxy.cutWatches();
  await carriedOut(await edit(), 20_000);
});

test("writes whose answers never come", { skip }, async () => {
  proxy.rules.push({ matches: isWrite, fault: { kind: "silence" }, times: 1 });
  await carriedOut(await edit(), 30_000);
});

test("connections that break inside a write", { skip }, async () => {
  proxy.rules.push({ matches: isWrite, fault: { kind: "cut" }, times: 3 });
  await carriedOut(await edit(), 20_000);
});

test("the API server is killed and comes back", { skip, timeout: 120_000 }, async () => {
  await stage.plane.killServer();
  await stage.plane.startServer();
  const address = await edit();
  // Longer away than a lease may be late, and the kubelet would start the next one.
  const hasEnded = await Promise.race([
    carriedOut(address, 30_000).then(() => false),
    operator.program.exited.then(() => true),
  ]);
  const next = hasEnded ? stage.operator({ kubeconfig: stage.kubeconfigVia(proxy) }) : operator;
  await carriedOut(address, 60_000);
  assert.equal(await next.stop(), 0);
});

test(
  "connections that are dead with their sockets open: no minute's silence, and the lease stays",
  { skip },
  async () => {
    const patient = stage.operator({ kubeconfig: stage.kubeconfigVia(passage) });
    await patient.leading();
    await carriedOut(await edit(), 10_000);
    const dead = passage.deaden();
    assert.ok(dead > 5, `${dead} connections`);
    // A bookmark would be missed only after a minute and a half.
    await carriedOut(await edit(), 20_000);
    assert.deepEqual(patient.program.logs("the lease is lost"), []);
    assert.equal(await patient.stop(), 0);
  },
);

test("none of it was an error that nobody expected", { skip }, () => {
  assert.deepEqual(operator.program.logs("a cache has ended"), []);
});
