/** What each identity of a sender may send in an hour, over the wire: whose is whose, and which entry a client goes by. */
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import {
  credentialOf,
  makeCertificate,
  openBed,
  type Bed,
  type SenderEntryWish,
} from "../../test/support/submission.ts";
import { signingIssuer } from "../../test/support/tokens.ts";
import { makeAuthority, makeClient, type ClientPair } from "../../test/support/clientcertificates.ts";
import type { SmtpClient } from "../../test/support/smtpclient.ts";

const [certificate, authority] = [await makeCertificate(), await makeAuthority("Root")];
const opened: Bed[] = [];
afterEach(async () => {
  for (const bed of opened.splice(0)) await bed.close();
});

const apps = credentialOf("shop", "shop/mail");
const certificates = { commonNames: ["erp", "crm"] };
const secrets = [apps.identity, "shop/old", "shop/erp"];
const [cluster, staff] = [signingIssuer("ES256", "cluster"), signingIssuer("ES256", "staff")];
const [clusterUrl, staffUrl] = ["https://kubernetes.default.svc", "https://login.example.com"];
const accounts = ["checkout", "invoices"].map((name) => ({ namespace: "shop", name }));
const people = { issuer: "staff", users: ["ann"], groups: ["mailers"] };
/** As the domain grants them. */
const tokens = [
  ...accounts.map(({ namespace, name }) => `system:serviceaccount:${namespace}:${name}`),
  "oidc:staff:user:ann",
  "oidc:staff:group:mailers",
];

const standsAt = 1_000_000_000_000;

/** A clock that stands: nothing comes back. Clients of 127.0.0.0/8 are trusted. */
async function bedOf(senderEntries: readonly SenderEntryWish[], domains: readonly string[] = ["example.com"]) {
  const wish = { trustedNetworks: true, identities: [...secrets, ...tokens], certificates, senderEntries };
  const bed = await openBed(
    {
      listeners: [
        {
          name: "submission",
          tlsMode: "StartTLS",
          authentication: "Optional",
          trustedNetworks: ["127.0.0.0/8"],
          clientCertificates: "Optional",
        },
      ],
      certificate,
      clientAuthorities: authority.certificate,
      // The second Secret of a user, with a password of its own.
      credentials: [apps, credentialOf("shop", "shop/old", "another"), credentialOf("erp", "shop/erp")],
      tokenIssuers: [
        { kind: "ServiceAccounts", issuer: clusterUrl, audience: "mailboat", keys: [cluster.key] },
        {
          kind: "OIDC",
          name: "staff",
          issuer: staffUrl,
          audience: "mailboat",
          usernameClaim: "sub",
          groupsClaim: "groups",
          keys: [staff.key],
        },
      ],
      domains: Object.fromEntries(domains.map((domain) => [domain, wish])),
    },
    { clock: { now: () => standsAt } },
  );
  opened.push(bed);
  return bed;
}

async function session(bed: Bed, from = "127.0.0.1"): Promise<SmtpClient> {
  const client = await bed.connect("submission", { from });
  await client.reply();
  await client.command("EHLO client.example");
  return client;
}

async function loggedIn(bed: Bed, username: string, password?: string): Promise<SmtpClient> {
  const client = await secured(bed);
  assert.match(await client.login(username, password), /^235 /);
  return client;
}

async function secured(bed: Bed): Promise<SmtpClient> {
  const client = await session(bed);
  await client.startTls();
  await client.command("EHLO client.example");
  return client;
}

/** `life` makes one token of an account another. */
async function withToken(bed: Bed, who: { readonly account: string } | Person, life = 600): Promise<SmtpClient> {
  const client = await secured(bed);
  const claims = { aud: "mailboat", exp: standsAt / 1000 + life };
  const token =
    "account" in who
      ? cluster.token({ ...claims, iss: clusterUrl, sub: `system:serviceaccount:shop:${who.account}` })
      : staff.token({ ...claims, iss: staffUrl, sub: who.user, groups: who.groups ?? [] });
  assert.match(await client.login("", token), /^235 /);
  return client;
}

interface Person {
  readonly user: string;
  readonly groups?: readonly string[];
}

async function showing(bed: Bed, pair: ClientPair): Promise<SmtpClient> {
  const client = await bed.connect("submission", { certificate: pair });
  await client.reply();
  await client.command("EHLO client.example");
  await client.startTls();
  await client.command("EHLO client.example");
  assert.match(await client.command("AUTH EXTERNAL ="), /^235 /);
  return client;
}

async function send(client: SmtpClient, domain = "example.com"): Promise<string> {
  const message = `From: a@${domain}\r\n\r\nx\r\n`;
  return (await client.send(`a@${domain}`, ["b@example.net"], message)).replace(/^250 .*$/, "taken");
}

const refused =
  "450 4.7.1 this client has sent what it may for now, 2 messages an hour (limits of the senders entry apps: messagesPerHour); " +
  "try again in 1800 s";

test("each user has the whole of it, by whichever of its Secrets and in however many sessions it comes", async () => {
  const bed = await bedOf([{ name: "apps", secrets, limits: { messagesPerHour: 2 } }]);
  const [one, other, erp] = [
    await loggedIn(bed, "shop"),
    await loggedIn(bed, "shop", "another"),
    await loggedIn(bed, "erp"),
  ];
  assert.deepEqual([await send(one), await send(other)], ["taken", "taken"]);
  assert.deepEqual([await send(one), await send(other)], [refused, refused]);
  assert.deepEqual([await send(erp), await send(erp), await send(erp)], ["taken", "taken", refused]);
  assert.deepEqual(
    bed.exhausted,
    Array.from({ length: 3 }, () => "example.com messages"),
  );
});

