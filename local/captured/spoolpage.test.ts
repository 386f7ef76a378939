/** The page over a real spool with captured mail: what a person sees there, and that nothing of it changes the spool. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { newMessage } from "../../test/support/relayvalues.ts";
import { freshDirectory, openAt, start } from "../../test/support/spoolplace.ts";
import { until } from "../../test/support/until.ts";
import type { Store } from "../../relay/spool/local/store.ts";
import { openCapturedSpool, type CapturedSpoolPage } from "./spoolpage.ts";
import type { Detail, Outline } from "../page/shapes.ts";
import { capturedAfter } from "../page/spoolpeek.ts";

const hostile = '<script>alert("1")</script>';
const mime = 'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="b"\r\n';
const html = `--b\r\nContent-Type: text/plain\r\n\r\nThe plain text\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>The HTML</b>${hostile}\r\n--b--\r\n`;

async function capture(spool: Store, subject: string, to: string): Promise<void> {
  const header = Buffer.from(`From: app@example.com\r\nTo: ${to}\r\nSubject: ${subject}\r\n${mime}`);
  const made = newMessage({ acceptedAt: start, header }, [{ address: to }]);
  const writer = spool.begin(made.message.id);
  await writer.write(Buffer.from(html));
  await spool.commit({ ...made, message: { ...made.message, body: await writer.finish() }, claim: true });
  const [signatures, reply] = ["DKIM-Signature: v=1\r\n", { code: 250, text: "kept" }];
  const outcome = { kind: "captured", index: 0, reply, signatures, copiedBytes: 0 } as const;
  await spool.settle({ id: made.message.id, outcomes: [outcome] });
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

interface Bed {
  readonly spool: Store;
  readonly directory: string;
  readonly temporary: string;
  readonly page: CapturedSpoolPage;
  readonly ask: (path: string, method?: string, headers?: Readonly<Record<string, string>>) => Promise<Answer>;
  readonly list: () => Promise<readonly Outline[]>;
}

async function bedFor(t: TestContext, idleMs = 600_000): Promise<Bed> {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  t.after(() => spool.close());
  await capture(spool, `Receipt ${hostile}`, "customer@example.net");
  const temporary = await mkdtemp(join(tmpdir(), "captured-page-"));
  t.after(() => rm(temporary, { recursive: true, force: true }));
  const onError = (error: Error): void => assert.fail(error);
  const wish = { directory, temporary, pod: "mail.outbound-0", port: 0, now: () => start, lookEveryMs: 20 };
  const page = await openCapturedSpool({ ...wish, onError, idleMs });
  t.after(() => page.close());
  const ask: Bed["ask"] = async (path, method = "GET", headers = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const host = `localhost:${page.port}`;
    const question = { host: "127.0.0.1", port: page.port, path, method, headers: { host, ...headers } };
    const asked = request(question, (response) => {
      const { statusCode: status = 0 } = response;
      text(response).then((body) => resolve({ status, headers: response.headers, body }), reject);
    });
    asked.on("error", reject).end();
    return promise;
  };
  const list = async (): Promise<readonly Outline[]> => JSON.parse((await ask("/api/messages")).body) as Outline[];
  return { spool, directory, temporary, page, ask, list };
}

test("each captured message is on the page of local mode, with its text, its HTML that can do nothing, and its source", async (t) => {
  const { spool, ask, list } = await bedFor(t);
  await until("the subject", async () => (await list())[0]?.subject !== undefined);
  const [first] = await list();
  assert.ok(first);
  assert.deepEqual(
    [first.standing, first.from, first.to, first.subject, first.recipients],
    ["captured", "sender@example.com", ["customer@example.net"], `Receipt ${hostile}`, 1],
  );
  const detail = JSON.parse((await ask(`/api/messages/${first.id}`)).body) as Detail;
  assert.match(detail.held?.note ?? "", /^captured in the spool of mail\.outbound-0 as it would have left/);
  assert.match(detail.held?.content.text ?? "", /The plain text/);
  assert.deepEqual(
    detail.steps.map(({ what }) => what),
    ["accepted", "captured"],
  );
  const shown = await ask(`/api/messages/${first.id}/html`);
  assert.match(shown.body, /<b>The HTML<\/b>/);
  assert.doesNotMatch(shown.body, /<script/i);
  assert.match(String(shown.headers["content-security-policy"]), /^sandbox; default-src 'none'/);
  assert.match(
    (await ask(`/api/messages/${first.id}/source`)).body,
    /^DKIM-Signature: v=1\r\nFrom: app@example\.com\r\n/,
  );
  assert.match((await ask("/")).body, /<!doctype html>/i);
  await capture(spool, "A second one", "qa@example.net");
  await until("the second", async () => (await list()).some(({ subject }) => subject === "A second one"));
});

test("another name, another site and who asks to delete change nothing of the spool", async (t) => {
  const { directory, ask, list } = await bedFor(t);
  assert.equal((await ask("/api/messages", "GET", { host: "mailboat.evil.example" })).status, 421);
  assert.equal((await ask("/api/messages", "DELETE")).status, 403);
  const { token } = JSON.parse((await ask("/api/token")).body) as { readonly token: string };
  assert.equal((await ask("/api/messages", "DELETE", { "x-mailboat-token": token })).status, 200);
  assert.deepEqual(await list(), []);
  assert.equal(capturedAfter(directory, 0, 10).length, 1);
});

test("a row that cannot be shown is told of once, and keeps no other from the page", async (t) => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  for (const subject of ["The first", "Of no time", "The last"]) await capture(spool, subject, "customer@example.net");
  await spool.close();
  const database = new DatabaseSync(join(directory, "spool.db"));
  // Later than any date is.
  database.exec("UPDATE captured SET captured_at = 9000000000000000 WHERE seq = 2");
  database.close();
  const temporary = await mkdtemp(join(tmpdir(), "captured-page-"));
  t.after(() => rm(temporary, { recursive: true, force: true }));
  const told: string[] = [];
  const onError = (error: Error): void => void told.push(error.message);
  const wish = { directory, temporary, pod: "p", port: 0, now: () => start, lookEveryMs: 20 };
  const page = await openCapturedSpool({ ...wish, onError });
  t.after(() => page.close());
  await until("the others", async () => {
    const answer = await fetch(`http://localhost:${page.port}/api/messages`);
    const subjects = ((await answer.json()) as readonly Outline[]).map(({ subject }) => subject);
    return ["The last", "The first"].every((subject) => subjects.includes(subject)) || undefined;
  });
  assert.deepEqual(told, ["row 2 of the captured mail cannot be shown: RangeError: Invalid time value"]);
});

test("it ends when nobody looks, leaves nothing behind, and says that there is no spool", async (t) => {
  const { page, temporary, directory } = await bedFor(t, 1);
  await page.left;
  await page.close();
  assert.deepEqual(await readdir(temporary), []);
  const wish = { directory: join(directory, "none"), temporary, pod: "p", port: 0, now: () => start };
  await assert.rejects(openCapturedSpool({ ...wish, onError: () => undefined }), /there is no spool in .*--directory/);
});
