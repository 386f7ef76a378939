/**
 * What one test file leaves behind on the control plane that it shares with others is gone before the next one begins, whatever holds
 * it; a plane that cannot be as it was is not handed on.
 */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { drainFinalizer } from "../../api/labels.ts";
import { type Prepare, SharedPlane } from "../gate/sharedplane.ts";
import { relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { openAccess, type PlaneAccess, type PlaneFacts } from "../support/controlplane/planeaccess.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";

const skip = lackingControlPlane();
const said: string[] = [];
const shared = new SharedPlane("control-plane-test", (line) => said.push(line));
const directory = join(repositoryRoot, "test-results/control-plane-test");
let files = 0;

after(async () => {
  await shared.close();
  // Those that were replaced, for the sake of the test.
  for (const replaced of ["-1", "-2", "-of-nobody-1"])
    rmSync(`${directory}${replaced}`, { recursive: true, force: true });
});

/** As a test file has it. */
async function open(): Promise<PlaneAccess> {
  const [argument = ""] = await shared.hand();
  files += 1;
  const facts = JSON.parse(readFileSync(argument.replace("--control-plane=", ""), "utf8")) as PlaneFacts;
  return openAccess(facts, makeResultsDirectory(import.meta.url, `file-${files}`));
}

function namesOf(plane: PlaneAccess): readonly string[] {
  const kinds = "namespaces,clusterroles,clusterrolebindings,validatingwebhookconfigurations,storageclasses,crd";
  const everywhere = ["mailrelays,secrets,services,serviceaccounts,rolebindings,configmaps", "--all-namespaces"];
  const get = (...args: readonly string[]): string => plane.kubectl(["get", ...args, "-o", "name"]);
  return `${get(kinds)}${get(...everywhere)}`.trimEnd().split("\n").toSorted();
}

test("all that a file made is gone, held by a finalizer or not", { skip, timeout: 120_000 }, async () => {
  const first = await open();
  const before = namesOf(first);
  const namespace = first.makeNamespace();
  const relay = relayManifest({ namespace, name: "outbound" });
  const held = { ...relay, metadata: { ...relay.metadata, finalizers: [drainFinalizer] } };
  const secret = secretManifest({ namespace, name: "key", values: { a: "b" } });
  const items = [held, secret, { apiVersion: "v1", kind: "Namespace", metadata: { name: "mail" } }];
  first.kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  first.kubectl(["create", "clusterrole", "reader", "--verb=get", "--resource=pods"]);
  first.kubectl(["create", "configmap", "left", "--namespace=default"]);
  first.kubectl(["create", "service", "loadbalancer", "left", "--tcp=25", "--namespace", namespace]);
  first.kubectl(["delete", "mailrelay", "outbound", "--namespace", namespace, "--wait=false"]);
  assert.equal(namesOf(first).length, before.length + 7);
  await shared.takeBack(false);
  const second = await open();
  assert.equal(second.port, first.port);
  assert.deepEqual(namesOf(second), before);
  assert.deepEqual(
    second.audit().filter(({ namespace: place }) => place === namespace),
    [],
    "requests of the file before",
  );
  second.kubectl(["create", "namespace", "mail"]);
  await shared.takeBack(false);
  assert.deepEqual(said, []);
});

test("a plane whose definitions a file changed is replaced", { skip, timeout: 120_000 }, async () => {
  const first = await open();
  first.kubectl(["label", "crd", "mailrelays.mailboat.dev", "a=b"]);
  await shared.takeBack(false);
  assert.match(said.splice(0).join(), /is replaced: a file changed \S*mailrelays\.mailboat\.dev; logs are in /);
  const second = await open();
  assert.notEqual(second.port, first.port);
  await shared.takeBack(true);
  assert.match(said.splice(0).join(), /is replaced: a file failed on it/);
});

test("a plane that could not be made ready is stopped", { skip, timeout: 120_000 }, async () => {
  const places: string[] = [];
  const fails: Prepare = async ({ etcd, facts }) => {
    places.push(etcd, `https://127.0.0.1:${facts.port}`);
    return Promise.reject(new Error("no definitions"));
  };
  const unready = new SharedPlane("control-plane-test-of-nobody", (line) => said.push(line), fails);
  await assert.rejects(unready.hand(), /no definitions/);
  assert.equal(places.length, 2);
  for (const place of places) await assert.rejects(fetch(place), (error) => codeOf(error) === "ECONNREFUSED", place);
  await unready.close();
});

function codeOf(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}
