import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { configMapOf, domainOf, relayOf, secretOf } from "../test/support/operatorobjects.ts";
import { secretText } from "../operator/kube/secret.ts";
import { ownerOf } from "../operator/owned/owner.ts";
import { LocalKube, type StatusChange } from "./kube.ts";
import type { InForce } from "./manifests/manifests.ts";

const folders: string[] = [];
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

async function stateDirectory(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mailboat-kube-"));
  folders.push(folder);
  return folder;
}

async function open(directory: string, changes: StatusChange[] = []): Promise<LocalKube> {
  const kube = new LocalKube({
    stateDirectory: directory,
    now: () => Date.parse("2026-11-23T12:00:00Z"),
    onStatus: (change) => changes.push(change),
  });
  await kube.open();
  return kube;
}

function given(object: InForce["object"]): InForce {
  const { name, namespace } = object.metadata;
  const bare = { ...object, metadata: { name, namespace } };
  return { file: "a.yaml", object: bare };
}

test("what was given and cannot be read is an error: nothing begins anew in silence", async () => {
  const directory = await stateDirectory();
  await mkdir(join(directory, "given.json"));
  await assert.rejects(open(directory), { code: "EISDIR" });
});

test("a given object keeps its uid and creation time over restarts and counts generations of its spec", async () => {
  const directory = await stateDirectory();
  const first = await open(directory);
  await first.setGiven([given(domainOf())]);
  const before = (await first.get("SenderDomain", "mail", "example-com"))?.metadata;
  const second = await open(directory);
  await second.setGiven([given(domainOf())]);
  assert.deepEqual((await second.get("SenderDomain", "mail", "example-com"))?.metadata, before);
  await second.setGiven([given(domainOf({ spec: { localParts: ["billing"] } }))]);
  const changed = (await second.get("SenderDomain", "mail", "example-com"))?.metadata;
  assert.deepEqual([changed?.uid, changed?.generation], [before?.uid, 2]);
});

test("an object of another version keeps its uid, and so its keys, until its manifest fits again", async () => {
  const directory = await stateDirectory();
  const first = await open(directory);
  await first.setGiven([given(relayOf()), given(domainOf())]);
  const before = (await first.get("SenderDomain", "mail", "example-com"))?.metadata;
  const stored = await readFile(join(directory, "given.json"), "utf8");
  await writeFile(join(directory, "given.json"), stored.replace(`"localParts":`, `"ofTomorrow":7,"localParts":`));
  const second = await open(directory);
  assert.equal(await second.get("SenderDomain", "mail", "example-com"), undefined);
  assert.ok((await second.get("MailRelay", "mail", "outbound")) !== undefined);
  await second.setGiven([given(relayOf())]);
  const third = await open(directory);
  await third.setGiven([given(relayOf()), given(domainOf())]);
  const corrected = (await third.get("SenderDomain", "mail", "example-com"))?.metadata;
  assert.deepEqual(corrected, { ...before, generation: 2 });
});

test("what is made for an object goes with it, and the rest stays", async () => {
  const directory = await stateDirectory();
  const kube = await open(directory);
  await kube.setGiven([given(relayOf()), given(domainOf())]);
  const relay = await kube.get("MailRelay", "mail", "outbound");
  assert.ok(relay !== undefined);
  const owned = secretOf({ name: "owned", values: { a: "b" } });
  await kube.apply({ ...owned, metadata: { ...owned.metadata, ownerReferences: [ownerOf(relay)] } });
  await kube.apply(secretOf({ name: "free", values: { a: "b" } }));
  await kube.setGiven([given(domainOf())]);
  assert.deepEqual(await readdir(join(directory, "secrets")), ["mail.free.json"]);
  assert.equal(await kube.get("Secret", "mail", "owned"), undefined);
  assert.equal((await kube.list("SenderDomain")).length, 1);
});

test("applying what is there already is no write and no change", async () => {
  const kube = await open(await stateDirectory());
  const heard: string[] = [];
  kube.onChange((changed) => heard.push(changed.name));
  const secret = secretOf({ name: "one", values: { a: "b" } });
  await kube.apply(secret);
  await kube.apply(secret);
  await kube.mergeSecret(secret, { a: "b" });
  assert.deepEqual(heard, ["one"]);
  await kube.mergeSecret(secret, { a: undefined, c: "d" });
  assert.deepEqual((await kube.get("Secret", "mail", "one"))?.data, { c: Buffer.from("d").toString("base64") });
});

test("a ConfigMap of the folder is there, also after a restart, and its changes are heard", async () => {
  const directory = await stateDirectory();
  const kube = await open(directory);
  const heard: string[] = [];
  kube.onChange((changed) => heard.push(`${changed.kind} ${changed.name}`));
  const bundle = (pem: string) => given(configMapOf({ name: "bundle", values: { "ca.crt": pem } }));
  for (const pem of ["one", "one", "two"]) await kube.setGiven([bundle(pem)]);
  assert.deepEqual(heard, ["ConfigMap bundle", "ConfigMap bundle"]);
  const again = await open(directory);
  assert.equal(secretText(await again.get("ConfigMap", "mail", "bundle"), "ca.crt"), "two");
  await again.setGiven([]);
  assert.equal(await again.get("ConfigMap", "mail", "bundle"), undefined);
});

test("secrets are readable by their owner alone", async () => {
  const directory = await stateDirectory();
  const kube = await open(directory);
  await kube.apply(secretOf({ name: "one", values: { a: "b" } }));
  assert.equal((await stat(join(directory, "secrets", "mail.one.json"))).mode & 0o777, 0o600);
});

test("a status is written as a file, said once, and there again after a restart", async () => {
  const directory = await stateDirectory();
  const changes: StatusChange[] = [];
  const kube = await open(directory, changes);
  await kube.setGiven([given(domainOf())]);
  const domain = await kube.get("SenderDomain", "mail", "example-com");
  assert.ok(domain !== undefined);
  await kube.applyStatus("SenderDomain", domain, { observedGeneration: 1 });
  await kube.applyStatus("SenderDomain", domain, { observedGeneration: 1 });
  assert.equal(changes.length, 1);
  const text = await readFile(join(directory, "status", "senderdomain", "mail.example-com.yaml"), "utf8");
  assert.match(text, /observedGeneration: 1/);
  const again = await open(directory);
  assert.equal((await again.get("SenderDomain", "mail", "example-com"))?.status?.observedGeneration, 1);
});
