/**
 * Passwords of several Secrets under one user name, by every mechanism, with clients that others wrote: each opens what its own Secret
 * may use, until its time is over; the relay tells when each was last used, and tells the passwords to nobody.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { z } from "zod";
import { credentialFor, user, type DomainPlan } from "../support/configuration.ts";
import { runCommand } from "../gate/command.ts";
import { makeCertificate, makeEd25519Key } from "../support/keys.ts";
import { NextHop } from "../support/nexthop.ts";
import { runPython } from "../support/python.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { lacking } from "../support/tools.ts";
import { until } from "../support/until.ts";

const directory = makeResultsDirectory(import.meta.url, "relay");
const certificate = makeCertificate(directory, "relay.example.net");
const keys = [makeEd25519Key("ed")];
const one = credentialFor("shop/one", user.name, user.password);
const guest = {
  ...credentialFor("billing/guest", user.name, "a guest's pass=word, 9"),
  expiresAt: Date.now() + 3_600_000,
};
const over = { ...credentialFor("shop/over", user.name, "of yesterday"), expiresAt: Date.now() - 1_000 };
const spare = credentialFor("shop/spare", "spare", "never used");
const domains: readonly DomainPlan[] = [
  { domain: "example.com", keys, trustedNetworks: false, credentials: [one, over, spare] },
  { domain: "billing.example", keys, trustedNetworks: false, credentials: [guest] },
];

let hop: NextHop;
let relay: RelayProgram;
before(async () => {
  hop = await NextHop.start();
  relay = await RelayProgram.start({ directory, plan: { nextHops: [hop.address], domains, certificate } });
});
after(async () => {
  await relay.program.kill("SIGKILL");
  await hop.stop();
});

const tenants = [
  { domain: "example.com", password: user.password, foreign: "billing.example" },
  { domain: "billing.example", password: "a guest's pass=word, 9", foreign: "example.com" },
] as const;

const loginScript = `
import json, smtplib, ssl, sys
order = json.load(sys.stdin)
context = ssl._create_unverified_context()
said = []
for mechanism in ["PLAIN", "LOGIN"]:
    client = smtplib.SMTP("127.0.0.1", order["port"], timeout=60)
    client.starttls(context=context)
    client.ehlo()
    client.user, client.password = order["user"], order["password"]
    try:
        code, _ = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
        codes = [code] + [client.docmd("MAIL", "FROM:<a@%s>" % domain)[0] for domain in order["domains"]]
    except smtplib.SMTPAuthenticationError as error:
        codes = [error.smtp_code]
    said.append(codes)
    client.close()
json.dump(said, sys.stdout)
`;

async function smtplib(password: string, wanted: readonly string[]): Promise<number[][]> {
  const order = { port: relay.port("submission"), user: user.name, password, domains: wanted };
  return runPython(loginScript, order, z.array(z.array(z.number())));
}

for (const { domain, password, foreign } of tenants) {
  test(`PLAIN and LOGIN of Python's smtplib: the password of ${domain} opens it, and not ${foreign}`, async () => {
    const opened = [235, 550, 250];
    assert.deepEqual(await smtplib(password, [foreign, domain]), [opened, opened]);
  });
}

test("a wrong password, and one whose time is over, are 535", async () => {
  for (const password of ["wrong", "of yesterday"]) assert.deepEqual(await smtplib(password, []), [[535], [535]]);
  await relay.program.waitForLog("the time of a login is over");
});

interface Sent {
  readonly code: number;
  readonly output: string;
}

async function msmtp(
  t: TestContext,
  mechanism: string,
  wish: { readonly password: string; readonly from: string },
): Promise<Sent> {
  const file = join(directory, `msmtp-${mechanism}-${wish.from}`);
  writeFileSync(`${file}.pass`, wish.password);
  const settings = {
    host: "127.0.0.1",
    port: relay.port("submission"),
    from: wish.from,
    auth: mechanism,
    user: user.name,
  };
  const lines = Object.entries({ ...settings, tls: "on", tls_certcheck: "off", passwordeval: `"cat ${file}.pass"` });
  writeFileSync(file, ["account default", ...lines.map((pair) => pair.join(" ")), ""].join("\n"), { mode: 0o600 });
  const message = `From: ${wish.from}\nTo: b@example.org\nSubject: ${mechanism} ${wish.from}\n\nhello\n`;
  writeFileSync(`${file}.eml`, message);
  t.diagnostic(mechanism);
  return runCommand("bash", ["-c", `msmtp --debug --file=${file} b@example.org < ${file}.eml`]);
}

for (const mechanism of ["scram-sha-256", "plain"]) {
  test(`msmtp logs in with ${mechanism}, and sends what its Secret may`, { skip: lacking("msmtp") }, async (t) => {
    for (const { domain, password, foreign } of tenants) {
      const from = `${mechanism}@${domain}`;
      const sent = await msmtp(t, mechanism, { password, from });
      assert.equal(sent.code, 0, sent.output);
      await until(from, async () =>
        Promise.resolve(hop.mails.some(({ message }) => message.includes(from)) || undefined),
      );
      const refused = await msmtp(t, mechanism, { password, from: `${mechanism}@${foreign}` });
      assert.notEqual(refused.code, 0);
      assert.match(refused.output, /550 5\.7\.1/);
    }
    const wrong = await msmtp(t, mechanism, { password: "wrong", from: "wrong@example.com" });
    assert.match(wrong.output, /535 5\.7\.8/);
  });
}

/** GNU SASL over GnuTLS: it binds by tls-exporter, and believes only a relay that knows the password. */
async function gsasl(mechanism: string, password: string): Promise<Sent> {
  const server = `--connect=127.0.0.1:${relay.port("submission")}`;
  const binding = mechanism.endsWith("-PLUS") ? [] : ["--no-cb"];
  const login = [`--mechanism=${mechanism}`, `--authentication-id=${user.name}`, `--password=${password}`, ...binding];
  return runCommand("gsasl", ["--client", "--smtp", "--starttls", "--x509-ca-file=", server, "--verbose", ...login]);
}

