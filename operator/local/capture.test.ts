import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { type CapturedMessage, startCapture } from "./capture.ts";

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

test("the capture exchanger keeps a message byte for byte and answers with the name of its file", async (context) => {
  const directory = await mkdtemp(join(tmpdir(), "mailboat-capture-"));
  const captured: CapturedMessage[] = [];
  const exchanger = await startCapture({
    directory,
    host: "127.0.0.1",
    port: 0,
    lookup: () => undefined,
    now: () => Date.parse("2026-11-23T12:00:00.123Z"),
    onCaptured: (message) => captured.push(message),
    onError: (error) => assert.ifError(error),
  });
  context.after(async () => {
    await exchanger.close();
    await rm(directory, { recursive: true });
  });
  const replies = await converse(exchanger.port, [
    "EHLO client.example",
    "MAIL FROM:<a@example.com>",
    "RCPT TO:<b@example.org>",
    "DATA",
    "From: a@example.com\r\n\r\n..dot\r\n\xe4\r\n.",
    "QUIT",
  ]);
  const file = "20261123T120000.123Z-00001.eml";
  assert.ok(replies.some((reply) => reply.startsWith("250") && reply.endsWith(`captured as ${file}`)));
  assert.deepEqual((await readdir(directory)).sort(), [file, file.replace(".eml", ".json")].sort());
  assert.equal(await readFile(join(directory, file), "utf8"), "From: a@example.com\r\n\r\n.dot\r\n\xe4\r\n");
  assert.deepEqual(
    [captured[0]?.from, captured[0]?.to, captured[0]?.dkim],
    ["a@example.com", ["b@example.org"], "none"],
  );
});
