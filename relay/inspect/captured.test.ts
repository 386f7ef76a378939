import assert from "node:assert/strict";
import { test } from "node:test";
import { freshDirectory, openAt, start } from "../../test/support/spoolplace.ts";
import { newMessage } from "../../test/support/relayvalues.ts";
import { inspect } from "./inspect.ts";
import type { Printed } from "./printed.ts";

const clock = { now: () => start + 60_000 };

async function print(directory: string, ...args: readonly string[]): Promise<Printed> {
  return inspect({ verb: "spool", args, environment: { MAILBOAT_SPOOL_DIR: directory }, clock });
}

test("captured mail is listed for people and programs, and saved octet by octet", async () => {
  const directory = await freshDirectory();
  const spool = await openAt(directory);
  assert.equal((await print(directory, "--captured")).out, "No captured mail is here.\n");
  const header = Buffer.from("Subject: caf\u00e9\u001b[31m and so on\r\n", "latin1");
  const people = [1, 2, 3, 4, 5].map((number) => ({ address: `r${number}@example.net` }));
  const reply = { code: 250, text: "captured" };
  const ids: string[] = [];
  for (const [sender, recipients] of [
    ["app@example.com", people],
    ["", people.slice(0, 1)],
  ] as const) {
    const message = newMessage({ acceptedAt: start, sender, header }, recipients);
    const { id } = message.message;
    ids.push(id);
    await spool.commit({ ...message, claim: true });
    const signatures = "DKIM-Signature: v=1\r\n";
    const outcomes = recipients.map((_, index) => ({
      kind: "captured" as const,
      index,
      reply,
      signatures,
      copiedBytes: 0,
    }));
    await spool.settle({ id, outcomes });
  }

  const { out } = await print(directory, "--captured");
  assert.match(out, /^2 captured messages, the newest first/);
  assert.match(out, /^ROW +ID +AGE +FROM +TO +OCTETS +SUBJECT$/m);
  assert.match(out, new RegExp(`^ +2 +${ids[1]} +1 m +example\\.com \\(notice\\) +r1@example\\.net +\\d+ +caf`, "m"));
  assert.match(out, /app@example\.com +r1@example\.net, r2@example\.net, r3@example\.net, 2 others +/);
  assert.ok(!out.includes("\u001b"), "an escape sequence reaches the terminal");

  const json = JSON.parse((await print(directory, "--captured", "--json", "--limit", "1")).out) as {
    captured: readonly Record<string, unknown>[];
  };
  assert.equal(json.captured.length, 1);
  const { sizeBytes, subject: _, ...rest } = json.captured[0] ?? {};
  assert.deepEqual(rest, {
    row: 2,
    spoolId: ids[1],
    capturedAt: new Date(start).toISOString(),
    from: "",
    domain: "example.com",
    to: ["r1@example.net"],
  });

  const { octets, status } = await print(directory, "--eml", "2");
  assert.equal(status, 0);
  assert.ok(octets !== undefined);
  assert.equal(octets.length, sizeBytes);
  assert.ok(octets.includes(header));
  assert.match(octets.toString("latin1"), /^DKIM-Signature: v=1\r\nSubject: [^]*\r\n\r\nmessage \d+\r\n$/);
  assert.deepEqual(await print(directory, "--eml", "9"), {
    status: 1,
    out: "",
    err: "no captured mail has row 9: spool --captured lists what is here\n",
  });
});
