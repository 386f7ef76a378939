/**
 * Mail clients that nobody here wrote log in by each mechanism that they have, send as the domain that names them, and are refused as
 * another: and what they tell the person behind them says which domain it was and what must be written down.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { credentialFor, user } from "../support/configuration.ts";
import { mailClients, type Mailing } from "../support/mailclients.ts";
import { openStage, subjectOf, type Stage } from "../support/stage.ts";

let stage: Stage;
let mailing: Mailing;
const ending: (() => Promise<void>)[] = [];
before(async () => {
  const context = { after: (end: () => Promise<void>) => ending.push(end) } as Pick<TestContext, "after">;
  stage = await openStage(context as TestContext, {
    file: import.meta.url,
    domains: [
      { domain: "example.com", trustedNetworks: false },
      { domain: "foreign.example", trustedNetworks: false, credentials: [credentialFor("other/app", "other", "hers")] },
    ],
  });
  mailing = {
    port: stage.relay.port("submission"),
    ca: join(stage.directory, "relay.example.net.crt"),
    directory: stage.directory,
    username: user.name,
    password: user.password,
  };
});
after(async () => {
  for (const end of ending.toReversed()) await end();
});

const words =
  /domain foreign\.example is not granted to this client: a SenderDomain with domain foreign\.example must name this client in its senders/;

for (const client of mailClients) {
  for (const mechanism of client.mechanisms) {
    const what = `${client.name} sends by ${mechanism}, and says why not as another domain`;
    test(what, { skip: client.lacking }, async () => {
      const subject = `${client.name} ${mechanism}`;
      const sent = await client.send(mailing, { mechanism, from: "app@example.com", subject });
      assert.equal(sent.code, 0, sent.output);
      await stage.hop.waitUntil(subject, () => stage.hop.mails.some(({ message }) => subjectOf(message) === subject));
      const foreign = { mechanism, from: "app@foreign.example", subject: `not ${subject}` };
      const refused = await client.send(mailing, foreign);
      assert.notEqual(refused.code, 0);
      assert.match(refused.output, words);
      const wrong = await client.send({ ...mailing, password: "wrong" }, { ...foreign, subject: `wrong ${subject}` });
      assert.notEqual(wrong.code, 0);
      assert.match(wrong.output, /Authentication credentials invalid/);
    });
  }
}
