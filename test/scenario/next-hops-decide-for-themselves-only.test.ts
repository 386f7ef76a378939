/**
 * What a next hop says about itself concerns that hop: too many recipients for it are several transactions, and where the way to a
 * recipient leads back to this machine or into a blocked network, nobody waits for days to hear of it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate, makeEd25519Key } from "../support/keys.ts";
import { startPostfix } from "../support/mailhosts.ts";
import { openMailWorld } from "../support/mailworld.ts";
import { TestDns } from "../support/dns.ts";
import { freePort } from "../support/ports.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory } from "../support/results.ts";
import { openSession } from "../support/send.ts";
import { openStage, sender, simpleMessage } from "../support/stage.ts";
import { lacking, needsRoot } from "../support/tools.ts";
import { until } from "../support/until.ts";

const skip = lacking("postfix") || needsRoot();

test("a Postfix that takes ten recipients at a time gets twenty-five, and again", { skip }, async (t) => {
  const work = makeResultsDirectory(import.meta.url, "postfix");
  const postfix = await startPostfix(t, work, { settings: { smtpd_recipient_limit: "10" } });
  const stage = await openStage(t, { file: import.meta.url, plan: { nextHops: [postfix.address] } });
  const client = await openSession({ name: "smtp", port: stage.relay.port("smtp") });
  t.after(() => client.destroy());
  const recipients = Array.from({ length: 25 }, (_, index) => `r${index}@example.org`);
  for (const round of [1, 2]) {
    const reply = await client.send(sender, recipients, simpleMessage(`round ${round}`, sender));
    assert.equal(reply.code, 250, reply.text);
    // Each recipient has a copy of its own there.
    await until("all copies", () => postfix.files().length === 25 * round);
  }
  await until("an empty spool", async () => (await stage.relay.status()).spool.queuedRecipients === 0);
  const logs = stage.relay.program;
  assert.deepEqual([logs.logs("deferred").length, logs.logs("failed").length], [0, 0]);
});

test("an MX that is this relay by its address fails at once", async (t) => {
  const directory = makeResultsDirectory(import.meta.url, "loop");
  const dns = await TestDns.start({
    "loop.test": { mx: [[10, "mx.loop.test"]] },
    "mx.loop.test": { a: ["127.0.0.1"] },
    "zero.test": { a: ["0.0.0.0"] },
  });
  t.after(() => dns.stop());
  const port = await freePort();
  const relay = await RelayProgram.start({
    directory,
    ports: { smtp: port },
    env: { MAILBOAT_MX_PORT: String(port) },
    plan: {
      nextHops: [],
      domains: [{ domain: "example.com", keys: [makeEd25519Key("ed")] }],
      certificate: makeCertificate(directory, "relay.example.net"),
      delivery: { dnsServers: [dns.server] },
    },
  });
  t.after(() => relay.program.kill("SIGKILL"));
  const client = await openSession({ name: "smtp", port });
  t.after(() => client.destroy());
  for (const domain of ["loop.test", "zero.test", "[127.0.0.1]"]) {
    const reply = await client.send(sender, [`someone@${domain}`], simpleMessage(domain, sender));
    assert.equal(reply.code, 250, reply.text);
    const failed = await until(`the failure of ${domain}`, () =>
      relay.program.logs("failed").find(({ fields }) => fields["recipientDomain"] === domain),
    );
    assert.equal(failed.fields["enhanced"], "5.4.6");
  }
  assert.deepEqual(relay.program.logs("delivered"), [], "it went round");
});

test("nothing goes to a blocked network, by MX or by address literal", async (t) => {
  const inside = "127.0.3.1";
  const outside = "127.0.4.1";
  const world = await openMailWorld(t, {
    file: import.meta.url,
    name: "blocked",
    hosts: { [inside]: {}, [outside]: {} },
    zone: {
      "inside.test": { mx: [[10, "mx.inside.test"]] },
      "mx.inside.test": { a: [inside], aaaa: [`::ffff:${inside}`] },
      "both.test": { a: [inside, outside] },
      "example.com": { a: [outside] },
    },
    delivery: { blockedNetworks: ["127.0.3.0/24"] },
  });
  const blocked = ["inside.test", `[${inside}]`, `[IPv6:::ffff:${inside}]`];
  for (const domain of [...blocked, "both.test"]) await world.send([`someone@${domain}`], domain);
  const failures = () => world.relay.program.logs("failed").filter(({ fields }) => fields["enhanced"] === "5.7.1");
  await until("three failures", () => failures().length === blocked.length);
  // The mail for both.test and a notice for each that failed.
  await world.host(outside).waitForMails(1 + blocked.length);
  assert.equal(world.host(inside).connections, 0);
});
