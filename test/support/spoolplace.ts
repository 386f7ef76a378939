/** A real spool in a directory that goes with the test file, closed with it when the test did not get so far. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { openStore, type Store, type StoreOptions } from "../../relay/spool/local/store.ts";
import { createLog } from "../../runtime/log.ts";

/** When it is for a spool whose options say nothing else, milliseconds since the epoch. */
export const start = 1_800_000_000_000;

const directories: string[] = [];
const stores: Store[] = [];

after(async () => {
  for (const store of stores) await store.close();
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

export async function freshDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "spool-"));
  directories.push(directory);
  return directory;
}

export async function openAt(directory: string, change: Partial<StoreOptions> = {}): Promise<Store> {
  const store = await openStore({
    directory,
    clock: { now: () => start },
    log: createLog({ level: "silent", program: "test" }),
    capacity: () => ({ capacityBytes: 1e9, highWatermarkPercent: 85 }),
    retryDelayMs: (attempt) => (attempt === 1 ? 60_000 : 120_000),
    ownerTimeoutMs: 0,
    onCommit: () => undefined,
    onLost: (error) => assert.fail(error),
    ...change,
  });
  stores.push(store);
  return store;
}
