/**
 * A pod sends with the token of its ServiceAccount and a person with one of an OIDC issuer, by every mechanism that can carry a token, and
 * as the domains that name them alone. A token's end ends its session, a key that is new is waited for, and one that was withdrawn opens
 * nothing. The clients of the examples are those that people have: Python's smtplib and nodemailer. No token is written down anywhere.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, after, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import type { TokenIssuerDocument } from "../../api/relayconfig.ts";
import { repositoryRoot } from "../support/results.ts";
import { WireClient, type WireReply } from "../support/send.ts";
import { openStage, simpleMessage, subjectOf, type Stage } from "../support/stage.ts";
import { forgedToken, signingIssuer } from "../support/tokens.ts";
import { until } from "../support/until.ts";

const cluster = signingIssuer("RS256", "cluster-1");
const rotated = signingIssuer("ES256", "cluster-2");
const elsewhere = signingIssuer("RS256", "cluster-1");
const staff = signingIssuer("EdDSA", "staff-1");
const audience = "mailboat";
const iss = "https://kubernetes.default.svc.cluster.local";
const staffIss = "https://login.example.com/realms/staff";
const account = (name: string): string => `system:serviceaccount:mail:${name}`;

const clusterIssuer: TokenIssuerDocument = { kind: "ServiceAccounts", issuer: iss, audience, keys: [cluster.key] };
const staffIssuer: TokenIssuerDocument = {
  kind: "OIDC",
  name: "staff",
  issuer: staffIss,
  audience,
  usernameClaim: "email",
  groupsClaim: "groups",
  keys: [staff.key],
};

/** Every token that was shown, for the search at the end. */
const shown: string[] = [];

function kept(token: string): string {
  shown.push(token);
  return token;
}

function claimsOf(sub: string, lifeSeconds = 600): Readonly<Record<string, unknown>> {
  const at = Math.floor(Date.now() / 1000);
  return { iss, aud: [audience], sub, nbf: at - 5, exp: at + lifeSeconds };
}

function personOf(email: string, ...groups: readonly string[]): Readonly<Record<string, unknown>> {
  return { ...claimsOf("4711"), iss: staffIss, aud: audience, email, groups };
}

const podToken = (name: string, lifeSeconds = 600): string => kept(cluster.token(claimsOf(account(name), lifeSeconds)));
const staffToken = (email: string, ...groups: readonly string[]): string =>
  kept(staff.token(personOf(email, ...groups)));

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const mechanisms: Readonly<Record<string, (token: string, name?: string) => string>> = {
  OAUTHBEARER: (token, name) =>
    base64(`n,${name === undefined ? "" : `a=${name}`},\x01host=h\x01port=587\x01auth=Bearer ${token}\x01\x01`),
  XOAUTH2: (token, name = "") => base64(`user=${name}\x01auth=Bearer ${token}\x01\x01`),
  PLAIN: (token, name = "") => base64(`\0${name}\0${token}`),
};

let stage: Stage;
const ending: (() => Promise<void>)[] = [];

before(async () => {
  const context = { after: (end: () => Promise<void>) => ending.push(end) } as Pick<TestContext, "after">;
  stage = await openStage(context as TestContext, {
    file: import.meta.url,
    domains: [
      { domain: "example.com", senders: { serviceAccounts: [{ namespace: "mail", name: "checkout" }] } },
      { domain: "other.example", senders: { serviceAccounts: [{ namespace: "mail", name: "other" }] } },
      {
        domain: "staff.example",
        senders: { oidc: [{ issuer: "staff", users: ["ann@staff.example"], groups: ["mailers"] }] },
      },
    ],
    plan: { tokenIssuers: [clusterIssuer, staffIssuer] },
  });
});

after(async () => {
  for (const end of ending.toReversed()) await end();
});

async function open(t: TestContext): Promise<WireClient> {
  const client = await WireClient.open(stage.relay.port("submissions"), "implicit");
  t.after(() => client.destroy());
  assert.equal((await client.hello()).code, 250);
  return client;
}

/** The last word: a client that is told why answers it with ^A (RFC 7628 section 3.2.3). */
async function logIn(client: WireClient, mechanism: string, message: string): Promise<WireReply> {
  const reply = await client.command(`AUTH ${mechanism} ${message}`);
  return reply.code === 334 ? client.command("AQ==") : reply;
}

async function answerTo(t: TestContext, mechanism: string, message: string): Promise<string> {
  const reply = await logIn(await open(t), mechanism, message);
  return `${reply.code} ${reply.text}`;
}

