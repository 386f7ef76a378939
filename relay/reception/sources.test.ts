/** A listener with sources: who comes from elsewhere is told so before anything else, with or without a load balancer in front. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { credentialOf, makeCertificate, openBed, snapshotOf, type Bed } from "../../test/support/submission.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";

const certificate = await makeCertificate();
const inside = ["127.0.0.6/31", "198.51.100.0/24"];
const submission = { name: "submission", tlsMode: "StartTLS", authentication: "Required", sources: inside };
const submissions = { name: "submissions", tlsMode: "Implicit", authentication: "Required", sources: inside };
const pods = { name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] };
const guarded = { ...pods, sources: inside };
const proxied = {
  ...guarded,
  trustedNetworks: ["198.51.100.0/24"],
  proxyProtocol: { trustedNetworks: ["127.0.0.1/32"] },
};
const message = "From: a@example.com\r\n\r\nx";
const wish = {
  credentials: [credentialOf("shop", "shop/mail")],
  domains: { "example.com": { identities: ["shop/mail"], trustedNetworks: true } },
  certificate,
};

async function bedOf(t: TestContext, ...listeners: readonly Record<string, unknown>[]): Promise<Bed> {
  const bed = await openBed({ ...wish, listeners });
  t.after(() => bed.close());
  return bed;
}

const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");

async function mailFrom(client: SmtpClient): Promise<string> {
  await client.command("EHLO x");
  return codes(await client.command("MAIL FROM:<a@example.com>"));
}

test("who comes from elsewhere hears 421 for a greeting, and nothing at all where TLS comes first", async (t) => {
  const bed = await bedOf(t, submission, submissions, guarded);
  for (const listener of ["submission", "pods"]) {
    const stranger = await bed.connect(listener, { from: "127.0.0.8" });
    assert.equal(codes(await stranger.reply()), "421 4.7.1", listener);
    await stranger.closed;
  }
  const stranger = await bed.connect("submissions", { from: "127.0.0.8" });
  await assert.rejects(stranger.reply());
  for (const listener of ["submission", "submissions", "pods"]) {
    const client = await bed.connect(listener, { from: "127.0.0.7" });
    assert.match(await client.reply(), /^220 /, listener);
  }
  assert.deepEqual(bed.refusals, ["submission 421 4.7.1", "pods 421 4.7.1", "submissions 421 4.7.1"]);
});

test("to come from there is not enough to relay", async (t) => {
  const bed = await bedOf(t, submission, { ...guarded, trustedNetworks: [] });
  for (const [listener, expected] of [
    ["submission", "530 5.7.0"],
    ["pods", "550 5.7.1"],
  ] as const) {
    const client = await bed.connect(listener, { from: "127.0.0.7" });
    await client.reply();
    assert.equal(await mailFrom(client), expected);
  }
});

test("without networks nobody may come, without the field everybody", async (t) => {
  const bed = await bedOf(t, { ...guarded, sources: [] }, { ...pods, name: "open" });
  const nobody = await bed.connect("pods", { from: "127.0.0.7" });
  assert.equal(codes(await nobody.reply()), "421 4.7.1");
  const anybody = await bed.connect("open", { from: "127.0.0.8" });
  assert.match(await anybody.reply(), /^220 /);
});

test("a session that is open ends with its next MAIL when its network is taken out, and others go on", async (t) => {
  const bed = await bedOf(t, pods);
  const [going, staying] = [
    await bed.connect("pods", { from: "127.0.0.8" }),
    await bed.connect("pods", { from: "127.0.0.7" }),
  ];
  for (const client of [going, staying]) {
    await client.reply();
    await client.command("EHLO x");
  }
  bed.snapshots.set(snapshotOf({ ...wish, listeners: [guarded] }));
  assert.equal(codes(await going.command("MAIL FROM:<a@example.com>")), "421 4.7.1");
  await going.closed;
  assert.equal(codes(await staying.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
});

test("who comes by IPv4 is called so by a listener for both families, behind a load balancer or not", async (t) => {
  const direct = { ...pods, name: "direct" };
  const bed = await openBed({ ...wish, listeners: [proxied, direct] }, { listenHost: "::" });
  t.after(() => bed.close());
  for (const [listener, address, header] of [
    ["direct", "127.0.0.1", ""],
    ["pods", "198.51.100.7", "PROXY TCP6 ::ffff:198.51.100.7 ::ffff:192.0.2.1 1234 25\r\n"],
  ] as const) {
    const client = await bed.connect(listener);
    client.write(header);
    await client.reply();
    await client.command("EHLO x");
    assert.equal(codes(await client.send("a@example.com", ["b@example.net"], message)), "250 2.6.0");
    const received = bed.spool.kept.at(-1)?.message.header.toString("latin1") ?? "";
    assert.ok(received.includes(`Received: from x ([${address}])`), received);
  }
});

for (const [header, greeting, answer] of [
  ["PROXY TCP4 198.51.100.7 192.0.2.1 1234 25", "220", "250 2.1.0"],
  ["PROXY TCP4 203.0.113.7 192.0.2.1 1234 25", "421", ""],
  ["PROXY TCP6 ::ffff:198.51.100.7 ::ffff:192.0.2.1 1234 25", "220", "250 2.1.0"],
  ["PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 1234 25", "421", ""],
  // A load balancer that looks whether we are well is answered; whoever it hides sends nothing.
  ["PROXY UNKNOWN", "220", "421 4.7.1"],
] as const) {
  test(`behind a load balancer the client of ${header} is greeted with ${greeting}`, async (t) => {
    const bed = await bedOf(t, proxied);
    const client = await bed.connect("pods");
    client.write(`${header}\r\n`);
    const reply = await client.reply();
    assert.equal(reply.slice(0, 3), greeting);
    if (answer !== "") assert.equal(await mailFrom(client), answer);
  });
}
