/** What a person does with caught mail: find it, mark it, delete it, over the API as docs/page.md tells; and who may not. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { request, type IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { z } from "zod";
import { runCommand } from "../gate/command.ts";
import { LocalMode } from "../support/local.ts";
import { makeResultsDirectory, repositoryRoot } from "../support/results.ts";
import { WireClient } from "../support/send.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const sender = "shop@example.com";
const outline = z.object({
  id: z.string(),
  subject: z.string().optional(),
  standing: z.string(),
  dkim: z.string().optional(),
  unread: z.boolean(),
  gone: z.boolean(),
  recipients: z.number(),
});
const content = z.object({
  text: z.string().optional(),
  hasHtml: z.boolean(),
  headers: z.array(z.object({ name: z.string(), value: z.string() })),
  links: z.array(z.object({ href: z.string(), text: z.string() })),
  parts: z.array(z.object({ name: z.string() })),
});
const detail = outline.extend({
  copies: z.array(
    z.object({ file: z.string(), gone: z.boolean(), content: content.nullable(), note: z.string().nullable() }),
  ),
  held: z
    .object({ where: z.string(), pod: z.string().nullable(), isWhole: z.boolean(), content, note: z.string() })
    .nullable(),
});
type Outline = z.infer<typeof outline>;

const directory = makeResultsDirectory(import.meta.url, "local");
let local: LocalMode;
let token = "";

before(async () => {
  const example = (name: string): string => readFileSync(join(repositoryRoot, "examples/local", name), "utf8");
  const relay = example("relay.yaml");
  // What waits here waits to the end of the file, and tells nobody.
  const patient = relay.replace(/retry: \{.*\}/, "retry: { first: 1s, max: 5s, expireAfter: 1h }");
  assert.notEqual(patient, relay);
  const manifests = { "relay.yaml": patient, "example-com.yaml": example("example-com.yaml") };
  local = await LocalMode.start({ directory, manifests });
  await readToken();
});
after(async () => {
  await local.program.kill("SIGINT");
});
beforeEach(async () => {
  await change("DELETE", "/api/messages");
});

async function readToken(): Promise<void> {
  token = z.object({ token: z.string() }).parse(JSON.parse((await ask("GET", "/api/token")).text)).token;
}

interface Told {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** As any program may ask, whatever a browser would let it say. */
function ask(method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Told> {
  const { promise, resolve, reject } = Promise.withResolvers<Told>();
  const asked = request(
    { method, path, headers, host: "127.0.0.1", port: local.port("page"), agent: false },
    (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString("utf8"),
        }),
      );
      answer.on("error", reject);
    },
  );
  asked.on("error", reject);
  asked.end();
  return promise;
}

