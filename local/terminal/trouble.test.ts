import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { asTrouble, TroubleError, troubleOf, wordsOf } from "./trouble.ts";

const directory = mkdtempSync(join(tmpdir(), "mailboat-trouble-"));
test.after(() => rmSync(directory, { recursive: true }));

async function failureOf(act: () => unknown): Promise<unknown> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  return assert.fail("it did not fail");
}

test("what Node and SQLite say of a real folder and a real port is told as a sentence", async () => {
  const file = join(directory, "file");
  writeFileSync(file, "");
  const inPlace = await failureOf(() => mkdir(file, { recursive: true }));
  assert.equal(
    troubleOf(inPlace, "s"),
    `${file} cannot be a folder, because a file has that name: remove it, or name another folder with --state (STATE=...)`,
  );
  const above = await failureOf(() => mkdir(join(file, "state"), { recursive: true }));
  assert.match(
    troubleOf(above, "s") ?? "",
    /cannot be a folder, because a file has that name or one above it: remove it, or/,
  );
  const nowhere = await failureOf(() => new DatabaseSync(join(directory, "none/owner.db")).exec("BEGIN EXCLUSIVE"));
  assert.match(
    troubleOf(nowhere, "s") ?? "",
    /^s may not be read or written by this user: change its owner or mode, or /,
  );
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : 0;
  const taken: readonly unknown[] = await once(createServer().listen(port, "127.0.0.1"), "error");
  server.close();
  assert.equal(
    troubleOf(taken[0], "s"),
    `port ${port} was taken by another program just now: start again, it is passed over`,
  );
  const elsewhere: readonly unknown[] = await once(createServer().listen(0, "203.0.113.9"), "error");
  assert.match(
    troubleOf(elsewhere[0], "s") ?? "",
    /^203\.0\.113\.9 is no address of this machine: name one with --host/,
  );
});

function systemError(code: string, fields: object = {}): Error {
  return Object.assign(new Error(`${code}: something, open '/x'`), { code, ...fields });
}

const said: readonly (readonly [error: unknown, words: RegExp | undefined])[] = [
  [systemError("ENOSPC"), /^the disk of s is full: make room, or name another folder with --state \(STATE=\.\.\.\)$/],
  [systemError("EROFS", { path: "s/keys" }), /^s\/keys is on a disk that is read-only: /],
  [systemError("EACCES", { path: "s/keys" }), /^s\/keys may not be read or written by this user/],
  [systemError("ERR_SQLITE_ERROR", { errcode: 13 }), /^the disk of s is full/],
  [systemError("ERR_SQLITE_ERROR", { errcode: 266 }), /^the disk of s failed: look at the system's log/],
  [systemError("ERR_SQLITE_ERROR", { errcode: 1 }), undefined],
  [systemError("EMFILE"), /ulimit -n/],
  [new TypeError("x is not a function"), undefined],
  ["words alone", undefined],
];
for (const [error, words] of said) {
  test(`${String(error)} is ${words === undefined ? "no trouble of the machine's" : "told with what to do"}`, () => {
    if (words === undefined) {
      assert.equal(troubleOf(error, "s"), undefined);
      if (error instanceof Error) assert.equal(asTrouble(error, "s"), error);
      return;
    }
    assert.match(troubleOf(error, "s") ?? "", words);
    assert.ok(asTrouble(error, "s") instanceof TroubleError);
  });
}

test("a line among others never has a stack", () => {
  assert.equal(wordsOf(new Error("one line"), "s"), "one line");
  assert.equal(wordsOf("text", "s"), "text");
});
