import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { freshDirectory, openAt, start } from "../../test/support/spoolplace.ts";
import { newMessage } from "../../test/support/relayvalues.ts";
import { inspect } from "./inspect.ts";
import type { Printed } from "./printed.ts";

const clock = { now: () => start + 60_000 };

async function print(directory: string, ...args: readonly string[]): Promise<Printed> {
  const environment = { MAILBOAT_SPOOL_DIR: directory };
  return inspect({ verb: "spool", args, environment, clock });
}

test("what is set aside is listed, shown in the queue, and exported whole", async () => {
  const directory = await freshDirectory();
  const first = await openAt(directory);
  const { message, recipients } = newMessage({ acceptedAt: start, domain: "example.com" }, [
    { address: "one@a.example" },
    { address: "two@b.example" },
  ]);
  await first.commit({ message, recipients, dueAt: start });
  await first.close();
  assert.match((await print(directory, "--unreadable")).out, /^Nothing is set aside/);
  const database = new DatabaseSync(join(directory, "spool.db"));
  database.exec("UPDATE recipient SET notify = char(27) || '[31mLATER' WHERE idx = 1");
  database.close();
  const spool = await openAt(directory);
  await spool.claim({ now: start, limit: 1 });

  const { out } = await print(directory, "--unreadable");
  assert.match(out, /^1 recipient set aside/);
  assert.match(
    out,
    new RegExp(`^ +1 +${message.id} +1 +1 m +column notify holds what this version does not know$`, "m"),
  );
  const json = JSON.parse((await print(directory, "--unreadable", "--json")).out) as { unreadable: readonly object[] };
  assert.deepEqual(json.unreadable, [
    {
      row: 1,
      spoolId: message.id,
      recipient: "1",
      since: new Date(start).toISOString(),
      reason: "column notify holds what this version does not know",
    },
  ]);
  assert.match((await print(directory)).out, /a\.example \(1\), \(1 set aside, see --unreadable\)/);

  const exported = JSON.parse((await print(directory, "--export", "1")).out) as {
    message: { id: string; sender: string; content: { base64: string } };
    recipients: readonly { address: string; notify: string | null }[];
  };
  assert.equal(exported.message.id, message.id);
  const body = message.body.kind === "inline" ? message.body.bytes : Buffer.alloc(0);
  assert.deepEqual(Buffer.from(exported.message.content.base64, "base64"), Buffer.concat([message.header, body]));
  assert.deepEqual(
    exported.recipients.map(({ address, notify }) => [address, notify]),
    [
      ["one@a.example", null],
      ["two@b.example", "\u001b[31mLATER"],
    ],
  );
  assert.deepEqual(await print(directory, "--export", "2"), { status: 1, out: "", err: "the spool has no row 2\n" });
});
