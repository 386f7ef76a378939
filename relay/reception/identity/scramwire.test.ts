/** SCRAM over the wire: when PLUS is offered, and to what a login is bound. */
import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { after, before, test } from "node:test";
import type { ConnectionOptions } from "node:tls";
import { clientAuthorities, issueLeaf, makeCertificateAuthority } from "../../../operator/trust/issue.ts";
import { ScramClient } from "../../../test/support/scramclient.ts";
import { credentialOf, makeCertificate, openBed, password, type Bed } from "../../../test/support/submission.ts";
import type { SmtpClient } from "../../../test/support/smtpclient.ts";
import { decodeCertificate } from "../../config/certificate.ts";

const now = Date.now();
const names = ["relay.example.com"];
const [ecdsa, rsa] = await Promise.all(
  [clientAuthorities.ECDSA, clientAuthorities.RSA].map(async (kind) =>
    issueLeaf({ authority: await makeCertificateAuthority(now, kind), names, now }),
  ),
);
assert.ok(ecdsa && rsa);

const listeners = [
  { name: "submission", tlsMode: "StartTLS", authentication: "Required" },
  { name: "submissions", tlsMode: "Implicit", authentication: "Required" },
];
const credentials = [credentialOf("shop", "a/one"), credentialOf("shop", "b/other", "another")];
const domains = { "example.com": { identities: ["a/one"] }, "other.example": { identities: ["b/other"] } };

let bed: Bed;
/** Its certificate has no hash of its own. */
let edwards: Bed;
before(async () => {
  const wish = { listeners, credentials, domains };
  const pair = { "tls.crt": ecdsa.certificate, "tls.key": ecdsa.privateKey };
  const certificate = decodeCertificate({ ...pair, "rsa.crt": rsa.certificate, "rsa.key": rsa.privateKey });
  bed = await openBed({ ...wish, certificate });
  edwards = await openBed({ ...wish, certificate: await makeCertificate("relay.example.com", { name: "Ed25519" }) });
});
after(async () => {
  await bed.close();
  await edwards.close();
});

async function dial(at: Bed, tls: ConnectionOptions): Promise<SmtpClient> {
  const client = await at.connect("submissions", { tls });
  await client.reply();
  return client;
}

async function offered(client: SmtpClient): Promise<string> {
  return (await client.command("EHLO client.example")).split("\n").at(-1)?.slice(4) ?? "";
}

const base64 = (text: string): string => (text === "" ? "" : Buffer.from(text).toString("base64"));
const textOf = (reply: string): string => Buffer.from(reply.slice(4), "base64").toString();

interface Wish {
  readonly header: string;
  readonly channel?: Buffer;
  readonly password?: string;
}

/** The last reply, or the first that is no challenge. */
async function login(client: SmtpClient, mechanism: string, wish: Wish): Promise<string> {
  const scram = new ScramClient({ username: "shop", password, ...wish });
  const asked = await client.command(`AUTH ${mechanism} ${base64(scram.first())}`);
  if (!asked.startsWith("334 ")) return asked.slice(0, 9);
  const told = await client.command(base64(scram.final(textOf(asked))));
  if (!told.startsWith("334 ")) return told.slice(0, 9);
  assert.ok(scram.believes(textOf(told)));
  return (await client.command("")).slice(0, 9);
}

const plus = "SCRAM-SHA-256-PLUS";
const all = `AUTH PLAIN LOGIN SCRAM-SHA-256 ${plus}`;
const digestOf = (pem: string): Buffer => createHash("sha256").update(new X509Certificate(pem).raw).digest();
const endPoint = (pem: string): Wish => ({ header: "p=tls-server-end-point,,", channel: digestOf(pem) });

function exporterOf(client: SmtpClient): Wish {
  const channel = client.secure?.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
  return { header: "p=tls-exporter,,", ...(channel === undefined ? {} : { channel }) };
}

const newest: ConnectionOptions = { minVersion: "TLSv1.3" };
const older: ConnectionOptions = { maxVersion: "TLSv1.2" };
const olderRsa: ConnectionOptions = { ...older, ciphers: "ECDHE-RSA-AES128-GCM-SHA256" };

test("TLS 1.3 binds by its exporter, and TLS 1.2 does not", async () => {
  const client = await dial(bed, newest);
  assert.equal(await offered(client), all);
  assert.equal(await login(client, plus, exporterOf(client)), "235 2.7.0");
  assert.match(await client.send("a@example.com", ["b@example.net"], "From: a@example.com\r\n\r\nx"), /^250 /);
  const former = await dial(bed, older);
  assert.equal(await offered(former), all);
  assert.equal(await login(former, plus, exporterOf(former)), "504 5.5.4");
});

for (const [what, tls, certificate] of [
  ["TLS 1.3", newest, ecdsa.certificate],
  ["TLS 1.2", older, ecdsa.certificate],
  ["TLS 1.2 and RSA", olderRsa, rsa.certificate],
] as const) {
  test(`a session of ${what} binds by the certificate that it was shown, and by no other, also when it is resumed`, async () => {
    const other = certificate === rsa.certificate ? ecdsa.certificate : rsa.certificate;
    const client = await dial(bed, tls);
    await offered(client);
    assert.equal(await login(client, plus, endPoint(other)), "535 5.7.8");
    assert.equal(await login(client, plus, endPoint(certificate)), "235 2.7.0");
    const first = await bed.connect("submissions", { tls });
    const { secure } = first;
    assert.ok(secure !== undefined);
    const session = await new Promise<Buffer>((resolve) => secure.once("session", resolve));
    const resumed = await dial(bed, { ...tls, session });
    await offered(resumed);
    assert.equal(resumed.secure?.isSessionReused(), true);
    assert.equal(await login(resumed, plus, endPoint(certificate)), "235 2.7.0");
  });
}

