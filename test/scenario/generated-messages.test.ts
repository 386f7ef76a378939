/** Messages made to be difficult, through three next hops: a scripted one, Postfix's smtp-sink, and a real Postfix. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kept, refused, type GeneratedMessage } from "../support/generated.ts";
import { startPostfix, startSmtpSink } from "../support/mailhosts.ts";
import { unstatedChange } from "../support/message.ts";
import { verifyWithDkimpy } from "../support/python.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, subjectOf } from "../support/stage.ts";
import { lacking, needsRoot } from "../support/tools.ts";
import { until } from "../support/until.ts";

function messageOf(row: GeneratedMessage, domain: string): Buffer {
  const fields = `From: app@${domain}\r\nTo: someone@example.org\r\nSubject: ${row.name}\r\n`;
  return Buffer.concat([Buffer.from(fields, "latin1"), row.rest]);
}

const skip = lacking("postfix", "smtp-sink") || needsRoot();

test("generated messages", { skip }, async (t) => {
  const work = makeResultsDirectory(import.meta.url, "messages");
  const [sink, postfix] = [await startSmtpSink(t, work), await startPostfix(t, work)];
  const stage = await openStage(t, {
    file: import.meta.url,
    domains: [
      "example.com",
      { domain: "sink.example.com", nextHops: [sink.address] },
      { domain: "postfix.example.com", nextHops: [postfix.address] },
    ],
  });
  const routes = [
    { name: "a scripted next hop", domain: "example.com", arrivals: () => stage.hop.mails.map((mail) => mail.message) },
    { name: "smtp-sink", domain: "sink.example.com", arrivals: () => sink.arrivals() },
    { name: "Postfix", domain: "postfix.example.com", arrivals: () => postfix.arrivals() },
  ];
  const listener = { name: "smtp", port: stage.relay.port("smtp") };

  for (const row of refused) {
    await t.test(`${row.name} is refused`, async () => {
      const client = await openSession(listener);
      const reply = await client.send("app@example.com", ["someone@example.org"], messageOf(row, "example.com"));
      assert.equal(reply.code, 550, reply.text);
      assert.match(reply.text, row.reply);
      // The session is in order: nothing of the message was taken for a command.
      assert.equal((await client.command("NOOP")).code, 250);
      client.destroy();
    });
  }
  for (const route of routes) {
    const client = await openSession(listener);
    for (const row of kept) {
      const reply = await client.send(`app@${route.domain}`, ["someone@example.org"], messageOf(row, route.domain));
      assert.equal(reply.code, 250, `${row.name}: ${reply.text}`);
    }
    client.destroy();
    await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0, 120_000);
    await until(`all messages at ${route.name}`, () => route.arrivals().length >= kept.length, 60_000);
    const arrivals = new Map(route.arrivals().map((message) => [subjectOf(message), message]));
    const paths = kept.map((row, index) => {
      const path = join(work, `${route.domain}-${index}.eml`);
      writeFileSync(path, arrivals.get(row.name) ?? "");
      return path;
    });
    const verdicts = await verifyWithDkimpy(stage.records, paths);
    for (const [index, row] of kept.entries()) {
      await t.test(`${row.name} arrives untouched and verified at ${route.name}`, () => {
        const arrived = arrivals.get(row.name);
        assert.ok(arrived !== undefined, "did not arrive");
        assert.equal(unstatedChange(messageOf(row, route.domain), arrived), undefined);
        assert.deepEqual(verdicts[index], { rsa: "pass", ed: "pass" });
      });
    }
  }
});
