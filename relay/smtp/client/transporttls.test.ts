import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { before, test, type TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import * as x509 from "@peculiar/x509";
import type { SmarthostDocument } from "../../../api/relayconfig.ts";
import { judge } from "../../delivery/policy/failure.ts";
import {
  replyAndClose,
  startHop,
  usualExtensions,
  type Script,
  type ScriptedHop,
} from "../../../test/support/scriptedhop.ts";
import { ConnectError, openConnection, type NextHopConnection } from "./transport.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
let tls: { readonly key: string; readonly cert: string };

before(async () => {
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=localhost",
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  tls = { key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"), cert: certificate.toString("pem") };
});

const mail = {
  sender: "s@example.com",
  recipients: [{ address: "a@example.net" }],
  smtpUtf8: false,
  eightBit: false,
  head: Buffer.from("A: b\r\n\r\n"),
  body: Buffer.from("x\r\n"),
  sizeBytes: 11,
};

async function hopFor(t: TestContext, script: Partial<Script> = {}): Promise<ScriptedHop> {
  const extensions = script.implicitTls ? usualExtensions : ["STARTTLS", ...usualExtensions, "AUTH PLAIN LOGIN"];
  const hop = await startHop({ tls, extensions, ...script });
  t.after(() => hop.close());
  return hop;
}

async function connectTo(
  t: TestContext,
  hop: ScriptedHop,
  changes: Partial<SmarthostDocument>,
): Promise<NextHopConnection> {
  const smarthost = { host: "localhost", port: hop.port, tlsMode: "Required" as const, ...changes };
  const connection = await openConnection({ key: "k", smarthost, helo: "relay.test" });
  t.after(() => connection.destroy());
  return connection;
}

async function delivers(t: TestContext, hop: ScriptedHop, changes: Partial<SmarthostDocument>): Promise<boolean> {
  const connection = await connectTo(t, hop, changes);
  const { answers } = await connection.transact(mail);
  return answers[0]?.kind === "accepted";
}

test("tlsMode Required delivers inside STARTTLS when the certificate chains to the given CA", async (t) => {
  const hop = await hopFor(t);
  assert.equal(await delivers(t, hop, { ca: tls.cert }), true);
  assert.equal(hop.sessions[0]?.secure, true);
});

test("an authority that is empty or rubbish is no reason to trust the system's roots", async (t) => {
  const roots = getCACertificates("default");
  t.after(() => setDefaultCACertificates(roots));
  setDefaultCACertificates([tls.cert]);
  assert.equal(await delivers(t, await hopFor(t), {}), true, "the system's roots would believe it");
  for (const ca of ["", "\n", "garbage"]) {
    const hop = await hopFor(t);
    await assert.rejects(connectTo(t, hop, { ca }), ConnectError, JSON.stringify(ca));
  }
});

const refused: readonly { name: string; changes: () => Partial<SmarthostDocument>; script?: Partial<Script> }[] = [
  { name: "a certificate of an unknown CA", changes: () => ({}) },
  { name: "a certificate of another host", changes: () => ({ host: "127.0.0.1", ca: tls.cert }) },
  {
    name: "a certificate of an unknown CA, implicit TLS",
    changes: () => ({ tlsMode: "Implicit" }),
    script: { implicitTls: true },
  },
];

for (const row of refused) {
  test(`a verified tlsMode with ${row.name} is deferred 4.7.5, and no mail is sent`, async (t) => {
    const hop = await hopFor(t, row.script);
    const error = await connectTo(t, hop, row.changes()).catch((reason: unknown) => reason);
    assert.ok(error instanceof ConnectError);
    const { kind, scope, reply } = judge(error.trouble);
    assert.equal(`${kind} ${scope} ${reply.enhanced}`, "deferred host 4.7.5", reply.text);
    assert.equal(hop.messages.length, 0);
  });
}

test("tlsMode Implicit delivers inside TLS from the first byte", async (t) => {
  const hop = await hopFor(t, { implicitTls: true });
  assert.equal(await delivers(t, hop, { tlsMode: "Implicit", ca: tls.cert }), true);
});

test("tlsMode Opportunistic takes any certificate, and plain text when TLS is not offered", async (t) => {
  const secure = await hopFor(t);
  assert.equal(await delivers(t, secure, { tlsMode: "Opportunistic" }), true);
  assert.equal(secure.sessions[0]?.secure, true);
  const plain = await hopFor(t, { extensions: usualExtensions });
  assert.equal(await delivers(t, plain, { tlsMode: "Opportunistic" }), true);
  assert.equal(plain.sessions[0]?.secure, false);
});

test("tlsMode Opportunistic goes on in plain text when the handshake fails", async (t) => {
  const hop = await hopFor(t, {
    answer: (line, session) => (line === "STARTTLS" && session.number === 0 ? replyAndClose : undefined),
  });
  assert.equal(await delivers(t, hop, { tlsMode: "Opportunistic" }), true);
  assert.equal(hop.messages[0]?.session, 1);
});

for (const mechanism of ["PLAIN", "LOGIN"]) {
  test(`credentials are sent by AUTH ${mechanism} inside verified TLS`, async (t) => {
    const hop = await hopFor(t, {
      extensions: ["STARTTLS", ...usualExtensions, `AUTH ${mechanism}`],
      answer: (line) =>
        line === "AUTH LOGIN" || line === "dXNlcg==" ? "334 go" : line === "cGFzcw==" ? "235 ok" : undefined,
    });
    const credentials = { username: "user", password: "pass" };
    assert.equal(await delivers(t, hop, { ca: tls.cert, credentials }), true);
    const expected = mechanism === "PLAIN" ? ["AUTH PLAIN AHVzZXIAcGFzcw=="] : ["AUTH LOGIN", "dXNlcg==", "cGFzcw=="];
    for (const line of expected) assert.ok(hop.sessions[0]?.lines.includes(line), line);
  });
}

test("a refused login is trouble of the host, and the words of the hop are kept", async (t) => {
  const hop = await hopFor(t, { answer: (line) => (line.startsWith("AUTH") ? "535 5.7.8 who?" : undefined) });
  const credentials = { username: "user", password: "pass" };
  const error = await connectTo(t, hop, { ca: tls.cert, credentials }).catch((reason: unknown) => reason);
  assert.ok(error instanceof ConnectError);
  const verdict = judge(error.trouble);
  assert.equal(`${verdict.kind} ${verdict.scope} ${verdict.reply.enhanced}`, "deferred host 4.7.8");
  assert.match(verdict.reply.text, /535 5.7.8 who\?/);
});

test("credentials are not sent inside TLS whose certificate nobody checked", async (t) => {
  const hop = await hopFor(t);
  const changes = { tlsMode: "Opportunistic" as const, credentials: { username: "user", password: "pass" } };
  const error = await connectTo(t, hop, changes).catch((reason: unknown) => reason);
  assert.ok(error instanceof ConnectError);
  assert.equal(error.trouble.reason, "credentials-unprotected");
  assert.ok(!hop.sessions.some((session) => session.lines.some((line) => line.startsWith("AUTH"))));
});