async function reconfigure(revision: string, tokenIssuers: readonly TokenIssuerDocument[]): Promise<void> {
  stage.relay.reconfigure({ ...stage.plan, revision, tokenIssuers });
  await until(`revision ${revision}`, async () => (await stage.relay.status()).revision === revision || undefined);
}

test("EHLO offers what carries a token where somebody's tokens are taken", async (t) => {
  const client = await open(t);
  assert.match(
    (await client.command("EHLO again.example.net")).text,
    /^AUTH PLAIN LOGIN OAUTHBEARER XOAUTH2 SCRAM-SHA-256\b/m,
  );
});

for (const [mechanism, message] of Object.entries(mechanisms)) {
  test(`${mechanism}: each identity sends as the domains that name it, in envelope and header, and as no other`, async (t) => {
    const identities: readonly (readonly [string, string | undefined, string | undefined])[] = [
      [podToken("checkout"), undefined, "example.com"],
      [podToken("checkout"), account("checkout"), "example.com"],
      [podToken("other"), undefined, "other.example"],
      [podToken("nobody"), undefined, undefined],
      [staffToken("ann@staff.example"), "ann@staff.example", "staff.example"],
      [staffToken("bob@staff.example", "mailers"), undefined, "staff.example"],
      [staffToken("bob@staff.example", "others"), undefined, undefined],
    ];
    for (const [token, name, own] of identities) {
      const client = await open(t);
      assert.equal((await logIn(client, mechanism, message(token, name))).code, 235);
      for (const domain of ["example.com", "other.example", "staff.example"]) {
        const from = `app@${domain}`;
        const subject = `${mechanism} ${domain}`;
        const envelope = await client.send(from, ["someone@example.org"], simpleMessage(subject, from));
        assert.equal(envelope.code, domain === own ? 250 : 550, `${domain} of ${own ?? "nobody"}: ${envelope.text}`);
        const header = await client.send("", ["someone@example.org"], simpleMessage(subject, from));
        assert.equal(header.code, domain === own ? 250 : 550, header.text);
      }
    }
  });

  test(`${mechanism}: a token that is not good is refused with what is wrong`, async (t) => {
    const claims = claimsOf(account("checkout"));
    const wrong: readonly (readonly [string, RegExp])[] = [
      [cluster.token({ ...claims, exp: Math.floor(Date.now() / 1000) - 1 }), /^535 5\.7\.8 The token has expired$/],
      [cluster.token({ ...claims, exp: undefined }), /^535 5\.7\.8 The token has no end/],
      [cluster.token({ ...claims, aud: ["api"] }), /^535 5\.7\.8 The token is for another audience/],
      [elsewhere.token(claims), /^535 5\.7\.8 Authentication credentials invalid$/],
      [forgedToken(cluster, "none", claims), /^535 5\.7\.8 /],
      [forgedToken(cluster, "HS256", claims), /^535 5\.7\.8 /],
      [elsewhere.token({ ...claims, iss: "https://other" }), /^535 5\.7\.8 /],
    ];
    await Promise.all(
      wrong.map(async ([token, said]) => assert.match(await answerTo(t, mechanism, message(kept(token))), said)),
    );
    const another = message(podToken("checkout"), account("other"));
    assert.match(await answerTo(t, mechanism, another), /^535 5\.7\.8 The user name is not that of the token/);
  });
}

for (const [mechanism, message] of Object.entries(mechanisms)) {
  test(`${mechanism}: a long token fits, with the command and after it (RFC 4954 section 4)`, async (t) => {
    const groups = Array.from({ length: 160 }, (_, index) => `a group with a long name ${index}`);
    const said = message(staffToken("ann@staff.example", ...groups));
    assert.ok(said.length > 8_000 && said.length < 12_288, `${said.length} octets`);
    assert.equal((await (await open(t)).command(`AUTH ${mechanism} ${said}`)).code, 235);
    const client = await open(t);
    assert.equal((await client.command(`AUTH ${mechanism}`)).code, 334);
    assert.equal((await client.command(said)).code, 235);
  });
}

test("LOGIN takes a token from who is named", async (t) => {
  const client = await open(t);
  assert.equal((await client.command(`AUTH LOGIN ${base64(account("checkout"))}`)).code, 334);
  assert.equal((await client.command(base64(podToken("checkout")))).code, 235);
});

