/**
 * Secrets that are there and cannot be used, on a real API server: an authority that is none, a login of another type or with
 * nobody who could send it, one whose time ends, one user with more passwords than a relay looks through, a domain whose senders let
 * nobody in.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { z } from "zod";
import { makeCertificateAuthority } from "../../operator/trust/issue.ts";
import { passwordsOfAUser } from "../../operator/credentials/logins.ts";
import { domainManifest, relayManifest, secretManifest } from "../support/controlplane/manifests.ts";
import { OperatorStage } from "../support/controlplane/operatorstage.ts";
import { lackingControlPlane } from "../support/controlplane/programs.ts";

const skip = lackingControlPlane();
const withinMs = 4_000;
const basicAuth = "kubernetes.io/basic-auth";
const labels = { app: "shop" };
let stage: OperatorStage;

before(
  async () => {
    if (skip !== false) return;
    stage = await OperatorStage.open(import.meta.url);
    await stage.operator().leading();
  },
  { timeout: 1_800_000 },
);

after(async () => {
  if (skip === false) await stage.close();
});

async function configuration(namespace: string): Promise<Readonly<Record<string, string>>> {
  const secret = await stage.read("Secret", { namespace, name: "outbound-configuration" });
  return z.record(z.string(), z.string()).parse(secret["data"]);
}

async function configurationOf(namespace: string): Promise<string> {
  return JSON.stringify(await configuration(namespace));
}

test("a smarthost's authority that is none keeps the last good one in the pods, and is told", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const authority = await makeCertificateAuthority(Date.now());
  const giveAuthority = (text: string): void =>
    stage.apply(secretManifest({ namespace, name: "ca", values: { "ca.crt": text } }));
  const says = async (reason: string): Promise<string> =>
    (await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason, withinMs })).message;
  giveAuthority(authority.certificate);
  const smarthosts = [{ name: "first", host: "smtp.example.net", port: 587, caRef: { name: "ca" } }];
  stage.apply(relayManifest({ ...relay, spec: { delivery: { smarthosts } } }));
  await says("ResolvedRefs");
  await stage.until("Secret", { namespace, name: "outbound-configuration" }, { what: "is there", fits: () => true });
  const good = await configurationOf(namespace);
  for (const [text, words] of [
    ["", "which is empty"],
    ["garbage", "no certificate in ca.crt"],
    [authority.privateKey, "a private key in ca.crt"],
  ] as const) {
    giveAuthority(text);
    assert.ok((await says("SecretInvalid")).includes(words));
    assert.equal(await configurationOf(namespace), good);
    giveAuthority(authority.certificate);
    await says("ResolvedRefs");
  }
});

test("selected Secrets that let nobody in are named with what is wrong, on relay and domain", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const [relay, domain] = [
    { namespace, name: "outbound" },
    { namespace, name: "example-com" },
  ];
  const login = { username: "app\n", password: "correct horse\n" };
  stage.apply(
    secretManifest({ namespace, name: "good", type: basicAuth, labels, values: login }),
    secretManifest({ namespace, name: "opaque", labels, values: login }),
    secretManifest({ namespace, name: "lines", type: basicAuth, labels, values: { ...login, password: "a\nb" } }),
  );
  const credentials = { secretSelector: { matchLabels: labels } };
  stage.apply(
    relayManifest({ ...relay, spec: { identities: { credentials } } }),
    domainManifest({ ...domain, spec: { senders: [{ name: "logins", credentials }] } }),
  );
  const refs = { type: "ResolvedRefs", reason: "SecretInvalid", withinMs };
  const told = await stage.untilCondition("MailRelay", relay, refs);
  assert.match(
    told.message,
    /Secret test-[^/]+\/opaque: has type Opaque: make it anew with type kubernetes.io\/basic-auth/,
  );
  assert.match(told.message, /Secret test-[^/]+\/lines: data key password holds a line end/);
  assert.ok(!told.message.includes("/good"), told.message);
  const incomplete = { type: "Accepted", status: "True", reason: "SendersIncomplete", withinMs };
  assert.match((await stage.untilCondition("SenderDomain", domain, incomplete)).message, /opaque: has type Opaque/);
});

test(
  "the end of a login is told a week before and afterwards, and takes the login out of the documents",
  { skip },
  async () => {
    const namespace = stage.makeNamespace();
    const [relay, domain] = [
      { namespace, name: "outbound" },
      { namespace, name: "example-com" },
    ];
    const values = { username: "app", password: "correct horse" };
    for (const name of ["good", "guest"])
      stage.apply(secretManifest({ namespace, name, type: basicAuth, labels, values }));
    const endAt = (time: string): void => {
      const end = `mailboat.dev/expires-at=${time}`;
      stage.plane.kubectl(["annotate", "secret", "guest", "--namespace", namespace, "--overwrite", end]);
    };
    const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
    endAt(inMs(86_400_000));
    const credentials = { secretSelector: { matchLabels: labels } };
    stage.apply(
      relayManifest({ ...relay, spec: { identities: { credentials } } }),
      domainManifest({ ...domain, spec: { senders: [{ name: "logins", credentials }] } }),
    );
    const says = async (refs: string, accepted: string, words: RegExp): Promise<void> => {
      const said = [
        await stage.untilCondition("MailRelay", relay, { type: "ResolvedRefs", reason: refs, withinMs }),
        await stage.untilCondition("SenderDomain", domain, {
          type: "Accepted",
          status: "True",
          reason: accepted,
          withinMs,
        }),
      ];
      for (const { message } of said) assert.match(message, words);
    };
    await says("Expiring", "SendersExpiring", /^spec\.\S+: Secret test-[^/]+\/guest: lets nobody in any more from 20/);
    const named = async (): Promise<boolean> =>
      Buffer.from((await configuration(namespace))["relay.json"] ?? "", "base64").includes(`${namespace}/guest`);
    assert.equal(await named(), true);
    endAt(inMs(2_000));
    await says("Expired", "SendersIncomplete", /guest: has let nobody in since 20[^;]+$/);
    assert.equal(await named(), false);
    endAt(inMs(30 * 86_400_000));
    await says("ResolvedRefs", "Accepted", /is there and usable$|serves the domain$/);
    assert.equal(await named(), true);
    endAt("tomorrow");
    await says(
      "SecretInvalid",
      "SendersIncomplete",
      /guest: annotation mailboat\.dev\/expires-at is no time: write it like/,
    );
    assert.equal(await named(), false);
  },
);

test("a user with more Secrets than a relay looks through is told of, in a few words", { skip }, async () => {
  const namespace = stage.makeNamespace();
  const relay = { namespace, name: "outbound" };
  const count = passwordsOfAUser + 8;
  const secrets = Array.from({ length: count }, (_, index) =>
    secretManifest({
      namespace,
      name: `device-${String(index).padStart(2, "0")}`,
      type: basicAuth,
      labels,
      values: { username: "app", password: `password ${index}` },
    }),
  );
  stage.apply(...secrets);
  stage.apply(
    relayManifest({ ...relay, spec: { identities: { credentials: { secretSelector: { matchLabels: labels } } } } }),
  );
  const refs = { type: "ResolvedRefs", reason: "SecretInvalid", withinMs };
  const { message } = await stage.untilCondition("MailRelay", relay, refs);
  assert.match(message, /device-\d\d, \S+ and 3 more: user name app has more than 32 Secrets/);
});

test(
  "a domain whose only senders are of a kind that its relay does not take is not Ready, and says so",
  { skip },
  async () => {
    const namespace = stage.makeNamespace();
    const domain = { namespace, name: "example-com" };
    const senders = [{ name: "pods", serviceAccounts: [{ namespace, name: "checkout" }] }];
    stage.apply(relayManifest({ namespace, name: "outbound" }), domainManifest({ ...domain, spec: { senders } }));
    const accepted = { type: "Accepted", status: "True", reason: "NoSenders", withinMs };
    assert.match(
      (await stage.untilCondition("SenderDomain", domain, accepted)).message,
      /^spec\.senders\[0\]\.serviceAccounts: MailRelay \S+\/outbound takes no tokens of ServiceAccounts: its owner can set/,
    );
    const ready = await stage.untilCondition("SenderDomain", domain, { type: "Ready", withinMs });
    assert.equal(ready.status, "False");
  },
);