for (const mechanism of ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]) {
  test(`GNU SASL logs in with ${mechanism} and believes the relay`, { skip: lacking("gsasl") }, async () => {
    const good = await gsasl(mechanism, user.password);
    assert.equal(good.code, 0, good.output);
    assert.match(good.output, new RegExp(`AUTH ${mechanism}[^]*235 2\\.7\\.0[^]*server trusted`));
    const wrong = await gsasl(mechanism, "wrong");
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.output, /535 5\.7\.8/);
  });
}

test("the relay tells when each Secret was last used, counts logins by mechanism, and tells no password", async () => {
  const today = new Date().toISOString().slice(0, 10);
  const { logins = [] } = await relay.status();
  assert.deepEqual(
    logins.map(({ secret, lastUsedDate }) => [secret, lastUsedDate === undefined ? "unused" : lastUsedDate <= today]),
    [
      ["billing/guest", true],
      ["shop/one", true],
      ["shop/over", "unused"],
      ["shop/spare", "unused"],
    ],
  );
  const metrics = await relay.metrics();
  assert.match(
    metrics,
    /^mailboat_submission_login_last_used_timestamp_seconds\{secret="shop\/one"\} 1\d{9}(?:\.\d+)?$/m,
  );
  assert.match(metrics, /^mailboat_submission_login_last_used_timestamp_seconds\{secret="shop\/spare"\} 0$/m);
  assert.match(metrics, /^mailboat_submission_authentications_total\{mechanism="PLAIN",result="success"\} \d+$/m);
  assert.match(metrics, /^mailboat_submission_authentications_total\{mechanism="LOGIN",result="failure"\} 2$/m);
  for (const mechanism of lacking("gsasl") === false ? ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"] : []) {
    for (const result of ["success", "failure"]) {
      assert.match(
        metrics,
        new RegExp(`_authentications_total\\{mechanism="${mechanism}",result="${result}"\\} [1-9]`),
      );
    }
  }
  const told = metrics + JSON.stringify(logins) + readFileSync(join(directory, "relay.log"), "utf8");
  for (const secret of [user.password, "a guest's", "of yesterday", "never used"]) {
    for (const shape of [secret, Buffer.from(secret).toString("base64").replace(/=*$/, "")])
      assert.ok(!told.includes(shape));
  }
});
