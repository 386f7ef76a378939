import assert from "node:assert/strict";
import { truncate, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { createLog } from "../../../../runtime/log.ts";
import { freshDirectory } from "../../../../test/support/spoolplace.ts";
import { until } from "../../../../test/support/until.ts";
import { DiskFaults } from "./faults.ts";
import { DiskSpace, lowWaterBytes, reserveBytes } from "./space.ts";

interface Place {
  readonly directory: string;
  readonly space: DiskSpace;
  readonly faults: DiskFaults;
  readonly clock: { time: number };
}

async function openSpace(t: TestContext, directory?: string): Promise<Place> {
  const place = directory ?? (await freshDirectory());
  const [faults, clock] = [new DiskFaults(), { time: 0 }];
  const log = createLog({ level: "silent", program: "test" });
  const space = new DiskSpace({ directory: place, clock: { now: () => clock.time }, log, faults });
  t.after(() => space.close());
  await space.open();
  return { directory: place, space, faults, clock };
}

async function reserveSize(directory: string): Promise<number> {
  return stat(join(directory, "reserve")).then(
    ({ size }) => size,
    () => 0,
  );
}

test("what is written counts against the free space until a look has seen it", async (t) => {
  const { space, clock } = await openSpace(t);
  const free = space.freeBytes;
  space.wroteBody(free - lowWaterBytes);
  assert.equal(space.freeBytes, lowWaterBytes);
  assert.equal(space.nearlyFull, false);
  space.wroteLog(1);
  assert.equal(space.nearlyFull, true);
  assert.equal(space.logBytes, 1);
  clock.time += 1_000;
  space.refresh();
  await until("room, once it has looked", () => !space.nearlyFull);
  assert.equal(space.logBytes, 0);
});

test("a disk that cannot be asked is believed to have less and less room, and is asked again without being told to", async (t) => {
  const { space, faults, clock } = await openSpace(t);
  faults.arm("measure", "EIO", 2);
  space.wroteBody(space.freeBytes);
  clock.time += 1_000;
  space.refresh();
  await until("a look that fails", () => faults.struck("measure") === 1);
  assert.equal(space.nearlyFull, true);
  await until("room again", () => !space.nearlyFull);
  assert.equal(faults.struck("measure"), 2);
});

test("the reserve is given up on demand and made again, in full, as soon as there is room", async (t) => {
  const { space, faults, directory } = await openSpace(t);
  assert.equal(await reserveSize(directory), reserveBytes);
  faults.arm("reserveWrite", "ENOSPC", 2);
  await space.releaseReserve();
  assert.equal(await reserveSize(directory), 0);
  assert.equal(space.isReserveKept, false);
  await until("the reserve", () => space.isReserveKept);
  assert.equal(faults.struck("reserveWrite"), 2);
  assert.equal(await reserveSize(directory), reserveBytes);
});

test("a reserve that cannot be removed is still one, and nobody who waits for room hears an error", async (t) => {
  const { space, faults } = await openSpace(t);
  faults.arm("reserveRemove", "EIO");
  await space.releaseReserve();
  assert.equal(space.isReserveKept, true);
  await space.releaseReserve();
  assert.equal(faults.struck("reserveRemove"), 1);
});

test("a spool opens without its reserve, and half of one is no reserve", async (t) => {
  const directory = await freshDirectory();
  await writeFile(join(directory, "reserve"), Buffer.alloc(reserveBytes));
  await truncate(join(directory, "reserve"), reserveBytes / 2);
  const { space } = await openSpace(t, directory);
  assert.equal(space.isReserveKept, true);
  assert.equal(await reserveSize(directory), reserveBytes);
});
