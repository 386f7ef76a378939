/** A message of 50 MiB goes through without being held in memory. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";

const mebibyte = 2 ** 20;

test("a 50 MiB message adds less than 64 MiB to the relay's peak memory", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  for (let number = 1; number <= 20; number += 1) {
    const reply = await client.send(sender, ["someone@example.org"], simpleMessage(`small ${number}`));
    assert.equal(reply.code, 250, reply.text);
  }
  await stage.hop.waitForMails(20);
  const before = stage.relay.peakMemoryBytes();
  const line = `${randomBytes(57).toString("base64")}\r\n`;
  const large = simpleMessage("large", sender, line.repeat(Math.ceil((50 * mebibyte) / line.length)));
  assert.ok(large.length >= 50 * mebibyte);
  const reply = await client.send(sender, ["someone@example.org"], large);
  assert.equal(reply.code, 250, reply.text);
  await stage.hop.waitForMails(21, 60_000);
  const added = (stage.relay.peakMemoryBytes() - before) / mebibyte;
  t.diagnostic(`${(before / mebibyte).toFixed(0)} MiB before, ${added.toFixed(1)} MiB added`);
  assert.ok(stage.hop.mails.at(-1)?.message.subarray(-4_000).equals(large.subarray(-4_000)));
  assert.ok(added < 64, `${added} MiB`);
  client.destroy();
});