test("the third failed token ends the session, also for a client that gives up before it hears so", async (t) => {
  for (const mechanism of ["OAUTHBEARER", "XOAUTH2"]) {
    const client = await open(t);
    const message = mechanisms[mechanism]?.(kept(elsewhere.token(claimsOf(account("checkout"))))) ?? "";
    for (const _ of [1, 2]) {
      assert.equal((await client.command(`AUTH ${mechanism} ${message}`)).code, 334);
      assert.equal((await client.command("*")).code, 501);
    }
    assert.equal((await client.command(`AUTH ${mechanism} ${message}`)).code, 421);
  }
});

test("a session ends with its token: the next MAIL hears 421", async (t) => {
  const client = await open(t);
  assert.equal((await logIn(client, "PLAIN", mechanisms["PLAIN"]?.(podToken("checkout", 2)) ?? "")).code, 235);
  assert.equal((await client.send("app@example.com", ["someone@example.org"], simpleMessage("in time"))).code, 250);
  const last = await until("the end of the token", async () => {
    const reply = await client.command("MAIL FROM:<app@example.com>");
    if (reply.code !== 250) return reply;
    assert.equal((await client.command("RSET")).code, 250);
    return undefined;
  });
  assert.match(`${last.code} ${last.text}`, /^421 4\.7\.0 The time of this login is over/);
});

test("a new key is waited for and told of, and its tokens log in once it is there; without the old one its session ends", async (t) => {
  const message = mechanisms["OAUTHBEARER"]?.(kept(rotated.token(claimsOf(account("checkout"))))) ?? "";
  assert.equal((await stage.relay.status()).unknownTokenKeys, undefined);
  assert.match(await answerTo(t, "OAUTHBEARER", message), /^454 4\.7\.0 The token's key is not known here yet/);
  assert.deepEqual((await stage.relay.status()).unknownTokenKeys, [""]);
  const old = await open(t);
  assert.equal((await logIn(old, "PLAIN", mechanisms["PLAIN"]?.(podToken("checkout")) ?? "")).code, 235);
  await reconfigure("2", [{ ...clusterIssuer, keys: [cluster.key, rotated.key] }, staffIssuer]);
  assert.match(await answerTo(t, "OAUTHBEARER", message), /^235 /);
  assert.equal((await old.send("app@example.com", ["someone@example.org"], simpleMessage("old key"))).code, 250);
  await reconfigure("3", [{ ...clusterIssuer, keys: [rotated.key] }, staffIssuer]);
  assert.match((await old.command("MAIL FROM:<app@example.com>")).text, /^4\.7\.0 This login stands no longer/);
  await reconfigure("4", [clusterIssuer, staffIssuer]);
});

test("the examples send: Python with a password's place, Node with XOAUTH2", async () => {
  const { certificate } = stage.plan.certificate;
  writeFileSync(join(stage.directory, "ca.crt"), certificate);
  writeFileSync(join(stage.directory, "token"), podToken("checkout"));
  const port = String(stage.relay.port("submission"));
  const programs = [
    { file: "send.py", command: ["/usr/bin/python3"] },
    { file: "send.mjs", command: [process.execPath] },
  ];
  for (const {
    file,
    command: [program = ""],
  } of programs) {
    const text = readFileSync(join(repositoryRoot, "examples/pod-identity", file), "utf8");
    assert.ok(text.trimEnd().split("\n").length <= 14, file);
    // Where they are mounted in the pod of the example, and under which name the relay is reached here.
    const placed = text.replaceAll("/var/run/mailboat/", `${stage.directory}/`);
    const path = join(stage.directory, file);
    writeFileSync(path, placed);
    const env = { ...process.env, SMTP_HOST: "localhost", SMTP_PORT: port };
    await promisify(execFile)(program, [path], { env, cwd: repositoryRoot, timeout: 30_000 });
  }
  const subjects = await until("both", async () => {
    const all = stage.hop.mails.map(({ message }) => subjectOf(message));
    return all.includes("Hello from Python") && all.includes("Hello from Node") ? Promise.resolve(all) : undefined;
  });
  assert.ok(subjects.length > 2);
});

test("no token is in a log, a metric, a report or on the disk of the relay", async () => {
  const said = [
    ...filesIn(stage.directory)
      .filter((path) => !path.endsWith("/token"))
      .map((path) => readFileSync(path, "latin1")),
    await stage.relay.metrics(),
    JSON.stringify(await stage.relay.status()),
    ...stage.hop.mails.map(({ message }) => message.toString("latin1")),
  ];
  assert.ok(shown.length > 30);
  for (const token of shown) {
    const [, , signature = ""] = token.split(".");
    for (const text of said) assert.ok(!text.includes(token) && !text.includes(signature), token);
  }
});

function filesIn(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile());
}
