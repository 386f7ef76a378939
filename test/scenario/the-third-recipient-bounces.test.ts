/** One of three recipients is put off for a while and then refused for good: two deliveries, one notice, nothing twice. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyWithDkimpy } from "../support/python.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf } from "../support/stage.ts";

const recipients = ["one@example.org", "two@example.org", "three@example.org"];
const putOffTimes = 3;
const retry = { firstMs: 1_000, maxMs: 2_000, expireAfterMs: 600_000, notifyDelayAfterMs: 500_000 };

test("two recipients get the message and the sender a notice about the third", async (t) => {
  const stage = await openStage(t, {
    file: import.meta.url,
    plan: { retry },
    script: {
      recipient(address, attempt) {
        if (address !== "three@example.org") return undefined;
        return attempt <= putOffTimes ? "451 4.2.0 mailbox is busy" : "550 5.1.1 no such user here";
      },
    },
  });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  const reply = await client.send(sender, recipients, simpleMessage("for three"));
  assert.equal(reply.code, 250, reply.text);
  client.destroy();
  await stage.hop.waitUntil("notice", () => stage.hop.mails.some((mail) => mail.sender === ""), 60_000);

  const deliveries = stage.hop.mails.filter((mail) => subjectOf(mail.message) === "for three");
  assert.deepEqual(deliveries.flatMap((mail) => mail.recipients).toSorted(), ["one@example.org", "two@example.org"]);

  const times = stage.hop.recipientCommands
    .filter((each) => each.address === "three@example.org")
    .map((each) => each.at);
  assert.equal(times.length, putOffTimes + 1);
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
  t.diagnostic(`attempts after ${gaps.join(", ")} ms`);
  // Doubling from `first` up to `max`; jitter moves it by 15 % at most, the rest is the work itself.
  [1_000, 2_000, 2_000].forEach((plannedMs, index) => {
    const gap = gaps[index] ?? 0;
    assert.ok(
      gap >= plannedMs * 0.84 && gap <= plannedMs * 1.15 + 1_000,
      `gap ${index} is ${gap} ms, planned ${plannedMs}`,
    );
  });

  const notices = stage.hop.mails.filter((mail) => mail.sender === "");
  assert.equal(notices.length, 1);
  const [notice] = notices;
  assert.ok(notice !== undefined);
  assert.deepEqual(notice.recipients, [sender]);
  const text = notice.message.toString("latin1");
  for (const expected of [
    /^Content-Type: multipart\/report; *(?:\r\n\s)?report-type=delivery-status/im,
    /^Final-Recipient: rfc822; ?three@example\.org\r$/im,
    /^Action: failed\r$/im,
    /^Status: 5\.1\.1\r$/im,
    /^Diagnostic-Code: smtp; ?550 5\.1\.1 no such user here\r$/im,
    /^Auto-Submitted: auto-(?:replied|generated)/im,
    /^Subject: for three\r$/m,
  ]) {
    assert.match(text, expected);
  }
  assert.doesNotMatch(text, /Final-Recipient: rfc822; ?(?:one|two)@/i);
  const path = join(stage.directory, "notice.eml");
  writeFileSync(path, notice.message);
  assert.deepEqual(await verifyWithDkimpy(stage.records, [path]), [{ rsa: "pass", ed: "pass" }]);

  const { spool } = await stage.relay.status();
  assert.deepEqual([spool.queuedMessages, spool.queuedRecipients], [0, 0]);
});
