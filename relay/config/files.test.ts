import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { configurationDirectory, domainsDirectory, shardName } from "../../api/relayconfig.ts";
import { ConfigurationReader } from "./files.ts";

async function mounted(t: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "files-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  await put(root, join(configurationDirectory, "relay.json"), "{}");
  await put(root, join(domainsDirectory, shardName(0), "example.com.json"), "a");
  await put(root, join(domainsDirectory, shardName(1), "example.net.json"), "b");
  return root;
}

/** Renamed into place, as local mode does it. */
async function put(root: string, file: string, text: string): Promise<void> {
  const path = join(root, file);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

test("what is read again is the same object until a text changes", async (t) => {
  const root = await mounted(t);
  const reader = new ConfigurationReader(root);
  const first = await reader.read();
  assert.equal(await reader.read(), first);
  // Touched, as by a volume that is swapped for one with the same content.
  await utimes(join(root, domainsDirectory, shardName(0)), 1, 1);
  assert.equal(await reader.read(), first);
});

test("a change makes a new object, and those of unchanged directories stay", async (t) => {
  const root = await mounted(t);
  const reader = new ConfigurationReader(root);
  const first = await reader.read();
  await put(root, join(domainsDirectory, shardName(1), "example.net.json"), "c");
  const second = await reader.read();
  assert.notEqual(second, first);
  assert.equal(second.shards.get(shardName(0)), first.shards.get(shardName(0)));
  assert.deepEqual(second.shards.get(shardName(1)), { "example.net.json": "c" });
  await rm(join(root, domainsDirectory, shardName(1)), { recursive: true });
  assert.deepEqual((await reader.read()).shards.get(shardName(1)), {});
});
