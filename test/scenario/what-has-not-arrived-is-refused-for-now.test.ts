/** A volume that vanished, or a document that cannot be read: clients keep their mail until the relay has its whole configuration. */
import assert from "node:assert/strict";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { domainsDirectory, shardName } from "../../api/relayconfig.ts";
import { placeText, user } from "../support/configuration.ts";
import { openSession } from "../support/send.ts";
import { SmtpClient } from "../support/smtpclient.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

async function loginReply(stage: Stage): Promise<string> {
  const client = await SmtpClient.connect(stage.relay.port("submissions"), { implicitTls: true });
  try {
    await client.reply();
    await client.command("EHLO client.example");
    return await client.login(user.name, user.password);
  } finally {
    client.destroy();
  }
}

async function revisionIs(stage: Stage, revision: string | undefined): Promise<void> {
  await until(`revision ${revision}`, async () => (await stage.relay.status()).revision === revision);
}

test("a shard that vanishes while the configuration names it costs no client its mail", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const session = await openSession({ name: "submission", port: stage.relay.port("submission") }, user);
  t.after(() => session.destroy());
  await revisionIs(stage, stage.plan.revision ?? "1");

  const shard = join(stage.directory, "config", domainsDirectory, shardName(0));
  renameSync(shard, `${shard}.away`);
  await revisionIs(stage, undefined);
  assert.match(await loginReply(stage), /^454 4\.7\.0 /);
  const mail = await session.command(`MAIL FROM:<${sender}>`);
  assert.equal(mail.code, 451, mail.text);

  renameSync(`${shard}.away`, shard);
  await revisionIs(stage, stage.plan.revision ?? "1");
  assert.match(await loginReply(stage), /^235 /);
  const reply = await session.send(sender, ["someone@example.org"], simpleMessage("again", sender));
  assert.equal(reply.code, 250, reply.text);
  await stage.hop.waitForMails(1);
});

test("a relay document that cannot be read leaves the last one in force, and unknown logins are to try again", async (t) => {
  const stage = await openStage(t, { file: import.meta.url, name: "newer" });
  placeText(join(stage.directory, "config"), '{"version":99}');
  await revisionIs(stage, undefined);
  assert.match(await loginReply(stage), /^235 /);
  const client = await SmtpClient.connect(stage.relay.port("submissions"), { implicitTls: true });
  t.after(() => client.destroy());
  await client.reply();
  await client.command("EHLO client.example");
  assert.match(await client.login("of the newer document", "x"), /^454 4\.7\.0 /);
});
