import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { type CaptureExchanger, startCapture } from "./exchanger.ts";
import { answerId, type CaptureAnswer, type CapturedMessage } from "./record.ts";

/** Says each line after the reply to the one before; resolves to all replies. */
async function converse(port: number, lines: readonly string[]): Promise<readonly string[]> {
  const socket = connect(port, "127.0.0.1");
  const replies: string[] = [];
  const left = [...lines];
  for await (const reply of createInterface({ input: socket })) {
    replies.push(reply);
    if (/^\d{3}-/.test(reply)) continue;
    const next = left.shift();
    if (next === undefined) break;
    socket.write(`${next}\r\n`);
  }
  socket.destroy();
  return replies;
}

interface Scene {
  readonly exchanger: CaptureExchanger;
  readonly directory: string;
  readonly captured: CapturedMessage[];
  readonly answers: CaptureAnswer[];
}

async function open(context: TestContext): Promise<Scene> {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-capture-"));
  const captured: CapturedMessage[] = [];
  const answers: CaptureAnswer[] = [];
  const exchanger = await startCapture({
    directory,
    host: "127.0.0.1",
    port: 0,
    lookup: () => undefined,
    now: () => Date.parse("2026-11-23T12:00:00.123Z"),
    onCaptured: (message) => captured.push(message),
    onAnswered: (answer) => answers.push(answer),
    onError: (error) => assert.ifError(error),
  });
  context.after(async () => {
    await exchanger.close();
    await rm(directory, { recursive: true });
  });
  return { exchanger, directory, captured, answers };
}

test("the capture exchanger keeps a message byte for byte and answers with the name of its file", async (context) => {
  const { exchanger, directory, captured } = await open(context);
  const replies = await converse(exchanger.port, [
    "EHLO client.example",
    "MAIL FROM:<a@example.com>",
    "RCPT TO:<b@example.org>",
    "DATA",
    "Received: from a by b with ESMTPS id 0mwwpbtf46f4046a3f5fe; now\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n..dot\r\n\xe4\r\n.",
    "QUIT",
  ]);
  const file = "20261123T120000.123Z-00001.eml";
  assert.ok(replies.some((reply) => reply.startsWith("250") && reply.endsWith(`captured as ${file}`)));
  assert.deepEqual((await readdir(directory)).sort(), [file, file.replace(".eml", ".json")].sort());
  assert.match(await readFile(join(directory, file), "utf8"), /\r\n\r\n\.dot\r\n\xe4\r\n$/);
  const record: unknown = JSON.parse(await readFile(join(directory, file.replace(".eml", ".json")), "utf8"));
  assert.deepEqual(captured, [record]);
  assert.deepEqual(record, {
    receivedAt: "2026-11-23T12:00:00.123Z",
    file,
    sizeBytes: 115,
    from: "a@example.com",
    to: ["b@example.org"],
    dkim: "none",
    signatures: [],
    summary: { subject: "Grüße", receivedIds: ["0mwwpbtf46f4046a3f5fe"], isNotice: false, attachments: 0 },
  });
});

const refusals: readonly (readonly [recipient: string, reply: RegExp])[] = [
  ["refuse@example.org", /^550 5\.1\.1 <refuse@example\.org> is no user here \[answer \S+\]$/],
  ["tempfail@example.org", /^451 4\.3\.0 <tempfail@example\.org> is out of order for two tries \[answer \S+\]$/],
  ["greylist@example.org", /^451 4\.7\.1 /],
  ["full@example.org", /^452 4\.2\.2 /],
  ["454@example.org", /^454 4\.7\.0 <454@example\.org> asked for 454 /],
  ["599@example.org", /^599 5\.0\.0 /],
  ["421@example.org", /^421 /],
];
for (const [recipient, reply] of refusals) {
  test(`the capture exchanger answers RCPT of ${recipient} with ${reply.source}`, async (context) => {
    const { exchanger, answers } = await open(context);
    const replies = await converse(exchanger.port, [
      "EHLO c.example",
      "MAIL FROM:<a@example.com>",
      `RCPT TO:<${recipient}>`,
    ]);
    assert.match(replies.at(-1) ?? "", reply);
    assert.deepEqual(
      answers.map(({ from, to }) => ({ from, to })),
      [{ from: "a@example.com", to: [recipient] }],
    );
    assert.equal(answerId(replies.at(-1)), answers[0]?.id);
  });
}

const transaction = (recipient: string): readonly string[] => [
  "MAIL FROM:<a@example.com> SIZE=100",
  `RCPT TO:<${recipient}>`,
];

test("tempfail@ takes the third try of a message, and the next message starts anew", async (context) => {
  const { exchanger } = await open(context);
  const twice = [...transaction("tempfail@example.org"), "RSET"];
  const taken = [...transaction("tempfail@example.org"), "RSET"];
  const replies = await converse(exchanger.port, ["EHLO c.example", ...twice, ...twice, ...taken, ...twice, "QUIT"]);
  const answers = replies.filter((reply) => /tempfail|2\.1\.5/.test(reply)).map((reply) => reply.slice(0, 3));
  assert.deepEqual(answers, ["451", "451", "250", "451"]);
});

test("spam@ refuses what it has read, and drop@ says nothing at all", async (context) => {
  const { exchanger, directory, answers } = await open(context);
  const message = "Subject: watches\r\n\r\nbuy\r\n.";
  const spam = await converse(exchanger.port, ["EHLO c.example", ...transaction("spam@example.org"), "DATA", message]);
  assert.match(spam.at(-1) ?? "", /^550 5\.7\.1 <spam@example\.org> does not want this message \[answer /);
  const drop = await converse(exchanger.port, ["EHLO c.example", ...transaction("drop@example.org"), "DATA", message]);
  assert.match(drop.at(-1) ?? "", /^354 /);
  assert.deepEqual(
    answers.map(({ to, summary }) => [to, summary?.subject]),
    [
      [["spam@example.org"], "watches"],
      [["drop@example.org"], "watches"],
    ],
  );
  assert.deepEqual(await readdir(directory), []);
});
