import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EventEmitter } from "node:events";
import { test, type TestContext } from "node:test";
import { CapturedFiles } from "./capturedfiles.ts";

interface Scene {
  readonly directory: string;
  readonly files: CapturedFiles;
  /** Emits "gone" with the names. */
  readonly events: EventEmitter;
}

async function open(context: TestContext, names: readonly string[]): Promise<Scene> {
  const parent = await mkdtemp(join(tmpdir(), "mailboat-captured-"));
  const directory = join(parent, "captured");
  const events = new EventEmitter();
  const settings = {
    directory,
    onGone: (gone: readonly string[]) => void events.emit("gone", gone),
    onError: (error: Error) => assert.ifError(error),
  };
  (await CapturedFiles.open(settings)).close();
  for (const name of names) {
    await writeFile(join(directory, name), "x");
    await writeFile(join(directory, name.replace(".eml", ".json")), "{}");
  }
  await writeFile(join(directory, "0.json"), "{}");
  const files = await CapturedFiles.open(settings);
  context.after(async () => {
    files.close();
    await rm(parent, { recursive: true, force: true });
  });
  return { directory, files, events };
}

test("a removed message takes along what is written beside it, and nothing else", async (context) => {
  const { directory, files } = await open(context, ["1.eml", "2.eml", "3.eml"]);
  await writeFile(join(directory, "notes.txt"), "mine");
  assert.deepEqual([files.count, files.beyond(2)], [3, ["1.eml"]]);
  for (const name of ["1.eml", "../x.eml", "notes.txt", "none.eml"]) await files.remove(name);
  assert.deepEqual((await readdir(directory)).toSorted(), ["2.eml", "2.json", "3.eml", "3.json", "notes.txt"]);
  assert.deepEqual([files.has("1.eml"), files.beyond(1)], [false, ["2.eml"]]);
  assert.equal(await files.path("../captured/2.eml"), undefined);
  assert.equal(await files.path("2.eml"), join(directory, "2.eml"));
});

test("a file that somebody deletes is seen without a question, those that we remove are not", async (context) => {
  const { directory, files, events } = await open(context, ["1.eml", "2.eml", "3.eml"]);
  await files.remove("1.eml");
  const gone = once(events, "gone");
  await unlink(join(directory, "2.eml"));
  assert.deepEqual(await gone, [["2.eml"]]);
  assert.deepEqual([files.has("2.eml"), files.has("3.eml"), files.count], [false, true, 1]);
});

test("a folder that somebody deletes has no file, and files that come again are there", async (context) => {
  const { directory, files } = await open(context, ["1.eml"]);
  await rm(directory, { recursive: true });
  await files.look();
  assert.equal(files.count, 0);
  files.note("2.eml");
  assert.deepEqual([files.has("2.eml"), existsSync(directory)], [true, false]);
});
