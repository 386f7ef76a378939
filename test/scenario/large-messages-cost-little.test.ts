/** A message of 50 MiB goes through without being held in memory. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";

const mebibyte = 2 ** 20;
const small = 400;

const rows = [
  { name: "in lines as mail has them", line: `${randomBytes(57).toString("base64")}\r\n`, isKept: true },
  { name: "in lines that are encoded anew", line: `${"log entry ".repeat(6554)}\r\n`, isKept: false },
] as const;

for (const { name, line, isKept } of rows) {
  test(`a 50 MiB message ${name} adds less than 64 MiB to the relay's peak memory`, async (t) => {
    const stage = await openStage(t, { file: import.meta.url });
    const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
    t.after(() => client.destroy());
    // As many as bring the heap to where it rests: with fewer its first growth would be counted as the large message's.
    for (let number = 1; number <= small; number += 1) {
      const reply = await client.send(sender, ["someone@example.org"], simpleMessage(`small ${number}`));
      assert.equal(reply.code, 250, reply.text);
    }
    await stage.hop.waitForMails(small);
    const before = stage.relay.peakMemoryBytes();
    const large = simpleMessage("large", sender, line.repeat(Math.ceil((50 * mebibyte) / line.length)));
    assert.ok(large.length >= 50 * mebibyte);
    const reply = await client.send(sender, ["someone@example.org"], large);
    assert.equal(reply.code, 250, reply.text);
    await stage.hop.waitForMails(small + 1, 60_000);
    const added = (stage.relay.peakMemoryBytes() - before) / mebibyte;
    t.diagnostic(`${(before / mebibyte).toFixed(0)} MiB before, ${added.toFixed(1)} MiB added`);
    const arrived = stage.hop.mails.at(-1)?.message;
    if (isKept) assert.ok(arrived?.subarray(-4_000).equals(large.subarray(-4_000)));
    else assert.ok((arrived?.length ?? 0) > large.length);
    assert.ok(added < 64, `${added} MiB`);
  });
}
