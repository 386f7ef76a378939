/** The page with captured mail, asked over HTTP: what a browser gets, and who gets nothing. */
import assert from "node:assert/strict";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { freshDirectory, openAt, start } from "../../test/support/spoolplace.ts";
import { newMessage } from "../../test/support/relayvalues.ts";
import { openPageServer, type PageServer } from "./pageserver.ts";

const clock = { now: () => start + 60_000 };
const hostile = '<script>alert("1")</script>';
let directory: string;
let server: PageServer;

before(async () => {
  directory = await freshDirectory();
  const spool = await openAt(directory);
  const header = Buffer.from(`From: app@example.com\r\nSubject: ${hostile}\r\n`);
  const message = newMessage({ acceptedAt: start, header }, [{ address: `"${hostile}"@example.net` }]);
  const { id } = message.message;
  await spool.commit({ ...message, claim: true });
  const signatures = "DKIM-Signature: v=1\r\n";
  const reply = { code: 250, text: "kept" };
  await spool.settle({ id, outcomes: [{ kind: "captured", index: 0, reply, signatures, copiedBytes: 0 }] });
  server = await openPageServer({ directory, port: 0, clock });
});

after(() => server.close());

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

async function ask(path: string, { host = "localhost", method = "GET" } = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = request({ host: "127.0.0.1", port: server.port, path, method, headers: { host } }, (response) => {
    const { statusCode: status = 0, headers } = response;
    text(response).then((body) => resolve({ status, headers, body }), reject);
  });
  asked.on("error", reject).end();
  return promise;
}

test("the list leads to each message, its source and its file, and what is in them is text", async () => {
  const list = await ask("/");
  assert.equal(list.status, 200);
  assert.match(list.body, /<td>1 m<\/td><td>sender@example\.com<\/td><td>&quot;&lt;script&gt;/);
  assert.match(list.body, /<a href="\/message\?row=1">&lt;script&gt;/);
  const message = await ask("/message?row=1");
  assert.match(message.body, /<pre>DKIM-Signature: v=1\r\nFrom: app@example\.com\r\n/);
  for (const { body, headers } of [list, message]) {
    assert.doesNotMatch(body, /<script/);
    assert.match(String(headers["content-security-policy"]), /^default-src 'none'; style-src 'sha256-/);
    assert.equal(headers["cache-control"], "no-store");
  }
  const file = await ask("/message.eml?row=1");
  assert.equal(file.headers["content-type"], "message/rfc822");
  assert.match(
    file.body,
    /^DKIM-Signature: v=1\r\nFrom: app@example\.com\r\nSubject: <script>[^]*\r\n\r\nmessage \d+\r\n$/,
  );
});

test("whoever asks by another name, otherwise, or for what is not there gets nothing of it", async () => {
  for (const [path, how, status] of [
    ["/", { host: "mailboat.evil.example" }, 403],
    ["/message.eml?row=1", { host: "127.0.0.1.evil.example:80" }, 403],
    ["/", { method: "POST" }, 405],
    ["/message?row=2", {}, 404],
    ["/message?row=1%20OR%201", {}, 404],
    ["/elsewhere?row=1", {}, 404],
    ["//evil.example/", {}, 404],
  ] as const) {
    const answer = await ask(path, how);
    assert.equal(answer.status, status, path);
    assert.doesNotMatch(answer.body, /script|DKIM/);
  }
  assert.equal((await ask("/", { method: "HEAD" })).body, "");
});

test("it ends when nobody looks, says that its port is taken, and that there is no spool", async () => {
  const brief = await openPageServer({ directory, port: 0, clock, idleMs: 1 });
  await brief.ended;
  await assert.rejects(openPageServer({ directory, port: server.port, clock }), /port \d+ is taken: .* --port/);
  await assert.rejects(openPageServer({ directory: `${directory}/none`, port: 0, clock }), /there is no spool/);
});
