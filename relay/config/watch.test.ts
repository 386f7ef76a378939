import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once, EventEmitter } from "node:events";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { shardText, type RelayDocument } from "../../api/relayconfig.ts";
import { createLog } from "../../runtime/log.ts";
import type { SnapshotSource } from "./snapshot.ts";
import { watchConfiguration } from "./watch.ts";

const stop = new AbortController();
const directories: string[] = [];
after(async () => {
  stop.abort();
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

function relayOf(revision: string): string {
  const document: RelayDocument = {
    version: 1,
    revision,
    relay: { namespace: "mail", name: "outbound" },
    hostname: "relay.example.com",
    listeners: [],
    credentials: [],
    spool: { capacityBytes: 1e9, highWatermarkPercent: 85 },
    delivery: {
      mode: "Send",
      allowRecipients: [],
      smarthosts: [],
      fallbackSmarthosts: [],
      retry: { firstMs: 60_000, maxMs: 14_400_000, expireAfterMs: 432_000_000, notifyDelayAfterMs: 14_400_000 },
      destinations: [],
      dnsServers: [],
    },
    limits: { messageSizeBytes: 1e6, recipients: 100, connections: 100, connectionsPerClient: 10 },
    shards: { "00": createHash("sha256").update(shardText({})).digest("hex") },
  };
  return JSON.stringify(document);
}

/** Swaps a volume as the kubelet does: a new directory, then the link `..data` renamed onto the old one. */
async function mount(root: string, generation: number, text: string): Promise<void> {
  const volume = join(root, "configuration");
  const fresh = join(volume, `..${generation}`);
  await mkdir(fresh, { recursive: true });
  await writeFile(join(fresh, "relay.json"), text);
  await symlink(`..${generation}`, join(volume, "..data_tmp"));
  await rename(join(volume, "..data_tmp"), join(volume, "..data"));
  if (generation === 1) await symlink("..data/relay.json", join(volume, "relay.json"));
}

async function open(root: string, loads: EventEmitter): Promise<SnapshotSource> {
  return watchConfiguration({
    directory: root,
    log: createLog({ level: "silent", program: "test" }),
    onLoad: (result) => loads.emit("load", result),
    stopping: stop.signal,
  });
}

test("a swapped volume is in force without a restart, and a bad one leaves the last good one", async () => {
  const root = await mkdtemp(join(tmpdir(), "configuration-"));
  directories.push(root);
  await mount(root, 1, relayOf("r1"));
  const loads = new EventEmitter();
  const source = await open(root, loads);
  assert.equal(source.current().revision, "r1");

  const revisions: (string | undefined)[] = [];
  source.onChange((snapshot) => revisions.push(snapshot.revision));
  const changed = once(loads, "load");
  await mount(root, 2, relayOf("r2"));
  assert.deepEqual(await changed, ["success"]);
  assert.equal(source.current().revision, "r2");

  const refused = once(loads, "load");
  await mount(root, 3, '{"version":1}');
  assert.deepEqual(await refused, ["failure"]);
  assert.match(source.lastError ?? "", /relay\.json: .*hostname/);
  assert.equal(source.current().relay.hostname, "relay.example.com");
  assert.equal(source.current().revision, undefined);

  const healed = once(loads, "load");
  await mount(root, 4, relayOf("r4"));
  assert.deepEqual(await healed, ["success"]);
  assert.equal(source.lastError, undefined);
  assert.equal(source.current().revision, "r4");
  assert.deepEqual(revisions, ["r2", undefined, "r4"]);
});
