/** What a new leader does whose cache does not know of what the leader before it made. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LocalKube } from "../../../local/kube.ts";
import { domainOf, now, place, relayOf } from "../../../test/support/operatorobjects.ts";
import type { ListOptions } from "../../kube/kube.ts";
import type { Kind, KindMap, Secret } from "../../kube/objects.ts";
import { reconcileDomain } from "../../senderdomain/reconcile.ts";
import { createCredentialSource } from "../login/credentials.ts";
import { openInternalAuthority } from "../peer/issuing.ts";
import { RelayMemory } from "../scale/memory.ts";
import { openClientAuthority } from "./issuing.ts";

class LaggingKube extends LocalKube {
  /** Secrets are not seen until a write of one has failed. */
  isBehind = false;

  override async get<K extends Kind>(kind: K, namespace: string, name: string): Promise<KindMap[K] | undefined> {
    return kind === "Secret" && this.isBehind ? undefined : super.get(kind, namespace, name);
  }

  override async list<K extends Kind>(kind: K, options: ListOptions = {}): Promise<readonly KindMap[K][]> {
    return kind === "Secret" && this.isBehind ? [] : super.list(kind, options);
  }

  override async createSecret(secret: Secret): Promise<boolean> {
    const isMade = await super.createSecret(secret);
    if (!isMade) this.isBehind = false;
    return isMade;
  }
}

async function open(t: TestContext): Promise<LaggingKube> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-kept-"));
  t.after(() => rm(directory, { recursive: true }));
  const kube = new LaggingKube({ stateDirectory: directory, now: () => now, onStatus: () => undefined });
  await kube.open();
  return kube;
}

for (const [what, openAuthority, name] of [
  ["clients trust", openClientAuthority, "mailboat-ca"],
  ["pods trust", openInternalAuthority, "mailboat-internal-ca"],
] as const) {
  test(`the authority that ${what} is not made anew by a leader that does not know of it`, async (t) => {
    const kube = await open(t);
    const at = { kube, namespace: place.namespace, now: () => now };
    const first = await openAuthority(at)();
    const stored = await kube.get("Secret", place.namespace, name);
    kube.isBehind = true;
    assert.deepEqual(await openAuthority(at)(), first);
    assert.deepEqual(await kube.get("Secret", place.namespace, name), stored);
  });
}

test("a managed key is not written over by a leader that does not know of it", async (t) => {
  const kube = await open(t);
  const dkim = { managed: { algorithms: ["Ed25519"] } };
  await kube.setGiven([
    { file: "a", object: relayOf() },
    { file: "b", object: domainOf({ spec: { dkim } }) },
  ]);
  const sources = {
    kube,
    credentials: createCredentialSource(),
    memory: new RelayMemory(),
    place,
    now: () => now,
  };
  const key = { namespace: "mail", name: "example-com" };
  await reconcileDomain(sources, key);
  const made = await kube.get("Secret", "mail", "example-com-dkim-mbe1");
  assert.ok(made !== undefined);
  kube.isBehind = true;
  assert.equal(await reconcileDomain(sources, key), 1_000, "it looks again");
  assert.equal(kube.isBehind, false);
  assert.deepEqual(await kube.get("Secret", "mail", "example-com-dkim-mbe1"), made);
  await reconcileDomain(sources, key);
  assert.deepEqual(await kube.get("Secret", "mail", "example-com-dkim-mbe1"), made);
});
