import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { openGallery } from "../../test/support/pagegallery.ts";
import { spoolOf } from "./spoolpeek.ts";

const ids = ["0mwwpbtf46f4046a3f5fe", "0mwwpbtg17fffc9dbc39f", "0mwwpbtl3869de2b77610"] as const;

interface Stage {
  readonly state: string;
  readonly captured: () => number;
  readonly remove: (path: string) => Promise<readonly [status: number, text: string]>;
  readonly tell: (fields: Readonly<Record<string, unknown>>) => void;
}

/** Three captured messages, of which no log tells. */
async function open(context: TestContext): Promise<Stage> {
  const state = mkdtempSync(join(tmpdir(), "mailboat-api-"));
  const mails = ids.map((spoolId, index) => ({ spoolId, subject: `Message ${index}`, to: ["anna@example.net"] }));
  const { address, captured, tell, close } = await openGallery(context, { stateDirectory: state, mails });
  context.after(async () => {
    await close();
    rmSync(state, { recursive: true });
  });
  const token = readFileSync(join(state, "page-token"), "utf8").trim();
  return {
    state,
    tell,
    captured: () => readdirSync(captured).filter((name) => name.endsWith(".eml")).length,
    remove: async (path) => {
      const answer = await fetch(`${address}api/messages${path}`, {
        method: "DELETE",
        headers: { "x-mailboat-token": token },
      });
      return [answer.status, await answer.text()];
    },
  };
}

function makeSpool(state: string, pod: string): string {
  const directory = spoolOf(state, pod);
  mkdirSync(directory, { recursive: true });
  return join(directory, "spool.db");
}

/** As much of a relay's spool as is asked. */
function spool(state: string, pod: string, id: string): void {
  const database = new DatabaseSync(makeSpool(state, pod));
  database.exec("CREATE TABLE message (id TEXT)");
  database.prepare("INSERT INTO message VALUES (?)").run(id);
  database.close();
}

const words = Array.from({ length: 21 }, () => "message").join("+");
const searches: readonly (readonly [search: string, status: number, left: number])[] = [
  ["?search=", 400, 3],
  ["?search", 400, 3],
  ["?search=%20", 400, 3],
  ["?search=%22%22", 400, 3],
  ["?search=%22+%22+", 400, 3],
  ["?serach=nowhere", 400, 3],
  [`?search=${words}+nowhere`, 400, 3],
  ["?search=message&search=nowhere", 200, 3],
  ["?search=nowhere", 200, 3],
  [`?search=${words.slice(0, words.lastIndexOf("+"))}`, 200, 0],
  ["?search=%22message+1%22", 200, 2],
  ["", 200, 0],
];
for (const [search, status, left] of searches) {
  test(`DELETE ${search.slice(0, 40) || "of all"} is ${status} and leaves ${left} of 3`, async (context) => {
    const { captured, remove } = await open(context);
    const [got, text] = await remove(search);
    assert.equal(got, status, text);
    if (status === 400) assert.match(text, /^Nothing was deleted: .*search.*\.\n$/);
    else assert.deepEqual(JSON.parse(text), { deleted: 3 - left, waiting: 0 });
    assert.equal(captured(), left);
  });
}

test("what a spool holds stays, also when the log has lost that it was accepted", async (context) => {
  const { state, captured, remove } = await open(context);
  const [waits, other] = ids;
  spool(state, "mail.outbound-0", waits);
  const [status, text] = await remove(`/${waits}`);
  assert.deepEqual([status, /waits in a spool/.test(text)], [409, true]);
  assert.equal((await remove(`/${other}`))[0], 200);
  assert.deepEqual(await remove(""), [200, '{"deleted":1,"waiting":1}']);
  assert.equal(captured(), 1);
});

test("where a spool cannot be read, the log's word counts", async (context) => {
  const { state, remove, tell } = await open(context);
  const [waits, other] = ids;
  writeFileSync(makeSpool(state, "mail.outbound-0"), "no database of anybody's, but longer than a header".repeat(100));
  const time = new Date().toISOString();
  tell({ msg: "accepted", time, spoolId: waits, domain: "example.com", recipientDomain: "example.net" });
  assert.equal((await remove(`/${waits}`))[0], 409);
  assert.equal((await remove(`/${other}`))[0], 200);
  assert.deepEqual(await remove(""), [200, '{"deleted":1,"waiting":1}']);
});