async function change(method: "POST" | "DELETE", path: string): Promise<unknown> {
  const { status, text } = await ask(method, path, { "x-mailboat-token": token });
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

async function list(search = ""): Promise<readonly Outline[]> {
  const query = search === "" ? "" : `?search=${encodeURIComponent(search)}`;
  return z.array(outline).parse(JSON.parse((await ask("GET", `/api/messages${query}`)).text));
}

async function subjects(search = ""): Promise<readonly (string | undefined)[]> {
  return (await list(search)).map(({ subject }) => subject);
}

async function look(id: string): Promise<z.infer<typeof detail>> {
  const { status, text } = await ask("GET", `/api/messages/${id}`);
  assert.equal(status, 200, text);
  return detail.parse(JSON.parse(text));
}

/** Without a login, as programs on this machine do. */
async function offer(from: string, to: readonly string[], message: string): Promise<string> {
  const client = await WireClient.open(local.port("smtp"));
  await client.hello();
  const reply = await client.send(from, to, Buffer.from(message.replaceAll(/\r?\n/g, "\r\n"), "utf8"));
  client.destroy();
  return `${reply.code} ${reply.text}`;
}

interface Mail {
  readonly subject: string;
  readonly to?: string;
  readonly fields?: string;
  readonly body?: string;
}

/** Returns the spool id. */
async function send({ subject, to = "anna@example.net", fields = "", body = "Hello" }: Mail): Promise<string> {
  const reply = await offer(sender, [to], `From: ${sender}\nTo: ${to}\nSubject: ${subject}\n${fields}\n${body}\n`);
  const id = /^250 .*accepted as (\w+)/.exec(reply)?.[1];
  assert.ok(id !== undefined, reply);
  return id;
}

async function untilIt(id: string, standing: string): Promise<Outline> {
  return until(`${id} ${standing}`, async () =>
    (await list()).find((one) => one.id === id && one.standing === standing),
  );
}

/** Sent, and all there: the last thing that comes is the log's line. */
async function capture(mail: Mail): Promise<{ readonly id: string; readonly file: string }> {
  const id = await send(mail);
  await untilIt(id, "delivered");
  const file = (await look(id)).copies[0]?.file;
  assert.ok(file !== undefined);
  return { id, file };
}

function captured(): readonly string[] {
  return readdirSync(join(directory, "state/captured")).toSorted();
}

function stateText(name: string): string {
  return readFileSync(join(directory, "state", name), "utf8");
}

test("programs on this machine send without a login, signed; of another domain they hear what to write", async () => {
  const { id } = await capture({ subject: "No login" });
  const { dkim, unread, recipients } = await untilIt(id, "delivered");
  assert.deepEqual([dkim, unread, recipients], ["pass", true, 1]);
  const refused = await offer("app@other.example", ["anna@example.net"], "From: app@other.example\n\nx\n");
  assert.match(
    refused,
    /^550 5\.7\.1 .*domain other\.example is not granted to this client: a SenderDomain with domain other\.example must name this client in its senders/,
  );
  // MAIL, RCPT and DATA each: the log's lines come a little after the replies, and none is to come into the next test.
  const refusals = async (): Promise<number> => (await list()).filter((one) => one.id.startsWith("refused-")).length;
  await until("the page has all refusals", async () => (await refusals()) === 3 || undefined);
});

const cross: readonly (readonly [
  what: string,
  headers: Readonly<Record<string, string>>,
  status: number,
  words: RegExp,
])[] = [
  ["no token", {}, 403, /needs the header x-mailboat-token/],
  ["an old token", { "x-mailboat-token": "a".repeat(43) }, 403, /token of an earlier start/],
  ["the page of another site", { origin: "http://evil.example" }, 403, /^This was asked by http:\/\/evil\.example/],
  [
    "its token and another site's page",
    { "x-mailboat-token": "OURS", origin: "http://evil.example" },
    403,
    /evil\.example/,
  ],
  ["a frame of nobody", { "x-mailboat-token": "OURS", origin: "null" }, 403, /asked by null/],
  ["a link on another site", { "x-mailboat-token": "OURS", "sec-fetch-site": "cross-site" }, 403, /another site/],
  [
    "a name that leads here",
    { "x-mailboat-token": "OURS", host: "evil.example:PORT" },
    421,
    /answers to no other name/,
  ],
];

test("nobody else's page changes anything, or reads the token", async () => {
  const { id } = await capture({ subject: "Mine" });
  for (const [what, given, status, words] of cross) {
    const headers = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [
        name,
        value.replace("OURS", token).replace("PORT", String(local.port("page"))),
      ]),
    );
    for (const [method, path] of [
      ["DELETE", "/api/messages"],
      ["DELETE", `/api/messages/${id}`],
      ["POST", "/api/messages/read"],
      ["POST", `/api/messages/${id}/read`],
    ] as const) {
      const told = await ask(method, path, headers);
      assert.equal(told.status, status, `${method} ${path} with ${what}`);
      assert.match(told.text, words);
    }
  }
  assert.deepEqual(
    (await list()).map((one) => [one.id, one.unread]),
    [[id, true]],
  );
  const asking = { origin: "http://evil.example", "access-control-request-headers": "x-mailboat-token" };
  for (const [method, path, headers] of [
    ["OPTIONS", "/api/messages", asking],
    ["GET", "/api/token", { origin: "http://evil.example" }],
    ["GET", "/api/token", { "sec-fetch-site": "cross-site" }],
    ["GET", "/api/messages", { origin: "http://evil.example" }],
  ] as const) {
    const told = await ask(method, path, headers);
    assert.equal(told.headers["access-control-allow-origin"], undefined);
    assert.equal(told.headers["access-control-allow-headers"], undefined);
    assert.equal(told.headers["cross-origin-resource-policy"], "same-origin");
    assert.doesNotMatch(told.text, new RegExp(token));
  }
  const page = await ask("GET", "/");
  assert.ok(page.text.includes(`<meta name="mailboat-token" content="${token}" />`));
  assert.doesNotMatch(page.headers["content-security-policy"]?.toString() ?? "", /unsafe|\*/);
  assert.equal(stateText("page-token"), `${token}\n`);
  assert.equal(statSync(join(directory, "state/page-token")).mode & 0o777, 0o600);
});

