/**
 * Secrets are told nowhere: a relay that says all it can (trace), whose every secret is used rightly and wrongly, tells none of them in
 * its log, its pages, its traces, its answers and what its verbs print. What every other test's programs tell is searched too, see
 * test/support/secrets/disclosure.ts; here is what no other test does.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { configurationDirectory, relayDocumentName } from "../../api/relayconfig.ts";
import { primesOf } from "../../api/rsakey.ts";
import { placeText, user, type DomainPlan } from "../support/configuration.ts";
import { besideRelay, inspectWith } from "../support/inspection.ts";
import { makeCertificate, makeRsaKey } from "../support/keys.ts";
import { NextHop } from "../support/nexthop.ts";
import { InternalAuthority } from "../support/peers.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { ScramClient } from "../support/scramclient.ts";
import { disclosures, hear, keepSecret } from "../support/secrets/disclosure.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

const file = import.meta.url;
const header = "Bearer a-token-of-the-collector";
const smarthostLogin = { username: "customer-17", password: "what the smarthost knows" };
const typed = "a wrong password, typed";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

interface Receiver {
  readonly endpoint: string;
  /** Of requests. */
  count: number;
}

/** Takes what is exported, as octets: strings stand in protobuf as they are. */
async function startReceiver(t: TestContext): Promise<Receiver> {
  const receiver = { endpoint: "", count: 0 };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const octets = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      hear("the export of traces", octets.toString("latin1"));
      assert.equal(request.headers.authorization, header);
      receiver.count += 1;
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  receiver.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return receiver;
}

/** Without what can be worked out from the primes, as the operator writes it. */
function keyAsPodsHoldIt(): DomainPlan["keys"][number] {
  const { selector, privateKey } = makeRsaKey("rsa");
  const primes = primesOf(createPrivateKey(privateKey).export({ format: "jwk" }));
  assert.ok(primes !== undefined);
  return { selector, privateKey: primes };
}

async function openTalker(t: TestContext, receiver: Receiver): Promise<Stage> {
  const certificate = makeCertificate(makeResultsDirectory(file, "hop"), "localhost");
  const logins = new Map<string, number>();
  const smarthost = await NextHop.start({
    tls: certificate,
    extensions: ["PIPELINING", "8BITMIME", "AUTH PLAIN LOGIN"],
    // Once refused, and then let in: both are told.
    login: (line) => {
      logins.set(line, (logins.get(line) ?? 0) + 1);
      return logins.size + (logins.get(line) ?? 0) < 3 ? "535 5.7.8 no such customer" : "235 2.7.0 welcome";
    },
  });
  t.after(() => smarthost.stop());
  const authority = await InternalAuthority.make();
  const { host, port } = smarthost.address;
  const secure = { host, port, tlsMode: "Required" as const, ca: certificate.certificate };
  return openStage(t, {
    file,
    plan: {
      peer: await authority.relay(),
      domains: [{ domain: "example.com", keys: [keyAsPodsHoldIt()] }],
      delivery: { smarthosts: [{ ...secure, credentials: smarthostLogin }] },
      tracing: {
        endpoint: receiver.endpoint,
        samplingRatio: 1,
        headers: { authorization: header },
        trustedNextHops: [{ host }],
      },
    },
    relay: { env: { MAILBOAT_LOG_LEVEL: "trace" } },
  });
}

/** Everybody who is let in, by each mechanism, sends a message. */
async function useRightly(stage: Stage): Promise<void> {
  const said = async (client: WireClient, lines: readonly ((challenge: string) => string)[]): Promise<number> => {
    let code = 0;
    let challenge = "";
    for (const line of lines) {
      const reply = await client.command(line(challenge));
      code = reply.code;
      challenge = Buffer.from(reply.text, "base64").toString();
    }
    return code;
  };
  const scram = new ScramClient({ username: user.name, password: user.password });
  const ways = [
    [() => `AUTH PLAIN ${base64(`\0${user.name}\0${user.password}`)}`],
    [() => "AUTH LOGIN", () => base64(user.name), () => base64(user.password)],
    [
      () => `AUTH SCRAM-SHA-256 ${base64(scram.first())}`,
      (challenge: string) => base64(scram.final(challenge)),
      () => "",
    ],
  ];
  for (const lines of ways) {
    const client = await openSession({ name: "submissions", port: stage.relay.port("submissions") });
    assert.equal(await said(client, lines), 235);
    const reply = await client.send(sender, ["someone@example.org"], simpleMessage("told"));
    assert.equal(reply.code, 250, reply.text);
    await client.command("QUIT");
  }
}

