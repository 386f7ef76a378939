import assert from "node:assert/strict";
import { appendFile, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Journal, readCaptured } from "./journal.ts";
import type { Happening } from "./story.ts";

async function directoryFor(context: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-journal-"));
  context.after(() => rm(directory, { recursive: true }));
  return directory;
}

const answer: Happening = {
  kind: "answer",
  answer: { at: "2026-11-23T12:00:00.000Z", id: "a.1", from: "a@example.com", to: ["b@example.net"], reply: "550 no" },
};
const mail: Happening = {
  kind: "mail",
  pod: "mail.outbound-0",
  event: { msg: "delivered", time: "2026-11-23T12:00:00.000Z", spoolId: "0mwwpbtf46f4046a3f5fe" },
};
const captured: Happening = {
  kind: "captured",
  message: { receivedAt: "now", file: "a.eml", sizeBytes: 1, from: "", to: [], dkim: "none", signatures: [] },
};

function failing(error: Error): void {
  assert.ifError(error);
}

test("a journal gives back what it was told, but for what is on file elsewhere and what is damaged", async (context) => {
  const file = join(await directoryFor(context), "history.jsonl");
  const first = await Journal.open(file, failing);
  for (const happening of [mail, captured, answer]) first.note(happening);
  await first.close();
  await appendFile(file, '{"kind":"mail","pod":7}\n{"kind":"answer","ans\n');
  const second = await Journal.open(file, failing);
  assert.deepEqual(await second.read(), [mail, answer]);
  await second.close();
});

test("a journal that is written anew holds only what it is given, and what was noted meanwhile comes behind it", async (context) => {
  const directory = await directoryFor(context);
  const file = join(directory, "history.jsonl");
  await writeFile(`${file}.1`, `${JSON.stringify(answer)}\n`);
  const journal = await Journal.open(file, failing);
  journal.note(answer);
  const forgotten = { kind: "forgotten", names: ["a"] } as const;
  const rewritten = journal.rewrite([mail, captured]);
  journal.note(forgotten);
  await rewritten;
  journal.note(answer);
  await journal.close();
  assert.deepEqual(await journal.read(), [mail, forgotten, answer]);
  assert.deepEqual(await readdir(directory), ["history.jsonl"]);
});

test("a journal keeps two files of bounded size", async (context) => {
  const directory = await directoryFor(context);
  const journal = await Journal.open(join(directory, "history.jsonl"), failing);
  const long = { ...answer, answer: { ...answer.answer, reply: "x".repeat(1_000_000) } };
  for (let count = 0; count < 40; count += 1) {
    journal.note(long);
    // Files are turned while the event loop runs.
    await readdir(directory);
  }
  await journal.close();
  assert.deepEqual((await readdir(directory)).toSorted(), ["history.jsonl", "history.jsonl.1"]);
  assert.ok((await journal.read()).length < 25);
});

test("captured messages of earlier runs are listed, the newest ones, and a strange file is passed over", async (context) => {
  const directory = await directoryFor(context);
  const record = (file: string) => JSON.stringify({ ...captured.message, file });
  for (const name of ["1", "2", "3"]) await writeFile(join(directory, `${name}.json`), record(`${name}.eml`));
  for (const name of ["1", "2", "3", "4", "5"]) await writeFile(join(directory, `${name}.eml`), "");
  await writeFile(join(directory, "6.json"), record("6.eml"));
  await writeFile(join(directory, "4.json"), record("../../etc/passwd.eml"));
  await writeFile(join(directory, "5.json"), "{");
  const files = (await readCaptured(directory, 4)).map(
    (happening) => happening.kind === "captured" && happening.message.file,
  );
  assert.deepEqual(files, ["2.eml", "3.eml"]);
  assert.deepEqual(await readCaptured(join(directory, "none"), 4), []);
});