test("a search finds words of header, text and HTML, and never those of a script", async () => {
  const html = `<html><head><style>.invisible{}</style></head><body><p>Your anchor weighs four kilograms</p>
<script type="application/ld+json">{"@type":"Order","orderNumber":"hiddennumber"}</script>
<a href="https://shop.example.com/7">Track it</a></body></html>`;
  const encoded = Buffer.from(html, "utf8").toString("base64");
  const type = "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n";
  const { id } = await capture({ subject: "Anchor", fields: type, body: encoded });
  await capture({ subject: "Rope", fields: "X-Order: 4711\n", body: "Twenty metres of rope" });
  await capture({ subject: "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", body: "An anchor, too" });
  const searches: readonly (readonly [words: string, subjects: readonly string[]])[] = [
    ["anchor", ["Anchor", "Grüße"]],
    ["ANCHOR Kilograms", ["Anchor"]],
    ['"four kilograms"', ["Anchor"]],
    ['"kilograms four"', []],
    ["x-order: 4711", ["Rope"]],
    ["grüße", ["Grüße"]],
    ["metres anna@example.net delivered", ["Rope"]],
    ["hiddennumber", []],
    ["invisible", []],
    ["%", []],
  ];
  for (const [words, found] of searches) assert.deepEqual(await subjects(words), found, words);
  const [copy] = (await look(id)).copies;
  assert.equal(copy?.content?.text, "Your anchor weighs four kilograms\n\nTrack it");
  assert.deepEqual(copy.content.links, [{ href: "https://shop.example.com/7", text: "Track it" }]);
  assert.doesNotMatch((await ask("GET", `/api/messages/${id}/html`)).text, /hiddennumber/);
  assert.deepEqual(await change("DELETE", `/api/messages?search=${encodeURIComponent('"four kilograms"')}`), {
    deleted: 1,
    waiting: 0,
  });
  assert.deepEqual(await subjects(), ["Rope", "Grüße"]);
  for (const search of ["", "%20", "%22%22", Array.from({ length: 21 }, () => "rope").join("+")]) {
    const told = await ask("DELETE", `/api/messages?search=${search}`, { "x-mailboat-token": token });
    assert.deepEqual([told.status, told.text.startsWith("Nothing was deleted: ")], [400, true], search);
  }
  assert.deepEqual(await subjects(), ["Rope", "Grüße"]);
});

test("one is deleted with its files, its story and its late lines, and a name that is none deletes nothing", async () => {
  const [one, other] = [await capture({ subject: "Goes" }), await capture({ subject: "Stays" })];
  for (const path of ["aaa", `${one.id}x`, "..%2f..%2fports.json", other.file.slice(0, -1)])
    assert.equal((await ask("DELETE", `/api/messages/${path}`, { "x-mailboat-token": token })).status, 404);
  const events = await follow();
  assert.deepEqual(await change("DELETE", `/api/messages/${one.id}`), { deleted: 1 });
  assert.match(await events.next(/event: gone/), new RegExp(`event: gone\\ndata: \\{"id":"${one.id}"\\}`));
  assert.deepEqual(await subjects(), ["Stays"]);
  assert.deepEqual(captured(), [other.file, other.file.replace(".eml", ".json")].toSorted());
  for (const path of ["", "/source"]) assert.equal((await ask("GET", `/api/messages/${one.id}${path}`)).status, 404);
  assert.equal((await ask("GET", `/messages/${one.file}/source`)).status, 404);
});