/** What people and their programs do with passwords. */
const mistakes: readonly (readonly string[])[] = [
  [`AUTH PLAIN ${base64(`\0${user.name}\0${typed}`)}`],
  [`AUTH PLAIN ${base64(`boss\0${user.name}\0${user.password}`)}`],
  [`AUTH PLAIN ${base64(`${user.name}\0${user.password}`)}`],
  [`AUTH PLAIN ${base64(`\0${user.password}\0${user.name}`)}`],
  [`AUTH PLAIN ${base64(`\0${user.name}\0${user.password}\0more`)}`],
  [`AUTH PLAIN ${base64(user.password)}!`, ""],
  [`AUTH PLAIN ${user.password}`],
  [`AUTH ${base64(user.password)}`],
  ["AUTH LOGIN", base64(user.password), base64(user.name)],
  ["AUTH LOGIN", user.password],
  ["AUTH LOGIN", base64(user.name), user.password],
  [`AUTH SCRAM-SHA-256 ${base64(`n,,n=${user.password},r=abc`)}`, base64(`c=biws,r=abc,p=${base64(user.password)}`)],
  [`AUTH SCRAM-SHA-256 ${base64(`n,${user.password},n=app,r=abc`)}`],
  [`AUTH OAUTHBEARER ${base64(`n,,\x01auth=Bearer ${typed}\x01\x01`)}`, ""],
  [`AUTH XOAUTH2 ${base64(`user=app\x01auth=Bearer ${typed}\x01\x01`)}`, ""],
  [`AUTH CRAM-MD5 ${base64(typed)}`],
  [`PASS ${user.password}`],
  [user.password],
  [base64(`\0${user.name}\0${user.password}`)],
  [`MAIL FROM:<${sender}> AUTH=${user.password.replaceAll(" ", "+20")}`],
  [`MAIL FROM:<${sender}> X-PASSWORD=${base64(user.password)}`],
];

async function useWrongly({ relay }: Stage): Promise<void> {
  // Within TLS, and in the clear.
  const names = ["submissions", "submission"];
  const all = names.flatMap((name) => mistakes.map((lines) => ({ listener: { name, port: relay.port(name) }, lines })));
  await Promise.all(
    all.map(async ({ listener, lines }) => {
      const client = await openSession(listener);
      for (const line of lines) {
        const { code, text } = await client.command(line);
        hear("a reply", text);
        assert.notEqual(code, 235, line);
      }
      client.destroy();
    }),
  );
}

/** A Secret that somebody wrote by hand, and documents that were not written to their end. */
async function configureWrongly(stage: Stage): Promise<void> {
  const config = join(stage.directory, "config");
  const right = readFileSync(join(config, configurationDirectory, relayDocumentName), "utf8");
  const texts = [
    "pass word 1",
    `{"credentials": {"password": ${smarthostLogin.password}}}`,
    right.slice(0, right.indexOf(smarthostLogin.password) + smarthostLogin.password.length),
    right.replace(`"${smarthostLogin.password}"`, smarthostLogin.password),
    right.replace(`"${smarthostLogin.password}"`, `["${smarthostLogin.password}"]`),
    right.replace(`"tlsMode":"Required"`, `"tlsMode":"${smarthostLogin.password}"`),
  ];
  const { program } = stage.relay;
  for (const text of texts) {
    const before = program.lines.length;
    placeText(config, text);
    await program.waitFor(
      "a configuration that is refused",
      (line) => line.includes("configuration refused") && program.lines.indexOf(line) >= before,
    );
    await stage.relay.status();
  }
}

test("no secret is told by a relay that tells all it can", async (t) => {
  keepSecret("a password that was typed", typed);
  keepSecret("what a Secret holds in place of a document", "pass word 1");
  const receiver = await startReceiver(t);
  const stage = await openTalker(t, receiver);
  await useRightly(stage);
  await useWrongly(stage);
  await until("all mail sent", async () => (await stage.relay.status()).spool.queuedRecipients === 0);
  await until("an export", () => receiver.count > 0);
  await stage.relay.metrics();
  for (const args of [
    ["spool", "--json"],
    ["trace", "told", "--json"],
  ]) {
    const { out, err } = await inspectWith(besideRelay(stage.relay), args);
    hear(args.join(" "), out + err);
  }
  await configureWrongly(stage);
  assert.equal(await stage.relay.stop(), 0);
  assert.deepEqual(disclosures(), []);
  const told = stage.relay.program.lines.join("\n");
  for (const what of ['"level":"info"', "535", "configuration refused"]) assert.ok(told.includes(what), what);
});
