/**
 * Mail clients that nobody here wrote log in by each mechanism that they have, send as the domain that names them, and are refused as
 * another: and what they tell the person behind them says which domain it was and what must be written down.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { allListeners, credentialFor, user } from "../support/configuration.ts";
import { mailClients, type Mailing } from "../support/mailclients.ts";
import { makeRoot, makeWorkload, type OpensslPair } from "../support/opensslclients.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { signingIssuer } from "../support/tokens.ts";
import { openStage, subjectOf, type Stage } from "../support/stage.ts";

let stage: Stage;
let mailing: Mailing;
let pairs: { readonly good: OpensslPair; readonly wrong: OpensslPair };
const cluster = signingIssuer("RS256", "cluster");
const issuer = "https://kubernetes.default.svc";
const senders = { serviceAccounts: [{ namespace: "shop", name: "checkout" }] };

function tokenFor(audience: string): string {
  const exp = Math.floor(Date.now() / 1000) + 3_600;
  return cluster.token({ iss: issuer, aud: [audience], sub: "system:serviceaccount:shop:checkout", exp });
}

const spiffe = "spiffe://cluster.local/ns/shop/sa/checkout";
const ending: (() => Promise<void>)[] = [];
before(async () => {
  const files = makeResultsDirectory(import.meta.url, "certificates");
  const [root, other] = [makeRoot(files, "root"), makeRoot(files, "other")];
  pairs = {
    good: makeWorkload(files, root, { name: "pod", uri: spiffe }),
    wrong: makeWorkload(files, other, { name: "stranger", uri: spiffe }),
  };
  const context = { after: (end: () => Promise<void>) => ending.push(end) } as Pick<TestContext, "after">;
  stage = await openStage(context as TestContext, {
    file: import.meta.url,
    plan: {
      listeners: allListeners.map((each) => ({ ...each, clientCertificates: "Optional" })),
      clientAuthorities: readFileSync(root.certificate, "utf8"),
      tokenIssuers: [{ kind: "ServiceAccounts", issuer, audience: "mailboat", keys: [cluster.key] }],
    },
    domains: [
      { domain: "example.com", trustedNetworks: false, certificateUris: [spiffe], senders },
      { domain: "foreign.example", trustedNetworks: false, credentials: [credentialFor("other/app", "other", "hers")] },
    ],
  });
  mailing = {
    port: stage.relay.port("submission"),
    ca: join(stage.directory, "relay.example.net.crt"),
    directory: stage.directory,
    username: user.name,
    password: user.password,
    account: "system:serviceaccount:shop:checkout",
    token: tokenFor("mailboat"),
    pair: pairs.good,
    pairName: spiffe,
  };
});
after(async () => {
  for (const end of ending.toReversed()) await end();
});

const words =
  /domain foreign\.example is not granted to this client: a SenderDomain with domain foreign\.example must name this client in its senders/;

/** Go and GnuTLS show no certificate that is of none of the authorities which the relay names to them. */
const notShown = /certificate cannot be used: it leads to no|No client certificate was shown|not support .* EXTERNAL/;

/** go-smtp and JavaMail tell their caller what comes before the words alone, the challenge of RFC 7628 section 3.2.2. */
const otherAudience = /The token is for another audience|invalid_token|OAUTH2 asked for more/;
const wrongProof: Readonly<Record<string, RegExp>> = {
  EXTERNAL: notShown,
  OAUTHBEARER: otherAudience,
  XOAUTH2: otherAudience,
};

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
      const not = { ...mailing, password: "wrong", pair: pairs.wrong, token: tokenFor("another") };
      const wrong = await client.send(not, { ...foreign, subject: `wrong ${subject}` });
      assert.notEqual(wrong.code, 0);
      assert.match(wrong.output, wrongProof[mechanism] ?? /Authentication credentials invalid/);
    });
  }
}