test("what is kept and reported of it names no user", async () => {
  const bed = await bedOf([{ name: "apps", secrets, limits: { messagesPerHour: 2 } }]);
  await send(await loggedIn(bed, "shop"));
  assert.equal(bed.spool.quotas.length, 1);
  const keys = bed.spool.quotas.flat().map(({ key }) => key);
  assert.match(keys.join(), /^sender example\.com apps [\w-]{16}$/);
});

test("each client of a trusted network has the whole of it", async () => {
  const bed = await bedOf([{ name: "apps", trustedNetworks: true, limits: { messagesPerHour: 2 } }]);
  const one = await session(bed);
  assert.deepEqual([await send(one), await send(one), await send(await session(bed))], ["taken", "taken", refused]);
  assert.equal(await send(await session(bed, "127.0.0.2")), "taken");
});

test("a renewed certificate is the same identity, and one with another name is another", async () => {
  const clientCertificates = certificates.commonNames.map((commonName) => ({ commonName }));
  const bed = await bedOf([{ name: "apps", clientCertificates, limits: { messagesPerHour: 2 } }]);
  const [erp, renewed, crm] = await Promise.all(
    ["erp", "erp", "crm"].map(async (commonName) => showing(bed, await makeClient(authority, { commonName }))),
  );
  assert.ok(erp !== undefined && renewed !== undefined && crm !== undefined);
  assert.deepEqual([await send(erp), await send(renewed), await send(erp)], ["taken", "taken", refused]);
  assert.equal(await send(crm), "taken");
});

test("a certificate is counted under the name that the entry has of it, whatever else its holder has it say", async () => {
  const bed = await bedOf([
    { name: "apps", clientCertificates: [{ commonName: "erp" }], limits: { messagesPerHour: 2 } },
  ]);
  const chosen = ["one", "two", "three"].map((part) => ({ uris: [`urn:x:${part}`], dnsNames: [`${part}.example`] }));
  const shown = await Promise.all(
    chosen.map(async (names) => showing(bed, await makeClient(authority, { commonName: "erp", ...names }))),
  );
  const told = [];
  for (const client of shown) told.push(await send(client));
  assert.deepEqual(told, ["taken", "taken", refused]);
});

test("a login that stands no longer is nobody's limit", async () => {
  const entries = [
    { name: "users", secrets, limits: { messagesPerHour: 5 } },
    { name: "apps", trustedNetworks: true, limits: { messagesPerHour: 2 } },
  ];
  const bed = await bedOf(entries);
  const user = await loggedIn(bed, "shop");
  assert.equal(await send(user), "taken");
  bed.snapshots.set({ ...bed.snapshots.current(), credentials: new Map() });
  assert.deepEqual([await send(user), await send(user), await send(user)], ["taken", "taken", refused]);
});

test("each ServiceAccount has the whole of it, with however many pods and tokens, and so has each person of an issuer", async () => {
  const bed = await bedOf([
    { name: "apps", serviceAccounts: accounts, oidc: [people], limits: { messagesPerHour: 2 } },
    { name: "free", trustedNetworks: true },
  ]);
  const whose = [{ account: "checkout" }, { account: "invoices" }, { user: "ann" }];
  // Of people of whom nobody but their group is named, each is one.
  const members = ["ben", "eve"].map((user) => ({ user, groups: ["others", "mailers"] }));
  for (const who of [...whose, ...members]) {
    const [one, other] = [await withToken(bed, who), await withToken(bed, who, 900)];
    assert.deepEqual([await send(one), await send(other), await send(one)], ["taken", "taken", refused]);
  }
});

test("who logs in is counted as who it is, and not as its network", async () => {
  const bed = await bedOf([
    { name: "networks", trustedNetworks: true, limits: { messagesPerHour: 1 } },
    { name: "apps", secrets, limits: { messagesPerHour: 2 } },
  ]);
  const user = await loggedIn(bed, "shop");
  assert.deepEqual([await send(user), await send(user), await send(user)], ["taken", "taken", refused]);
  assert.equal(await send(await session(bed)), "taken");
});

test("of two entries that name a client the first one counts, also where that has no limits", async () => {
  const limited = { name: "apps", secrets, limits: { messagesPerHour: 2 } };
  const free = { name: "free", secrets: [apps.identity] };
  for (const [entries, third] of [
    [[limited, free], refused],
    [[free, limited], "taken"],
  ] as const) {
    const user = await loggedIn(await bedOf(entries), "shop");
    assert.deepEqual([await send(user), await send(user), await send(user)], ["taken", "taken", third]);
  }
});

test("each domain has its own, and what a domain may send holds beside it", async () => {
  const bed = await bedOf([{ name: "apps", secrets, limits: { messagesPerHour: 2 } }], ["example.com", "b.example"]);
  const user = await loggedIn(bed, "shop");
  assert.deepEqual([await send(user), await send(user), await send(user)], ["taken", "taken", refused]);
  assert.equal(await send(user, "b.example"), "taken");
});
