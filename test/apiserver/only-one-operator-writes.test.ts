/** Two operators on one API server: only the one that holds a fresh lease writes, whatever happens to the other. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { drainFinalizer } from "../../api/labels.ts";
import type { RawObject } from "../../operator/kube/client/resource.ts";
import { resourceOf } from "../../operator/kube/cluster/resources.ts";
import { holderOf, leaseResource } from "../../operator/kube/leaserecord.ts";
import { FaultProxy, type SeenRequest } from "../support/controlplane/faultproxy.ts";
import { relayManifest } from "../support/controlplane/manifests.ts";
import type { OperatorProgram } from "../support/controlplane/operator.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { Program } from "../support/program.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { until } from "../support/until.ts";

const skip = lackingControlPlane();
const leaseMs = 15_000;
let stage: OperatorStage;

interface Pair {
  readonly namespace: string;
  readonly leader: OperatorProgram;
  readonly standby: OperatorProgram;
  /** All that each asks passes here. */
  readonly leaderProxy: FaultProxy;
  readonly standbyProxy: FaultProxy;
}

before(
  async () => {
    if (skip === false) stage = await OperatorStage.open(import.meta.url);
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

const isWrite = ({ method, path }: SeenRequest): boolean => method !== "GET" && !path.includes("/leases");
const writesOf = (proxy: FaultProxy): readonly string[] =>
  proxy.seen.filter(isWrite).map(({ method, path }) => `${method} ${path}`);

async function openPair(t: TestContext): Promise<Pair> {
  const [leaderProxy, standbyProxy] = [await FaultProxy.start(stage.plane), await FaultProxy.start(stage.plane)];
  const leader = stage.operator({ kubeconfig: stage.kubeconfigVia(leaderProxy), identity: "first" });
  await leader.leading();
  const standby = stage.operator({ kubeconfig: stage.kubeconfigVia(standbyProxy), identity: "second" });
  const namespace = stage.makeNamespace();
  const pair = { namespace, leader, standby, leaderProxy, standbyProxy };
  // Also when the test fails: who still leads would fail the next one.
  t.after(() => closePair(pair));
  await standby.program.waitForLog("caches are filled");
  stage.apply(relayManifest({ namespace, name: "outbound" }));
  await stage.until("StatefulSet", { namespace, name: "outbound" }, { what: "is there", fits: () => true });
  assert.equal((await standby.page("/readyz")).status, 200, "a standby is ready");
  assert.deepEqual(writesOf(standbyProxy), [], "a standby writes nothing");
  await until("the standby to follow the relay's Secrets", () =>
    standbyProxy.seen.some(({ isWatch, path }) => isWatch && path.includes(`/namespaces/${namespace}/secrets`)),
  );
  const contents = standbyProxy.seen.filter(({ path }) => /\/secrets\/[a-z]/.test(path));
  assert.deepEqual(contents, [], "a standby reads no Secret's content");
  return pair;
}

async function closePair({ leader, standby, leaderProxy, standbyProxy }: Pair): Promise<void> {
  await Promise.all([leader.kill(), standby.kill()]);
  await Promise.all([leaderProxy.close(), standbyProxy.close()]);
  await stage.client.delete(leaseResource, { namespace: stage.operatorNamespace, name: "mailboat-operator" }, {});
}

async function scale(namespace: string, replicas: number): Promise<void> {
  const place = { namespace, name: "outbound" };
  await stage.client.mergePatch(resourceOf("MailRelay"), place, {
    body: { spec: { replicas } },
    fieldManager: "kubectl",
  });
}

async function scaled(namespace: string, replicas: number, deadlineMs: number): Promise<void> {
  await stage.until(
    "StatefulSet",
    { namespace, name: "outbound" },
    {
      what: `${replicas} replicas`,
      fits: (set) => (set["spec"] as { readonly replicas: number }).replicas === replicas,
      deadlineMs,
    },
  );
}

test("a leader that is stopped hands over at once", { skip, timeout: 60_000 }, async (t) => {
  const pair = await openPair(t);
  const startedAt = performance.now();
  assert.equal(await pair.leader.stop(), 0);
  await pair.standby.leading();
  assert.ok(performance.now() - startedAt < leaseMs / 2, "the lease was given up, not waited for");
  await scale(pair.namespace, 2);
  await scaled(pair.namespace, 2, 2_000);
});

test(
  "a leader that is killed with kill -9 is followed when its lease has run out",
  { skip, timeout: 90_000 },
  async (t) => {
    const pair = await openPair(t);
    await pair.leader.kill();
    await scale(pair.namespace, 3);
    assert.deepEqual(writesOf(pair.standbyProxy), [], "the standby began before the lease had run out");
    // Its caches are filled: as soon as it leads it works.
    await scaled(pair.namespace, 3, leaseMs + 10_000);
  },
);

test("a leader that slept past its lease wakes up, writes nothing and ends", { skip, timeout: 90_000 }, async (t) => {
  const pair = await openPair(t);
  // A write that had begun when it fell asleep would be answered when it wakes.
  await stage.untilQuiet();
  pair.leader.program.child.kill("SIGSTOP");
  // It will find this when it wakes.
  await scale(pair.namespace, 4);
  await pair.standby.leading(leaseMs + 15_000);
  await scaled(pair.namespace, 4, 5_000);
  const asleep = writesOf(pair.leaderProxy).length;
  await scale(pair.namespace, 5);
  pair.leader.program.child.kill("SIGCONT");
  assert.equal(await pair.leader.program.exited, 1);
  await scaled(pair.namespace, 5, 5_000);
  assert.deepEqual(writesOf(pair.leaderProxy).slice(asleep), []);
});

test("a leader that cannot reach its lease ends before another may begin", { skip, timeout: 90_000 }, async (t) => {
  const pair = await openPair(t);
  pair.leaderProxy.rules.push({ matches: ({ path }) => path.includes("/leases"), fault: { kind: "silence" } });
  assert.equal(await pair.leader.program.exited, 1);
  const written = writesOf(pair.leaderProxy).length;
  const lease = await stage.client.get(leaseResource, {
    namespace: stage.operatorNamespace,
    name: "mailboat-operator",
  });
  assert.match(lease === undefined ? "" : holderOf(lease), /^first_/);
  assert.deepEqual(writesOf(pair.standbyProxy), []);
  await scale(pair.namespace, 6);
  await scaled(pair.namespace, 6, leaseMs + 10_000);
  assert.equal(writesOf(pair.leaderProxy).length, written);
  await until("the standby to lead", () => pair.standby.program.logs("leading").length === 1);
});

test(
  "no finalizer comes off while an operator leads, and whoever asked for it hears who",
  { skip, timeout: 60_000 },
  async () => {
    const leader = stage.operator({ identity: "first" });
    await leader.leading();
    const relay = { namespace: stage.makeNamespace(), name: "outbound" };
    stage.apply(relayManifest(relay));
    const isHeld = ({ metadata }: RawObject): boolean =>
      JSON.stringify(metadata["finalizers"] ?? []).includes(drainFinalizer);
    await stage.until("MailRelay", relay, { what: "a finalizer", fits: isHeld });
    const times = ["--lease-duration=5s", "--renew-deadline=2s", "--retry-period=1s"];
    const program = new Program({
      command: [
        process.execPath,
        join(repositoryRoot, "operator/main.ts"),
        "release",
        `--kubeconfig=${stage.operatorKubeconfig}`,
        `--namespace=${stage.operatorNamespace}`,
        ...times,
      ],
      logFile: join(makeResultsDirectory(import.meta.url, "release"), "release.log"),
    });
    assert.equal(await program.exited, 1);
    assert.match(program.lines.join("\n"), /"holder":"first_[0-9a-f]+".*an operator still leads/);
    assert.equal(isHeld(await stage.read("MailRelay", relay)), true);
    await leader.kill();
    await stage.client.delete(leaseResource, { namespace: stage.operatorNamespace, name: "mailboat-operator" }, {});
  },
);
