/**
 * A login that is changed or gone opens nothing any more, in sessions that are open as in new ones; one that comes back does. No refusal
 * is for good but that of a new login: mail servers that keep their connections lose no mail when their password is changed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { user, type RelayPlan } from "../support/configuration.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, subjectOf, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const mail = `MAIL FROM:<${sender}>`;
const recipients = ["someone@example.org"];

async function reconfigure(stage: Stage, change: Partial<RelayPlan> & { readonly revision: string }): Promise<void> {
  stage.relay.reconfigure({ ...stage.plan, ...change });
  await until(
    `revision ${change.revision}`,
    async () => (await stage.relay.status()).revision === change.revision || undefined,
  );
}

async function said(client: WireClient, line: string): Promise<string> {
  const { code, text } = await client.command(line);
  return `${code} ${text}`;
}

test("an open session asks again at its next MAIL, and a transaction that is under way at its header", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const open = async (password: string): Promise<WireClient> => {
    const client = await openSession(
      { name: "submissions", port: stage.relay.port("submissions") },
      { ...user, password },
    );
    t.after(() => client.destroy());
    return client;
  };
  const [idle, busy] = [await open(user.password), await open(user.password)];
  assert.equal((await idle.send(sender, recipients, simpleMessage("before"))).code, 250);
  for (const line of [mail, "RCPT TO:<someone@example.org>"]) assert.equal((await busy.command(line)).code, 250);

  const changed = stage.plan.domains.map((domain) => ({ ...domain, password: "another" }));
  await reconfigure(stage, { revision: "2", domains: changed });
  assert.match(await said(idle, mail), /^421 4\.7\.0 /);
  assert.equal((await busy.command("DATA")).code, 354);
  busy.write(`${simpleMessage("under-way").toString()}.\r\n`);
  const refused = await busy.reply();
  assert.match(`${refused.code} ${refused.text}`, /^451 4\.7\.0 /);
  // RFC 4954 section 4: nobody logs in twice in a session, and this one is still one.
  const again = await busy.authPlain(user.name, "another");
  assert.match(`${again.code} ${again.text}`, /^503 5\.5\.1 /);
  assert.match(await said(busy, mail), /^421 4\.7\.0 /);
  await assert.rejects(open(user.password), /login: 535 5\.7\.8/);
  const renewed = await open("another");
  assert.equal((await renewed.send(sender, recipients, simpleMessage("renewed"))).code, 250);

  await reconfigure(stage, { revision: "3", domains: [] });
  assert.match(await said(renewed, mail), /^421 4\.7\.0 /);
  await assert.rejects(open("another"), /login: 535 5\.7\.8/);

  await reconfigure(stage, { revision: "4" });
  const back = await open(user.password);
  assert.equal((await back.send(sender, recipients, simpleMessage("back"))).code, 250);
  await stage.hop.waitForMails(3);
  assert.deepEqual(stage.hop.mails.map(({ message }) => subjectOf(message)).sort(), ["back", "before", "renewed"]);
});
