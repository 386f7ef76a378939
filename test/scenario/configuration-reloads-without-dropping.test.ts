/** An open session lives through new domains, keys and certificates; a bad configuration leaves the last good one in force. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connect } from "node:tls";
import { once } from "node:events";
import { placeText, user, type RelayPlan } from "../support/configuration.ts";
import { makeCertificate, makeRsaKey, type DkimKey } from "../support/keys.ts";
import { verifyWithDkimpy } from "../support/python.ts";
import { openSession, type WireClient } from "../support/send.ts";
import { openStage, sender, simpleMessage, type Stage } from "../support/stage.ts";
import { until } from "../support/until.ts";

async function untilRevision(stage: Stage, revision: string): Promise<void> {
  await until(`revision ${revision}`, async () => (await stage.relay.status()).revision === revision);
}

async function fingerprintOf(port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  return certificate?.fingerprint256 ?? "";
}

async function accepts(client: WireClient, from: string, subject: string): Promise<void> {
  const reply = await client.send(from, ["someone@example.org"], simpleMessage(subject, from));
  assert.equal(reply.code, 250, reply.text);
}

async function signatureVerdict(stage: Stage, subject: string, key: DkimKey): Promise<unknown> {
  const arrived = stage.hop.mails.find((mail) => mail.message.includes(`Subject: ${subject}\r\n`));
  const path = join(stage.directory, `${subject}.eml`);
  writeFileSync(path, arrived?.message ?? "");
  const [verdict] = await verifyWithDkimpy({ [`${key.selector}._domainkey.example.com`]: key.record }, [path]);
  return verdict;
}

test("a session that is open goes on while domains, keys and certificate change", async (t) => {
  const stage = await openStage(t, { file: import.meta.url });
  const session = await openSession({ name: "submission", port: stage.relay.port("submission") }, user);
  await accepts(session, sender, "before");
  assert.equal((await session.command("MAIL FROM:<app@new.example>")).code, 550);

  const newKey = makeRsaKey("rotated");
  const renewed = makeCertificate(stage.directory, "renewed.example.net");
  const plan: RelayPlan = {
    ...stage.plan,
    revision: "2",
    certificate: renewed,
    domains: [
      { domain: "example.com", keys: [newKey] },
      { domain: "new.example", keys: [newKey] },
    ],
  };
  stage.relay.reconfigure(plan);
  await untilRevision(stage, "2");

  await accepts(session, sender, "after");
  await accepts(session, "app@new.example", "new-domain");
  await stage.hop.waitForMails(3);
  assert.deepEqual(await signatureVerdict(stage, "after", newKey), { rotated: "pass" });
  const wanted = new X509Certificate(renewed.certificate).fingerprint256;
  assert.equal(await fingerprintOf(stage.relay.port("submissions")), wanted);
  const { certificate } = await stage.relay.status();
  assert.equal(certificate?.fingerprint, wanted.replaceAll(":", "").toLowerCase());

  stage.relay.reconfigure({ ...plan, revision: "3", domains: [{ domain: "new.example", keys: [newKey] }] });
  await untilRevision(stage, "3");
  assert.equal((await session.command(`MAIL FROM:<${sender}>`)).code, 550);
  await accepts(session, "app@new.example", "still-there");
  session.destroy();
});

test("a configuration that is wrong is named in /status and changes nothing", async (t) => {
  const stage = await openStage(t, { file: import.meta.url, name: "wrong" });
  const session = await openSession({ name: "submission", port: stage.relay.port("submission") }, user);
  const root = join(stage.directory, "config");
  placeText(root, '{"version": 1, "revision": "2", "hostname": 5}');
  const told = await until("an error in /status", async () => (await stage.relay.status()).configurationError);
  assert.match(told, /relay\.json: .*hostname/);
  await accepts(session, sender, "with-the-last-good-one");
  const fresh = await openSession({ name: "submissions", port: stage.relay.port("submissions") }, user);
  await accepts(fresh, sender, "on-a-new-session");
  await stage.hop.waitForMails(2);

  const badKey = [{ selector: "s1", privateKey: "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" }];
  stage.relay.reconfigure({ ...stage.plan, revision: "3", domains: [{ domain: "example.com", keys: badKey }] });
  const keyFault = await until("the key's error in /status", async () => {
    const { configurationError } = await stage.relay.status();
    return configurationError?.includes("example.com.json") === true ? configurationError : undefined;
  });
  assert.match(keyFault, /example\.com\.json/);
  await accepts(session, sender, "with-the-last-good-key");
  await stage.hop.waitForMails(3);

  stage.relay.reconfigure({ ...stage.plan, revision: "4" });
  await untilRevision(stage, "4");
  assert.equal((await stage.relay.status()).configurationError, undefined);
  await accepts(session, sender, "healed");
  await stage.hop.waitForMails(4);
  session.destroy();
  fresh.destroy();
});
