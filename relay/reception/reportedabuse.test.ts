/** What others were reported to do wrong about clients that mean ill, or only look like it, tried here. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test, type TestContext } from "node:test";
import { credentialOf, makeCertificate, openBed, type Bed } from "../../test/support/submission.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";
import { until } from "../../test/support/until.ts";
import { systemClock } from "../../runtime/clock.ts";
import { podLimits } from "../limits/limits.ts";

async function open(t: TestContext): Promise<Bed> {
  const bed = await openBed(
    {
      listeners: [{ name: "submissions", tlsMode: "Implicit", authentication: "Required" }],
      credentials: [credentialOf("shop", "shop/mail")],
      domains: { "example.com": { identities: ["shop/mail"] } },
      certificate: await makeCertificate(),
    },
    { limits: podLimits(systemClock) },
  );
  t.after(() => bed.close());
  return bed;
}

async function greeted(bed: Bed, from: string): Promise<SmtpClient> {
  const client = await bed.connect("submissions", { from });
  await client.reply();
  await client.command("EHLO client.example");
  return client;
}

// stalwartlabs/stalwart#1503, #661: looks whether the port is open count until the node is banned.
test("a node that looks again and again whether the port is open is let in to log in", async (t) => {
  const bed = await open(t);
  const port = bed.submission.addresses.get("submissions") ?? 0;
  for (let count = 0; count < 45; count += 1) {
    const socket = connect({ port, host: "127.0.0.1", localAddress: "127.0.0.6" });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.destroy();
  }
  await until("all to be gone", () => bed.connections() === 0);
  const client = await greeted(bed, "127.0.0.6");
  assert.match(await client.login("shop"), /^235 /);
});

// Mailu/Mailu#634: each login counts, so that who connects anew for each message is shut out.
test("logins that succeed count for nothing, however many there are", async (t) => {
  const bed = await open(t);
  for (let count = 0; count < 40; count += 1) {
    const client = await greeted(bed, "127.0.0.6");
    assert.match(await client.login("shop"), /^235 /);
    client.destroy();
  }
  assert.deepEqual(bed.heldBack, []);
});

// haraka/Haraka#282: AUTH that is pipelined runs twice at once.
test("logins that come in one packet are answered one after the other, and count one by one", async (t) => {
  const bed = await open(t);
  const client = await greeted(bed, "127.0.0.6");
  const replies = [client.reply(), client.reply(), client.reply()];
  const guess = (number: number): string =>
    `AUTH PLAIN ${Buffer.from(`\0shop\0guess ${number}`).toString("base64")}\r\n`;
  client.write(guess(1) + guess(2) + guess(3) + guess(4));
  const codes = (await Promise.all(replies)).map((reply) => reply.slice(0, 9));
  assert.deepEqual(codes, ["535 5.7.8", "535 5.7.8", "421 4.7.0"]);
  await client.closed;
});

// CVE-2011-1473: a client that renegotiates costs the server ten times what it costs itself.
test("a client that negotiates TLS again and again loses its connection", async (t) => {
  const bed = await open(t);
  const client = await bed.connect("submissions", { from: "127.0.0.6", tls: { maxVersion: "TLSv1.2" } });
  await client.reply();
  const { secure } = client;
  assert.ok(secure !== undefined);
  let times = 0;
  const again = (): void => {
    secure.renegotiate({ rejectUnauthorized: false }, (error) => {
      if (error !== null) return;
      times += 1;
      again();
    });
  };
  again();
  await client.closed;
  assert.ok(times <= 4, `${times} times`);
});