test("a login that was made for another connection opens nothing", async () => {
  const [one, two] = [await dial(bed, newest), await dial(bed, newest)];
  await offered(one);
  await offered(two);
  assert.equal(await login(two, plus, exporterOf(one)), "535 5.7.8");
  assert.equal(await login(two, plus, exporterOf(two)), "235 2.7.0");
});

test("who was not shown PLUS is refused where it is offered, and not where it is not", async () => {
  const client = await dial(bed, newest);
  await offered(client);
  assert.equal(await login(client, "SCRAM-SHA-256", { header: "y,," }), "535 5.7.8");
  assert.equal(await login(client, "SCRAM-SHA-256", { header: "n,," }), "235 2.7.0");
  const unbound = await dial(edwards, older);
  assert.equal(await offered(unbound), "AUTH PLAIN LOGIN SCRAM-SHA-256");
  assert.equal(await login(unbound, plus, { header: "p=tls-exporter,," }), "504 5.5.4");
  assert.equal(await login(unbound, "SCRAM-SHA-256", { header: "y,," }), "235 2.7.0");
});

test("a certificate without a hash of its own binds nothing, and the exporter beside it does", async () => {
  const client = await dial(edwards, newest);
  assert.equal(await offered(client), all);
  assert.equal(await login(client, plus, { header: "p=tls-server-end-point,," }), "504 5.5.4");
  assert.equal(await login(client, plus, exporterOf(client)), "235 2.7.0");
});

test("a password opens what its own Secret may use, by SCRAM as by PLAIN", async () => {
  const client = await dial(bed, newest);
  await offered(client);
  assert.equal(await login(client, "SCRAM-SHA-256", { header: "n,,", password: "another" }), "235 2.7.0");
  assert.match(await client.command("MAIL FROM:<a@example.com>"), /^550 5\.7\.1 /);
  assert.match(await client.command("MAIL FROM:<a@other.example>"), /^250 /);
});

test("logins that fail are counted, whatever they are made with, and what is written wrong is not", async () => {
  const client = await dial(bed, newest);
  await offered(client);
  for (const message of ["n,,", "n,,m=x,n=shop,r=abc", "p=tls-exporter,,n=shop,r=abc"]) {
    assert.match(await client.command(`AUTH SCRAM-SHA-256 ${base64(message)}`), /^501 5\.5\.2 /);
  }
  assert.equal(await login(client, "SCRAM-SHA-256", { header: "n,,", password: "wrong" }), "535 5.7.8");
  assert.match(await client.login("shop", "wrong"), /^535 5\.7\.8 /);
  assert.equal(await login(client, plus, { ...exporterOf(client), password: "wrong" }), "421 4.7.0");
  await client.closed;
});

test("nothing of it is offered or taken in the clear", async () => {
  const client = await bed.connect("submission");
  await client.reply();
  assert.doesNotMatch(await client.command("EHLO client.example"), /AUTH/);
  assert.match(await client.command(`AUTH SCRAM-SHA-256 ${base64("n,,n=shop,r=abc")}`), /^538 5\.7\.11 /);
  await client.startTls();
  assert.equal(await offered(client), all);
  assert.equal(await login(client, plus, exporterOf(client)), "235 2.7.0");
});

test("an exchange that is given up or broken off is none, and its nonce opens nothing later", async () => {
  const client = await dial(bed, newest);
  await offered(client);
  const scram = new ScramClient({ username: "shop", password });
  const first = `AUTH SCRAM-SHA-256 ${base64(scram.first())}`;
  const final = base64(scram.final(textOf(await client.command(first))));
  assert.match(await client.command("*"), /^501 5\.5\.2 /);
  assert.match(await client.command(first), /^334 /);
  assert.match(await client.command(final), /^535 5\.7\.8 /);
  assert.match(await client.command(final), /^500 /);
});

test("a password opens nothing once its time is over, and only the log says why", async (t) => {
  const end = Date.parse("2027-01-31T00:00:00Z");
  let time = end - 1;
  const [, other] = credentials;
  assert.ok(other !== undefined);
  const limited = { ...credentialOf("shop", "a/one"), expiresAt: end };
  const certificate = await makeCertificate();
  const timed = await openBed(
    { listeners, credentials: [limited, other], domains, certificate },
    { clock: { now: () => time }, logLevel: "info" },
  );
  t.after(() => timed.close());
  const open = async (): Promise<SmtpClient> => {
    const client = await dial(timed, newest);
    await offered(client);
    return client;
  };
  const client = await open();
  assert.equal(await login(client, plus, exporterOf(client)), "235 2.7.0");
  assert.match(await client.command("MAIL FROM:<a@example.com>"), /^250 /);
  time = end;
  assert.match(await client.command("RSET"), /^250 /);
  assert.match(await client.command("MAIL FROM:<a@example.com>"), /^421 4\.7\.0 /);
  const late = await open();
  assert.equal((await late.login("shop")).slice(0, 9), "535 5.7.8");
  assert.equal(await login(late, plus, exporterOf(late)), "535 5.7.8");
  assert.equal((await late.login("shop", "another")).slice(0, 9), "235 2.7.0");
  const told = timed.lines.filter(({ msg }) => msg === "the time of a login is over");
  assert.deepEqual(
    told.map(({ secrets }) => secrets),
    [["a/one"], ["a/one"]],
  );
  assert.doesNotMatch(JSON.stringify(timed.lines), /"shop"|correct horse/);
});
