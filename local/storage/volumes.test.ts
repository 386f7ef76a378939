import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { emptySpoolAnnotation, queuedAnnotation } from "../../api/labels.ts";
import { relayOf } from "../../test/support/operatorobjects.ts";
import { renderStatefulSet } from "../../operator/mailrelay/objects/statefulset.ts";
import { LocalKube } from "../kube.ts";

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function stateDirectory(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mailboat-volumes-"));
  folders.push(folder);
  return folder;
}

async function open(directory: string): Promise<LocalKube> {
  const kube = new LocalKube({ stateDirectory: directory, now: () => 0, onStatus: () => undefined });
  await kube.open();
  return kube;
}

async function makeSpool(directory: string, pod: string): Promise<string> {
  const spool = join(directory, "pods", pod, "spool");
  await mkdir(spool, { recursive: true });
  await writeFile(join(spool, "spool.db"), "mail");
  return spool;
}

const place = { namespace: "mail", relay: "outbound", ordinal: 1 };
const reference = { kind: "PersistentVolumeClaim", namespace: "mail", name: "spool-outbound-1" } as const;

async function nameClaims(kube: LocalKube): Promise<readonly string[]> {
  const labels = { "mailboat.dev/relay": "outbound" };
  return (await kube.list("PersistentVolumeClaim", { namespace: "mail", labels })).map(({ metadata }) => metadata.name);
}

test("a claim and what was written on it are there again after a restart", async () => {
  const directory = await stateDirectory();
  const first = await open(directory);
  await first.ensureClaim(place);
  await first.mark(reference, { annotations: { [queuedAnnotation]: "7" } });
  await first.ensureClaim(place);
  const second = await open(directory);
  assert.deepEqual(await nameClaims(second), ["spool-outbound-1"]);
  const claim = await second.get("PersistentVolumeClaim", "mail", "spool-outbound-1");
  assert.deepEqual(claim?.metadata.annotations, { [queuedAnnotation]: "7" });
  await second.mark(reference, { annotations: { [queuedAnnotation]: undefined } });
  const third = await open(directory);
  assert.deepEqual((await third.get("PersistentVolumeClaim", "mail", "spool-outbound-1"))?.metadata.annotations, {});
});

test("a claim that is removed takes its volume along, and no other", async () => {
  const directory = await stateDirectory();
  const kube = await open(directory);
  const [gone, kept] = [await makeSpool(directory, "mail.outbound-1"), await makeSpool(directory, "mail.outbound-0")];
  await kube.ensureClaim(place);
  await kube.remove(reference);
  assert.deepEqual([existsSync(gone), existsSync(kept)], [false, true]);
  assert.deepEqual(await nameClaims(await open(directory)), ["spool-outbound-0"]);
});

test("a spool that is older than claims has one, and nothing else in the folder of pods", async () => {
  const directory = await stateDirectory();
  await makeSpool(directory, "mail.outbound-3");
  await makeSpool(directory, "mail.relay.two-0");
  await makeSpool(directory, "stranger");
  await mkdir(join(directory, "pods/mail.outbound-4"));
  const kube = await open(directory);
  assert.deepEqual(await nameClaims(kube), ["spool-outbound-3"]);
  assert.ok((await kube.get("PersistentVolumeClaim", "mail", "spool-relay.two-0")) !== undefined);
  assert.equal((await kube.list("PersistentVolumeClaim")).length, 2);
});

test("a claim says of its size what the manifest says", async () => {
  const kube = await open(await stateDirectory());
  await kube.ensureClaim(place);
  const { metadata, ...relay } = relayOf({ spool: { storage: { size: "7Gi" } } });
  const { name, namespace } = metadata;
  await kube.setGiven([{ file: "a.yaml", object: { ...relay, metadata: { name, namespace } } }]);
  const claim = await kube.get("PersistentVolumeClaim", "mail", "spool-outbound-1");
  assert.equal(claim?.spec.resources.requests.storage, "7Gi");
});

test("pods that an earlier run had not emptied come again, unless the relay sleeps", async () => {
  const directory = await stateDirectory();
  const first = await open(directory);
  for (const ordinal of [0, 1, 2, 3]) await first.ensureClaim({ ...place, ordinal });
  const last = { ...reference, name: "spool-outbound-3" };
  await first.mark(last, { annotations: { [emptySpoolAnnotation]: "a" } });
  const replicasAfter = async (replicas: number): Promise<number | undefined> => {
    const kube = await open(directory);
    await kube.apply(renderStatefulSet({ relay: relayOf(), image: "i", replicas, present: undefined }));
    return (await kube.get("StatefulSet", "mail", "outbound"))?.spec.replicas;
  };
  assert.deepEqual([await replicasAfter(1), await replicasAfter(5), await replicasAfter(0)], [3, 5, 0]);
});
