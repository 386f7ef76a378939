import assert from "node:assert/strict";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { UsageError } from "../runtime/commandline.ts";
import { prepareState } from "./state.ts";

function place(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "mailboat-state-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

function modeOf(path: string): number {
  return lstatSync(path).mode & 0o777;
}

test("a state folder that is made is its owner's alone, and so are those that lead to it", async (t) => {
  const directory = place(t);
  await prepareState(join(directory, "a/state"));
  assert.deepEqual([modeOf(join(directory, "a")), modeOf(join(directory, "a/state"))], [0o700, 0o700]);
});

test("one that others may read is closed to them", async (t) => {
  const state = join(place(t), "state");
  mkdirSync(state);
  chmodSync(state, 0o755);
  await prepareState(state);
  assert.equal(modeOf(state), 0o700);
});

test("a folder that is a link is refused, also with a slash behind it", async (t) => {
  const directory = place(t);
  mkdirSync(join(directory, "elsewhere"));
  symlinkSync(join(directory, "elsewhere"), join(directory, "state"));
  for (const path of [join(directory, "state"), `${join(directory, "state")}/`]) {
    await assert.rejects(prepareState(path), (error) => error instanceof UsageError && /is a link/.test(error.message));
  }
});

const links = ["running.json", "owner.db", "secrets", "pods/mail.outbound-0/spool"];

for (const link of links) {
  test(`a link at ${link} is refused by its name`, async (t) => {
    const directory = place(t);
    const [state, target] = [join(directory, "state"), join(directory, "target")];
    mkdirSync(join(state, "pods/mail.outbound-0"), { recursive: true });
    writeFileSync(target, "as it was");
    symlinkSync(target, join(state, link));
    await assert.rejects(prepareState(state), {
      name: "UsageError",
      message: new RegExp(`^\\S*/state/${link} is a link`),
    });
  });
}

test("what is no folder is refused", async (t) => {
  const state = join(place(t), "state");
  writeFileSync(state, "");
  await assert.rejects(prepareState(state), { name: "UsageError" });
});
