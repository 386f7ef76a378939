/** Certificates of clients over the wire: who is let in by one, who is not, and for how long. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, test, type TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { type ClientPair, makeAuthority, makeClient, serverAuth } from "../../test/support/clientcertificates.ts";
import {
  credentialOf,
  makeCertificate,
  openBed,
  snapshotOf,
  type Bed,
  type BedWish,
  type SnapshotWish,
} from "../../test/support/submission.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";

const [root, foreign, certificate] = [
  await makeAuthority("Root"),
  await makeAuthority("Root"),
  await makeCertificate(),
];
const between = await makeAuthority("Between", { issuer: root });
const past = { notBefore: new Date(Date.now() - 172_800_000), notAfter: new Date(Date.now() - 86_400_000) };
const spiffe = "spiffe://cluster.local/ns/shop/sa/erp";
const pairs = {
  erp: await makeClient(root, { commonName: "erp" }),
  pod: await makeClient(between, { uris: [spiffe] }),
  host: await makeClient(root, { dnsNames: ["erp.example.com"], usages: [] }),
  wild: await makeClient(root, { dnsNames: ["*.example.com"] }),
  other: await makeClient(root, { commonName: "other" }),
  foreign: await makeClient(foreign, { commonName: "erp" }),
  expired: await makeClient(root, { commonName: "erp", ...past }),
  server: await makeClient(root, { commonName: "erp", usages: [serverAuth] }),
} as const;

const wish: SnapshotWish = {
  listeners: [
    { name: "password", tlsMode: "StartTLS", authentication: "Required" },
    { name: "optional", tlsMode: "StartTLS", authentication: "Required", clientCertificates: "Optional" },
    { name: "required", tlsMode: "Implicit", authentication: "Required", clientCertificates: "Required" },
    { name: "servers", tlsMode: "StartTLS", authentication: "Optional", clientCertificates: "Optional" },
    { name: "gate", tlsMode: "StartTLS", authentication: "Optional", clientCertificates: "Required" },
    { name: "two", tlsMode: "StartTLS", authentication: "Required", clientCertificates: "Required", factors: 2 },
  ],
  credentials: [credentialOf("shop", "shop/mail")],
  domains: {
    "erp.example": { certificates: { commonNames: ["erp"], dnsNames: ["erp.example.com"], uris: [spiffe] } },
    "shop.example": { identities: ["shop/mail"] },
  },
  certificate,
  clientAuthorities: root.certificate,
};

async function bedOf(t: TestContext, change: Partial<SnapshotWish> = {}, bedWish: BedWish = {}): Promise<Bed> {
  const bed = await openBed({ ...wish, ...change }, bedWish);
  t.after(() => bed.close());
  return bed;
}

type Shower = keyof typeof pairs | "none";
interface Door {
  readonly listener: string;
  readonly tlsVersion: "TLSv1.2" | "TLSv1.3";
}

/** As far as inside TLS, and EHLO. */
async function inside(bed: Bed, door: string | Door, shower: Shower): Promise<SmtpClient> {
  const { listener, tlsVersion }: Door = typeof door === "string" ? { listener: door, tlsVersion: "TLSv1.3" } : door;
  const shown: ClientPair | undefined = shower === "none" ? undefined : pairs[shower];
  const client = await bed.connect(listener, { tlsVersion, ...(shown === undefined ? {} : { certificate: shown }) });
  assert.match(await client.reply(), /^220 /);
  await client.command("EHLO client.example");
  if (listener === "required") return client;
  assert.match(await client.startTls(), /^220 /);
  await client.command("EHLO client.example");
  return client;
}

const external = (name: string): string => `AUTH EXTERNAL ${name === "" ? "=" : Buffer.from(name).toString("base64")}`;
const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");

async function sent(client: SmtpClient, domain: string): Promise<string> {
  return codes(await client.send(`a@${domain}`, ["b@example.net"], `From: a@${domain}\r\n\r\nx`));
}

type Login = "nothing" | "a password" | `EXTERNAL${string}`;

