import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Search, wordsOf } from "./search.ts";

const queries: readonly (readonly [query: string, words: readonly string[]])[] = [
  ["", []],
  ["  ", []],
  ["Receipt 7", ["receipt", "7"]],
  ['"Your  receipt" anna@Example.net', ["your receipt", "anna@example.net"]],
  ['"" " " "never closed', ['"never', "closed"]],
  ["ＦＵＬＬ ﬁnd", ["full", "find"]],
  ["%_*\\'", ["%_*\\'"]],
];
for (const [query, words] of queries) {
  test(`the words of ${JSON.stringify(query)} are ${words.join(" | ") || "none"}`, () =>
    assert.deepEqual(wordsOf(query), words));
}

interface Scene {
  readonly directory: string;
  /** Files that were read, in order. */
  readonly reads: string[];
  readonly search: Search;
}

async function open(context: TestContext): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-search-"));
  context.after(() => rm(directory, { recursive: true }));
  const reads: string[] = [];
  const search = new Search((file) => {
    reads.push(file);
    return Promise.resolve(file === "gone.eml" ? undefined : join(directory, file));
  });
  return { directory, reads, search };
}

const never = new AbortController().signal;
const encoded = Buffer.from("<p>Your <b>total</b> is 57,50 €</p><script>secret()</script>", "utf8").toString("base64");
const message = `Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nX-Order: 4711\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}\r\n`;

const found: readonly (readonly [query: string, isFound: boolean])[] = [
  ["total", true],
  ["TOTAL 57,50 €", true],
  ['"your total is"', true],
  ['"total your"', false],
  ["grüße", true],
  ["x-order: 4711", true],
  ["4711 outline", true],
  ["4711 elsewhere", false],
  ["secret", false],
  [encoded.slice(0, 20), false],
];
for (const [query, isFound] of found) {
  test(`${JSON.stringify(query)} is ${isFound ? "" : "not "}found in a message of base64`, async (context) => {
    const { directory, search } = await open(context);
    await writeFile(join(directory, "a.eml"), message);
    const all = [{ value: 1, text: "in the outline", files: ["gone.eml", "a.eml"] }];
    assert.deepEqual(await search.find(all, wordsOf(query), never), isFound ? [1] : []);
  });
}

test("a message is read once, and again only when its text had to make room", async (context) => {
  const { directory, reads, search } = await open(context);
  const long = `Subject: a\r\n\r\n${"word ".repeat(50_000)}\r\n`;
  const files = Array.from({ length: 100 }, (_, index) => `${index}.eml`);
  for (const file of files) await writeFile(join(directory, file), file === "99.eml" ? message : long);
  const all = files.map((file) => ({ value: file, text: "", files: [file] }));
  assert.deepEqual(await search.find(all, ["4711"], never), ["99.eml"]);
  assert.equal(reads.length, 100);
  // 100 texts of 250,000 characters are more than are kept: the newest are.
  await search.find(all.slice(60), ["nowhere"], never);
  assert.equal(reads.length, 100);
  await search.find(all.slice(0, 1), ["nowhere"], never);
  assert.equal(reads.length, 101);
  search.forget("99.eml");
  await search.find(all.slice(99), ["nowhere"], never);
  assert.equal(reads.length, 102);
});

test("who goes away stops the search", async (context) => {
  const { directory, reads, search } = await open(context);
  await writeFile(join(directory, "a.eml"), message);
  const all = Array.from({ length: 100 }, () => ({ value: 1, text: "", files: ["a.eml"] }));
  const gone = new AbortController();
  gone.abort();
  assert.deepEqual(await search.find(all, ["x"], gone.signal), []);
  assert.deepEqual(reads, []);
});

test("a thousand messages cost less than a second of a processor, read for the first time, and next to nothing after", async (context) => {
  const { directory, search } = await open(context);
  const files = Array.from({ length: 1_000 }, (_, index) => `${index}.eml`);
  const body = "Thank you for your order. ".repeat(150);
  for (const file of files) await writeFile(join(directory, file), `Subject: ${file}\r\n\r\n${body}${file} ends\r\n`);
  const all = files.map((file) => ({ value: file, text: "", files: [file] }));
  const costs: number[] = [];
  for (const word of ['"997.eml ends"', '"3.eml ends" order']) {
    const before = process.cpuUsage();
    const matches = await search.find(all, wordsOf(word), never);
    const { user, system } = process.cpuUsage(before);
    costs.push((user + system) / 1_000);
    assert.ok(matches.length > 0);
  }
  const [first = 0, second = 0] = costs;
  context.diagnostic(`${first.toFixed(0)} ms, then ${second.toFixed(0)} ms`);
  assert.ok(first < 1_000 && second < 100, costs.join(" "));
});