test("a file that somebody deletes by hand is gone, in words; so is the whole folder, and new mail is caught all the same", async () => {
  const { id, file } = await capture({ subject: "By hand" });
  const events = await follow();
  rmSync(join(directory, "state/captured", file));
  assert.match(await events.next(/"gone":true/), /event: message/);
  assert.deepEqual(
    (await list()).map(({ gone }) => gone),
    [true],
  );
  const [copy] = (await look(id)).copies;
  assert.deepEqual([copy?.gone, copy?.content], [true, null]);
  assert.match(copy?.note ?? "", /no longer in the folder of captured messages/);
  const source = await ask("GET", `/api/messages/${id}/source`);
  assert.deepEqual([source.status, source.text.includes("its file was deleted")], [404, true]);
  rmSync(join(directory, "state/captured"), { recursive: true });
  await capture({ subject: "After it" });
  assert.deepEqual(
    (await list()).map(({ subject, gone }) => [subject, gone]),
    [
      ["By hand", true],
      ["After it", false],
    ],
  );
});

test("what waits shows its source and cannot be deleted, what bounced shows what its notice gave back", async () => {
  const body = Array.from({ length: 30_000 }, () => "wait for me").join("\n");
  const [waits, bounced] = [
    await send({ subject: "Waits", to: "full@example.net", fields: "X-Try: 1\n", body }),
    await send({ subject: "Bounced", to: "refuse@example.net", fields: "X-Try: 2\n", body: "never to be read" }),
  ];
  await untilIt(waits, "retrying");
  const { held } = await look(waits);
  assert.deepEqual([held?.where, held?.pod, held?.isWhole], ["spool", "mail.outbound-0", true]);
  assert.equal(held?.content.headers.find(({ name }) => name === "X-Try")?.value, "1");
  const source = await ask("GET", `/api/messages/${waits}/source?save`);
  // Larger than what lies within the spool's database: its body is a file of its own.
  assert.match(source.text, /^Received: [^]*\r\nX-Try: 1\r\n[^]*\r\n\r\n(?:wait for me\r\n){30000}$/);
  assert.equal(source.headers["content-disposition"], `attachment; filename="${waits}.eml"`);

  await untilIt(bounced, "bounced");
  await until("its notice", async () => (await look(bounced)).held !== null);
  const returned = await look(bounced);
  assert.deepEqual([returned.held?.where, returned.held?.isWhole, returned.subject], ["notice", false, "Bounced"]);
  assert.match(returned.held?.note ?? "", /^its header, as the notice/);
  assert.match((await ask("GET", `/api/messages/${bounced}/source`)).text, /^Received: [^]*\r\nX-Try: 2\r\n/);

  const refused = await ask("DELETE", `/api/messages/${waits}`, { "x-mailboat-token": token });
  assert.deepEqual([refused.status, /waits in a spool/.test(refused.text)], [409, true]);
  await until(
    "the notice's own story",
    async () => (await list()).filter(({ standing }) => standing === "delivered").length === 1,
  );
  assert.deepEqual(await change("DELETE", "/api/messages"), { deleted: 2, waiting: 1 });
  assert.deepEqual(await subjects(), ["Waits"]);
});

test("all is cleared at once: nothing is left on disk, and nothing comes back; what waits stays", async () => {
  const mails = ["One", "Two", "Three"].map((subject) => capture({ subject, body: "secretword" }));
  await Promise.all(mails);
  const refused = await send({ subject: "secretword refused", to: "spam@example.net" });
  await until("its notice", async () => (await look(refused)).held?.where === "notice");
  // The three and the notice, whose own lines of the log come after its file.
  await until("all of it", async () => {
    const standings = (await list()).map(({ standing }) => standing);
    const isOver = standings.every((standing) => ["delivered", "bounced", "retrying"].includes(standing));
    return isOver && standings.filter((standing) => standing === "delivered").length === mails.length + 1;
  });
  assert.match(stateText("history.jsonl"), /secretword/);
  const events = await follow();
  await change("DELETE", "/api/messages");
  await events.next(/event: cleared/);
  assert.deepEqual(captured(), []);
  assert.doesNotMatch(stateText("history.jsonl"), /secretword/);
  assert.equal(existsSync(join(directory, "state/history.jsonl.1")), false);
  assert.deepEqual(
    (await list()).filter(({ subject }) => subject !== "Waits"),
    [],
  );
});

