import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openPortBook } from "./ports.ts";

test("a port book gives the preferred port, keeps it over restarts, and names it when somebody else has it", async (context) => {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-ports-"));
  context.after(() => rm(directory, { recursive: true }));
  const settings = { file: join(directory, "ports.json"), host: "127.0.0.1", waitMs: 0, now: () => 0 };
  const first = await openPortBook(settings);
  const { port } = await first.choose({ use: "a" });
  assert.deepEqual(await first.choose({ use: "a" }), { port });
  const other = await first.choose({ use: "b", preferred: port });
  assert.notEqual(other.port, port);
  assert.equal(other.taken, port);
  const second = await openPortBook(settings);
  assert.deepEqual(await second.choose({ use: "a" }), { port });
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port, "127.0.0.1", resolve));
  const third = await openPortBook(settings);
  const moved = await third.choose({ use: "a" });
  assert.equal(moved.taken, port);
  assert.notEqual(moved.port, port);
  await new Promise((resolve) => holder.close(resolve));
});