/** By listener, certificate and login: what is said to the login, and to mail from a domain. */
const rows: readonly (readonly [string, Shower, Login, string, string, string])[] = [
  ["optional", "erp", "EXTERNAL", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["optional", "erp", "EXTERNAL erp", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["optional", "erp", "EXTERNAL boss", "535 5.7.8", "erp.example", "530 5.7.0"],
  ["optional", "erp", "nothing", "", "erp.example", "530 5.7.0"],
  ["optional", "pod", "EXTERNAL", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["optional", "host", "EXTERNAL", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["optional", "wild", "EXTERNAL", "235 2.7.0", "erp.example", "550 5.7.1"],
  ["optional", "other", "EXTERNAL", "235 2.7.0", "erp.example", "550 5.7.1"],
  ["optional", "erp", "EXTERNAL", "235 2.7.0", "shop.example", "550 5.7.1"],
  ["optional", "none", "EXTERNAL", "535 5.7.8", "erp.example", "530 5.7.0"],
  ["optional", "foreign", "EXTERNAL", "535 5.7.8", "erp.example", "530 5.7.0"],
  ["optional", "expired", "EXTERNAL", "535 5.7.8", "erp.example", "530 5.7.0"],
  ["optional", "server", "EXTERNAL", "535 5.7.8", "erp.example", "530 5.7.0"],
  ["optional", "none", "a password", "235 2.7.0", "shop.example", "250 2.6.0"],
  ["optional", "expired", "a password", "235 2.7.0", "shop.example", "250 2.6.0"],
  ["optional", "expired", "a password", "235 2.7.0", "erp.example", "550 5.7.1"],
  ["optional", "erp", "a password", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["required", "none", "a password", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["required", "foreign", "a password", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["required", "expired", "a password", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["required", "erp", "a password", "235 2.7.0", "shop.example", "250 2.6.0"],
  ["required", "erp", "EXTERNAL", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["required", "erp", "nothing", "", "erp.example", "530 5.7.0"],
  ["servers", "erp", "nothing", "", "erp.example", "250 2.6.0"],
  ["servers", "other", "nothing", "", "erp.example", "550 5.7.1"],
  ["servers", "none", "nothing", "", "erp.example", "530 5.7.0"],
  ["servers", "foreign", "nothing", "", "erp.example", "530 5.7.0"],
  ["servers", "erp", "EXTERNAL", "235 2.7.0", "erp.example", "250 2.6.0"],
  ["gate", "pod", "nothing", "", "erp.example", "250 2.6.0"],
  ["gate", "none", "a password", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["two", "erp", "EXTERNAL", "534 5.7.9", "erp.example", "530 5.7.0"],
  ["two", "erp", "nothing", "", "erp.example", "530 5.7.0"],
  ["two", "erp", "a password", "235 2.7.0", "shop.example", "250 2.6.0"],
  ["two", "none", "EXTERNAL", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["two", "none", "a password", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["two", "foreign", "a password", "530 5.7.0", "shop.example", "530 5.7.0"],
  ["password", "erp", "EXTERNAL", "504 5.5.4", "erp.example", "530 5.7.0"],
  ["password", "erp", "a password", "235 2.7.0", "erp.example", "550 5.7.1"],
];

const shared = await openBed(wish);
after(() => shared.close());

for (const [listener, shower, login, answer, domain, expected] of rows) {
  // What TLS 1.2 does otherwise comes before all that is decided here.
  const versions =
    listener === "required" || listener === "servers" ? (["TLSv1.2", "TLSv1.3"] as const) : (["TLSv1.3"] as const);
  for (const version of versions) {
    const what = `${shower === "none" ? "no certificate" : `the certificate ${shower}`} and ${login}`;
    test(`${listener}, ${version}: ${what} hear ${answer}, and mail from ${domain} ${expected}`, async () => {
      const client = await inside(shared, { listener, tlsVersion: version }, shower);
      let said = "";
      if (login === "a password") said = await client.login("shop");
      else if (login !== "nothing") said = await client.command(external(login.slice("EXTERNAL ".length)));
      assert.equal(codes(said), answer, said);
      assert.equal(await sent(client, domain), expected);
      client.destroy();
    });
  }
}

test("what is wrong is said in words, with what to do", async () => {
  const rowsOfWords: readonly (readonly [Shower, RegExp])[] = [
    ["none", /No client certificate was shown in the TLS handshake: set one up/],
    ["foreign", /leads to no authority that this relay has for clients; send the certificates between/],
    ["expired", /is not valid now; it is valid from 20\d\d-.* to 20\d\d-/],
    ["server", /is not made for clients, .* must have clientAuth/],
  ];
  for (const [shower, words] of rowsOfWords) {
    const client = await inside(shared, "required", shower);
    assert.match(await client.command("MAIL FROM:<a@erp.example>"), words);
    client.destroy();
  }
});

test("EXTERNAL is offered to who has shown a certificate that can be used, where it is no second proof", async () => {
  const offered: string[] = [];
  for (const listener of wish.listeners.map(({ name }) => String(name))) {
    for (const shower of ["erp", "none", "foreign"] as const) {
      const client = await inside(shared, listener, shower);
      if (/AUTH .*EXTERNAL/.test(await client.command("EHLO client.example"))) offered.push(`${listener} ${shower}`);
      client.destroy();
    }
  }
  assert.deepEqual(offered, ["optional erp", "required erp", "servers erp", "gate erp"]);
});

test("EXTERNAL also takes the name as an answer, of which an equals sign is none", async () => {
  for (const name of ["", "=", Buffer.from("erp").toString("base64")]) {
    const client = await inside(shared, "optional", "erp");
    assert.equal(await client.command("AUTH EXTERNAL"), "334");
    assert.equal(codes(await client.command(name)), "235 2.7.0");
    client.destroy();
  }
});

test("a withdrawn authority ends its sessions at the next MAIL, and a renewed one does not", async (t) => {
  const bed = await bedOf(t);
  const login = await inside(bed, "optional", "erp");
  assert.equal(codes(await login.command(external(""))), "235 2.7.0");
  const alone = await inside(bed, "servers", "pod");
  const both = await inside(bed, "two", "erp");
  assert.equal(codes(await both.login("shop")), "235 2.7.0");
  const renewed = await makeAuthority("Root", { keys: root.keys });
  for (const clientAuthorities of [`${foreign.certificate}${root.certificate}`, renewed.certificate]) {
    bed.snapshots.set(snapshotOf({ ...wish, clientAuthorities }));
    assert.equal(await sent(login, "erp.example"), "250 2.6.0");
    assert.equal(await sent(alone, "erp.example"), "250 2.6.0");
    assert.equal(await sent(both, "shop.example"), "250 2.6.0");
  }
  bed.snapshots.set(snapshotOf({ ...wish, clientAuthorities: foreign.certificate }));
  for (const client of [login, alone, both]) {
    assert.match(await client.command("MAIL FROM:<a@erp.example>"), /^421 4\.7\.0 .*connect/);
    await client.closed;
  }
  const [old, fresh] = [await inside(bed, "optional", "erp"), await inside(bed, "optional", "foreign")];
  assert.equal(codes(await old.command(external(""))), "535 5.7.8");
  assert.equal(codes(await fresh.command(external(""))), "235 2.7.0");
  assert.equal(await sent(fresh, "erp.example"), "250 2.6.0");
});

test("a certificate that expires meanwhile ends its sessions at the next MAIL, and not the message under way", async (t) => {
  let now = Date.now();
  const bed = await bedOf(t, {}, { clock: { now: () => now } });
  const [idle, busy, alone] = [
    await inside(bed, "optional", "erp"),
    await inside(bed, "optional", "erp"),
    await inside(bed, "gate", "erp"),
  ];
  for (const client of [idle, busy]) assert.equal(codes(await client.command(external(""))), "235 2.7.0");
  assert.match(await busy.command("MAIL FROM:<a@erp.example>"), /^250 /);
  now += 172_800_000;
  for (const client of [idle, alone]) assert.match(await client.command("MAIL FROM:<a@erp.example>"), /^421 4\.7\.0 /);
  assert.match(await busy.command("RCPT TO:<b@example.net>"), /^250 /);
  assert.match(await busy.command("DATA"), /^354 /);
  assert.equal(codes(await busy.command("From: a@erp.example\r\n\r\nx\r\n.")), "250 2.6.0");
  assert.match(await busy.command("MAIL FROM:<a@erp.example>"), /^421 4\.7\.0 /);
});

test("a listener that begins to ask sends those away who were not asked, and one that ends takes no EXTERNAL", async (t) => {
  const bed = await bedOf(t);
  const before = await inside(bed, "password", "erp");
  assert.equal(codes(await before.login("shop")), "235 2.7.0");
  const asked = await inside(bed, "optional", "erp");
  assert.equal(codes(await asked.command(external(""))), "235 2.7.0");
  const changes: Readonly<Record<string, object>> = {
    password: { clientCertificates: "Required" },
    optional: { clientCertificates: undefined },
  };
  const listeners = wish.listeners.map((listener) => ({ ...listener, ...changes[String(listener["name"])] }));
  bed.snapshots.set(snapshotOf({ ...wish, listeners }));
  assert.match(await before.command("MAIL FROM:<a@shop.example>"), /^421 4\.7\.0 .*certificate now, connect again/);
  assert.match(await asked.command("MAIL FROM:<a@erp.example>"), /^421 4\.7\.0 /);
  const fresh = await inside(bed, "password", "erp");
  assert.equal(codes(await fresh.command(external(""))), "235 2.7.0");
  const other = await inside(bed, "optional", "erp");
  assert.equal(codes(await other.command(external(""))), "504 5.5.4");
});

test("without authorities nobody is let in for now, and nobody is asked", async (t) => {
  const bed = await bedOf(t, { clientAuthorities: undefined });
  const client = await inside(bed, "required", "erp");
  assert.match(await client.login("shop"), /^451 4\.3\.5 /);
  assert.match(await client.command("MAIL FROM:<a@erp.example>"), /^451 4\.3\.5 /);
  assert.deepEqual(bed.handshakes, []);
});

test("another certificate of ours leaves sessions alone, and clients are asked as before", async (t) => {
  const bed = await bedOf(t);
  const old = await inside(bed, "gate", "erp");
  bed.snapshots.set(snapshotOf({ ...wish, certificate: await makeCertificate() }));
  const fresh = await inside(bed, "gate", "erp");
  assert.notEqual(fresh.fingerprint, old.fingerprint);
  for (const client of [old, fresh]) assert.equal(await sent(client, "erp.example"), "250 2.6.0");
});

test("who has shown a certificate that is enough is no stranger", async (t) => {
  const bed = await bedOf(t, {}, { patience: { loginMs: 300 } });
  const known = await inside(bed, "servers", "erp");
  const stranger = await inside(bed, "servers", "none");
  assert.match(await stranger.reply(), /^421 4\.4\.2 /);
  assert.equal(await sent(known, "erp.example"), "250 2.6.0");
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`no ${version} session is taken up again where a certificate was asked for`, async (t) => {
    const bed = await bedOf(t);
    const open = async (listener: string, session?: Buffer): Promise<TLSSocket> => {
      const { chain, privateKey } = pairs.erp;
      const port = bed.submission.addresses.get(listener) ?? 0;
      const versions = { minVersion: version, maxVersion: version } as const;
      const own = { cert: chain, key: privateKey, ...(session === undefined ? {} : { session }) };
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false, ...versions, ...own });
      t.after(() => socket.destroy());
      await once(socket, "data");
      return socket;
    };
    const first = await open("required");
    const session = first.getSession();
    assert.ok(session !== undefined);
    assert.equal((await open("required", session)).isSessionReused(), false);
  });
}

test("handshakes are counted by what came of them, and no name is written down", async (t) => {
  const bed = await bedOf(t, {}, { logLevel: "debug" });
  for (const shower of ["erp", "none", "foreign", "expired", "server"] as const) {
    const client = await inside(bed, "gate", shower);
    await client.command("MAIL FROM:<a@erp.example>");
  }
  assert.deepEqual(
    bed.handshakes.map((line) => line.replace("gate ", "")),
    ["accepted", "none", "untrusted", "expired", "unsuitable"],
  );
  assert.ok(!JSON.stringify(bed.lines).includes('erp"'), JSON.stringify(bed.lines));
});