test("what was read, deleted and kept is so after a restart, with another token", async () => {
  const [read, unread, gone, byHand] = [
    await capture({ subject: "Read" }),
    await capture({ subject: "Unread" }),
    await capture({ subject: "Gone" }),
    await capture({ subject: "By hand" }),
  ];
  assert.deepEqual(await change("POST", `/api/messages/${read.id}/read`), { read: 1 });
  await look(unread.id);
  await change("POST", `/api/messages/${gone.id}/read`);
  assert.deepEqual(await change("POST", `/api/messages/${gone.id}/unread`), { unread: 1 });
  const marks = async (): Promise<readonly (readonly [string | undefined, boolean])[]> =>
    (await list()).filter(({ subject }) => subject !== "Waits").map((one) => [one.subject, one.unread] as const);
  assert.deepEqual(await marks(), [
    ["Read", false],
    ["Unread", true],
    ["Gone", true],
    ["By hand", true],
  ]);
  await change("DELETE", `/api/messages/${gone.id}`);
  rmSync(join(directory, "state/captured", byHand.file));

  const tokenBefore = token;
  await local.program.kill("SIGINT");
  assert.equal(existsSync(join(directory, "state/page-token")), false);
  await local.startAgain(["--keep", "3"]);
  await readToken();
  assert.notEqual(token, tokenBefore);
  assert.deepEqual(await marks(), [
    ["Read", false],
    ["Unread", true],
  ]);
  assert.doesNotMatch(stateText("history.jsonl"), new RegExp(gone.id));
  await change("POST", "/api/messages/read");
  assert.deepEqual(await marks(), [
    ["Read", false],
    ["Unread", false],
  ]);
});

test("only the newest are kept, and the terminal says so once", async () => {
  assert.equal(
    local.program.lines.some((line) => line.includes("older ones are deleted")),
    false,
  );
  for (const number of [1, 2, 3, 4, 5, 6]) await capture({ subject: `Number ${number}` });
  await until("the oldest to go", () => captured().length === 6);
  assert.deepEqual(
    (await subjects()).filter((subject) => subject !== "Waits"),
    ["Number 4", "Number 5", "Number 6"],
  );
  const said = local.program.lines.filter((line) => line.includes("older ones are deleted"));
  assert.deepEqual(said, [
    "the newest 3 captured messages are kept, older ones are deleted: --keep (KEEP=...) says how many",
  ]);
});

test("what docs/page.md types clears, waits, finds, marks and deletes", { skip: lacking("curl") }, async () => {
  const text = readFileSync(join(repositoryRoot, "docs/page.md"), "utf8");
  const [block = ""] = [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map((match) => match[1] ?? "");
  const here = block
    .replaceAll("localhost:8025", `localhost:${local.port("page")}`)
    .replaceAll("127.0.0.1:2025", `127.0.0.1:${local.port("smtp")}`);
  assert.notEqual(here, block);
  await capture({ subject: "Older" });
  const { code, output } = await runCommand("bash", ["-ec", here]);
  assert.equal(code, 0, output);
  for (const words of [/"deleted":\d+/, /https:\/\/shop\.example\.com\/7/, /\{"read":1\}/, /\{"deleted":1\}/])
    assert.match(output, words);
  assert.deepEqual(
    (await subjects()).filter((subject) => subject !== "Waits"),
    [],
  );
});

/** The page's events from now on. */
async function follow(): Promise<{ next: (fits: RegExp) => Promise<string> }> {
  const response = await fetch(`${local.page}api/events`, { signal: AbortSignal.timeout(30_000) });
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  const decoder = new TextDecoder();
  let text = "";
  const read = async (fits: RegExp): Promise<string> => {
    while (!fits.test(text)) {
      const chunk = await reader.read();
      if (chunk.done) throw new Error(`the feed ended: ${text}`);
      text += decoder.decode(chunk.value as Uint8Array, { stream: true });
    }
    return text;
  };
  await read(/event: list/);
  return {
    next: async (fits) => {
      const found = await read(fits);
      await reader.cancel();
      return found;
    },
  };
}
