/**
 * Who may send as whom, over the wire: everybody who can prove to be somebody, by every mechanism that can carry it, as every address of
 * a table, in the envelope and in each field of the header that says whose hand a message is from. What must come of a cell is reckoned
 * from the table, which says who may use each address by the manifests below it; nothing of the relay's own is asked.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ListenerDocument, TokenIssuerDocument } from "../../api/relayconfig.ts";
import { makeAuthority, makeClient } from "../support/clientcertificates.ts";
import { credentialFor, type DomainPlan } from "../support/configuration.ts";
import { makeCertificate, makeEd25519Key } from "../support/keys.ts";
import { NextHop } from "../support/nexthop.ts";
import { RelayProgram } from "../support/relay.ts";
import { makeResultsDirectory } from "../support/results.ts";
import type { SmtpClient } from "../support/smtpclient.ts";
import { subjectOf } from "../support/stage.ts";
import { signingIssuer } from "../support/tokens.ts";
import { openAs, transact, type Proof } from "../support/wirelogins.ts";

type Identity =
  "shop" | "late" | "billing" | "stranger" | "erp" | "node" | "pod" | "account" | "ann" | "mailer" | "printers";

const directory = makeResultsDirectory(import.meta.url, "relay");
const certificate = makeCertificate(directory, "relay.example.net");
const keys = [makeEd25519Key("ed")];

const authority = await makeAuthority("clients");
const spiffe = "spiffe://cluster.local/ns/erp/sa/app";

const [cluster, staff] = [signingIssuer("RS256", "cluster"), signingIssuer("ES256", "staff")];
const [clusterUrl, staffUrl] = ["https://kubernetes.default.svc", "https://login.example.com/staff"];
const tokenIssuers: readonly TokenIssuerDocument[] = [
  { kind: "ServiceAccounts", issuer: clusterUrl, audience: "mailboat", keys: [cluster.key] },
  {
    kind: "OIDC",
    name: "staff",
    issuer: staffUrl,
    audience: "mailboat",
    usernameClaim: "email",
    groupsClaim: "groups",
    keys: [staff.key],
  },
];
const exp = Math.floor(Date.now() / 1000) + 3_600;
const ofStaff = { iss: staffUrl, aud: "mailboat", sub: "4711", exp };
const account = { namespace: "erp", name: "app" };

const proofs: Readonly<Record<Identity, Proof>> = {
  shop: { kind: "password", username: "app", password: "of the shop" },
  // Of another tenant, and by the same name.
  billing: { kind: "password", username: "app", password: "of billing" },
  late: { kind: "password", username: "late", password: "for an hour" },
  stranger: { kind: "password", username: "stranger", password: "of nobody here" },
  erp: { kind: "certificate", pair: await makeClient(authority, { commonName: "erp" }) },
  node: { kind: "certificate", pair: await makeClient(authority, { dnsNames: ["node.erp.example"] }) },
  pod: { kind: "certificate", pair: await makeClient(authority, { uris: [spiffe] }) },
  account: {
    kind: "token",
    token: cluster.token({ iss: clusterUrl, aud: ["mailboat"], sub: "system:serviceaccount:erp:app", exp }),
  },
  ann: { kind: "token", token: staff.token({ ...ofStaff, email: "ann@staff.example" }) },
  mailer: { kind: "token", token: staff.token({ ...ofStaff, email: "bob@staff.example", groups: ["mailers"] }) },
  printers: { kind: "network" },
};
const secrets = {
  shop: credentialFor("shop/app", "app", "of the shop"),
  billing: credentialFor("billing/app", "app", "of billing"),
  late: { ...credentialFor("shop/late", "late", "for an hour"), expiresAt: Date.now() + 3_600_000 },
  stranger: credentialFor("elsewhere/app", "stranger", "of nobody here"),
};
/** What a test does not say is as a manifest has it that does not say it. */
const common: Pick<ListenerDocument, "port" | "trustedNetworks"> = { port: 0, trustedNetworks: [] };
const listeners: readonly ListenerDocument[] = [
  {
    ...common,
    name: "submissions",
    tlsMode: "Implicit",
    authentication: "Required",
    clientCertificates: "Optional",
  },
  {
    ...common,
    name: "servers",
    tlsMode: "StartTLS",
    authentication: "Optional",
    clientCertificates: "Required",
  },
  { ...common, name: "smtp", tlsMode: "StartTLS", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] },
];
const none = { keys, trustedNetworks: false, credentials: [] };
const domains: readonly DomainPlan[] = [
  { ...none, domain: "shop.example", credentials: [secrets.shop, secrets.late] },
  { ...none, domain: "mail.shop.example", credentials: [secrets.billing] },
  {
    ...none,
    domain: "billing.example",
    credentials: [secrets.billing],
    localParts: ["invoice", "no-reply-*"],
  },
  {
    ...none,
    domain: "both.example",
    credentials: [secrets.shop, secrets.billing],
    senders: { clientCertificates: [{ commonName: "erp" }] },
  },
  { ...none, domain: "erp.example", senders: { clientCertificates: [{ commonName: "erp" }] } },
  {
    ...none,
    domain: "node.erp.example",
    senders: { certificateNames: { dnsNames: ["node.erp.example"], uris: [] } },
  },
  { ...none, domain: "pod.example", senders: { certificateNames: { dnsNames: [], uris: [spiffe] } } },
  { ...none, domain: "account.example", senders: { serviceAccounts: [account] } },
  {
    ...none,
    domain: "staff.example",
    senders: { oidc: [{ issuer: "staff", users: ["ann@staff.example"], groups: ["mailers"] }] },
  },
  // A user who is called as an account, a group as a user, and an issuer as another's.
  {
    ...none,
    domain: "called.example",
    senders: {
      serviceAccounts: [{ namespace: "erp", name: "other" }],
      oidc: [
        { issuer: "staff", users: ["system:serviceaccount:erp:app", "mailers"], groups: ["ann@staff.example"] },
        { issuer: "others", users: ["ann@staff.example"], groups: ["mailers"] },
      ],
    },
  },
  // Of a common name that is another's DNS name, and the other way about.
  {
    ...none,
    domain: "crossed.example",
    senders: {
      clientCertificates: [{ commonName: "node.erp.example" }],
      certificateNames: { dnsNames: ["erp"], uris: [] },
    },
  },
  { ...none, domain: "open.example", trustedNetworks: true },
  { ...none, domain: "xn--mnchen-3ya.example", credentials: [secrets.shop] },
  { ...none, domain: "elsewhere.example", credentials: [secrets.stranger] },
];

interface Row {
  readonly written: string;
  readonly domain: string;
  readonly may: readonly Identity[];
}

const rows: readonly Row[] = [
  { written: "app@shop.example", domain: "shop.example", may: ["shop", "late"] },
  { written: "APP@Shop.EXAMPLE", domain: "shop.example", may: ["shop", "late"] },
  { written: '"app"@shop.example', domain: "shop.example", may: ["shop", "late"] },
  { written: "app@mail.shop.example", domain: "mail.shop.example", may: ["billing"] },
  { written: "app@no.shop.example", domain: "no.shop.example", may: [] },
  { written: "app@notshop.example", domain: "notshop.example", may: [] },
  { written: "invoice@billing.example", domain: "billing.example", may: ["billing"] },
  { written: "Invoice@Billing.example", domain: "billing.example", may: ["billing"] },
  { written: "no-reply-7@billing.example", domain: "billing.example", may: ["billing"] },
  { written: "invoice+7@billing.example", domain: "billing.example", may: [] },
  { written: "ceo@billing.example", domain: "billing.example", may: [] },
  { written: "app@both.example", domain: "both.example", may: ["shop", "billing", "erp"] },
  { written: "app@erp.example", domain: "erp.example", may: ["erp"] },
  { written: "app@node.erp.example", domain: "node.erp.example", may: ["node"] },
  { written: "app@pod.example", domain: "pod.example", may: ["pod"] },
  { written: "app@account.example", domain: "account.example", may: ["account"] },
  { written: "app@staff.example", domain: "staff.example", may: ["ann", "mailer"] },
  { written: "app@called.example", domain: "called.example", may: [] },
  { written: "app@crossed.example", domain: "crossed.example", may: [] },
  { written: "app@open.example", domain: "open.example", may: ["printers"] },
  { written: "app@xn--mnchen-3ya.example", domain: "xn--mnchen-3ya.example", may: ["shop"] },
  { written: "app@m\u00fcnchen.example", domain: "xn--mnchen-3ya.example", may: ["shop"] },
  { written: "app@M\u00dcNCHEN.example", domain: "xn--mnchen-3ya.example", may: ["shop"] },
  { written: "app@m\u00fcnchen.shop.example", domain: "xn--mnchen-3ya.shop.example", may: [] },
  { written: "app@elsewhere.example", domain: "elsewhere.example", may: ["stranger"] },
  { written: "app@nobody.example", domain: "nobody.example", may: [] },
  { written: "app@[127.0.0.1]", domain: "[127.0.0.1]", may: [] },
];

interface Cell {
  /** Undefined for the null reverse-path. */
  readonly envelope: Row | undefined;
  readonly from: readonly Row[];
  /** Fields beside From, as they are written. */
  readonly beside?: readonly (readonly [field: string, row: Row])[];
}

/** Whoever somebody is, at once. */
type Who = readonly Identity[];

const accepted = "250 2.6.0";
const notGranted = "550 5.7.1";
const notOneSender = "550 5.6.0";
/** Names where answers go, and not whose hand a message is from. */
const free = "Reply-To";

function reckon(who: Who, { envelope, from, beside = [] }: Cell): string {
  const may = (row: Row): boolean => row.may.some((identity) => who.includes(identity));
  if (envelope !== undefined && !may(envelope)) return notGranted;
  if (new Set(from.map(({ domain }) => domain)).size > 1) return notOneSender;
  const named = beside.flatMap(([field, row]) => (field === free ? [] : [row]));
  return [...from, ...named].every(may) ? accepted : notGranted;
}

const fields = ["Sender", "sender ", "Resent-From", "Resent-Sender", free];

/** Every address in the envelope with every one in From, and each field with each address beside a From of one's own. */
function everyCell(own: Row): readonly Cell[] {
  const envelopes = [undefined, ...rows];
  return [
    ...envelopes.flatMap((envelope) => rows.map((row) => ({ envelope, from: [row] }))),
    ...rows.flatMap((row) => [
      { envelope: own, from: [own, row] },
      { envelope: undefined, from: [row, own] },
      ...fields.map((field) => ({ envelope: own, from: [own], beside: [[field, row] as const] })),
    ]),
    ...rows.flatMap((row) =>
      rows.filter(({ domain }) => domain === row.domain).map((other) => ({ envelope: undefined, from: [row, other] })),
    ),
    ...rows.map((row) => ({
      envelope: own,
      from: [own],
      beside: [["Resent-From", own] as const, ["Resent-From", row] as const],
    })),
  ];
}

/** What a mechanism could let in besides: each address in the envelope, and each in From. */
function someCells(own: Row): readonly Cell[] {
  return rows.flatMap((row) => [
    { envelope: row, from: [own] },
    { envelope: undefined, from: [row] },
  ]);
}

let hop: NextHop;
let relay: RelayProgram;
before(async () => {
  hop = await NextHop.start();
  relay = await RelayProgram.start({
    directory,
    plan: {
      nextHops: [hop.address],
      domains,
      certificate,
      listeners,
      clientAuthorities: authority.certificate,
      tokenIssuers,
    },
    ports: { servers: 0 },
  });
});
after(async () => {
  await relay.program.kill("SIGKILL");
  await hop.stop();
});

/** Subjects of what was accepted, with the domain that must have signed it. */
const expected = new Map<string, string>();
let cells = 0;

function messageOf({ from, beside = [] }: Cell, subject: string): string {
  const names = beside.map(([field, { written }]) => `${field}: ${written}`);
  const header = [`From: ${from.map(({ written }) => written).join(", ")}`, ...names, "To: b@example.org"];
  return [...header, `Subject: ${subject}`, "", subject].join("\r\n");
}

interface Attempt {
  readonly who: Who;
  readonly listener: "submissions" | "servers" | "smtp";
  readonly mechanism: string;
  readonly cells: readonly Cell[];
}

/** Who is refused two hundred times on end is sent away: a session has fewer cells, of which the first is taken. */
const cellsOfASession = 150;

async function answersTo({ who, listener, mechanism, cells: asked }: Attempt): Promise<void> {
  const entrance = { port: relay.port(listener), implicitTls: listener === "submissions" };
  const proofsOf = who.map((identity) => proofs[identity]);
  const sessions = Array.from({ length: Math.ceil(asked.length / cellsOfASession) }, async (_, index) => {
    const client = await openAs(entrance, proofsOf, mechanism);
    const some = asked.slice(index * cellsOfASession, (index + 1) * cellsOfASession);
    const wrong = await wrongAnswers(client, who, [{ envelope: undefined, from: [ownOf(who)] }, ...some]);
    client.destroy();
    return wrong;
  });
  assert.deepEqual((await Promise.all(sessions)).flat(), []);
}

async function wrongAnswers(client: SmtpClient, who: Who, asked: readonly Cell[]): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const cell of asked) {
    const subject = `cell ${(cells += 1)}`;
    const message = messageOf(cell, subject);
    const sender = cell.envelope?.written ?? "";
    const utf8 = /[^\0-\x7f]/.test(sender + message) ? " SMTPUTF8" : "";
    const reply = await transact(client, [`MAIL FROM:<${sender}>${utf8}`, "RCPT TO:<b@example.org>"], message);
    const right = reckon(who, cell);
    if (right === accepted) expected.set(subject, cell.from[0]?.domain ?? "");
    if (!reply.startsWith(`${right} `)) wrong.push(`MAIL FROM:<${sender}>\n${message}\n${right}, but ${reply}`);
  }
  return wrong;
}

function ownOf(who: Who): Row {
  const own = rows.find(({ may }) => may.some((identity) => who.includes(identity)));
  assert.ok(own !== undefined);
  return own;
}

const byToken = ["PLAIN", "OAUTHBEARER", "XOAUTH2"];
const byPassword = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];

/** By the first mechanism everything is tried, by the others what they could let in besides. */
const clients: readonly (Pick<Attempt, "who" | "listener"> & { readonly mechanisms: readonly string[] })[] = [
  { who: ["shop"], listener: "submissions", mechanisms: byPassword },
  { who: ["late"], listener: "submissions", mechanisms: byPassword },
  { who: ["billing"], listener: "submissions", mechanisms: byPassword },
  { who: ["stranger"], listener: "submissions", mechanisms: byPassword },
  { who: ["erp"], listener: "submissions", mechanisms: ["EXTERNAL"] },
  { who: ["node"], listener: "submissions", mechanisms: ["EXTERNAL"] },
  { who: ["pod"], listener: "servers", mechanisms: ["none"] },
  { who: ["account"], listener: "submissions", mechanisms: byToken },
  { who: ["ann"], listener: "submissions", mechanisms: byToken },
  { who: ["mailer"], listener: "submissions", mechanisms: byToken },
  { who: ["printers"], listener: "smtp", mechanisms: ["none"] },
  // Who has shown two things is both.
  { who: ["shop", "printers"], listener: "smtp", mechanisms: byPassword },
  { who: ["erp", "billing"], listener: "submissions", mechanisms: byPassword },
  { who: ["erp", "billing"], listener: "servers", mechanisms: ["PLAIN"] },
  { who: ["erp", "account"], listener: "servers", mechanisms: byToken },
];

for (const { who, listener, mechanisms } of clients) {
  for (const [index, mechanism] of mechanisms.entries()) {
    const [what, cellsOf] =
      index === 0
        ? (["every address in every place", everyCell] as const)
        : (["the same addresses, and no other", someCells] as const);
    test(`${who.join(" and ")} on ${listener} by ${mechanism}: ${what}`, async () => {
      await answersTo({ who, listener, mechanism, cells: cellsOf(ownOf(who)) });
    });
  }
}

test("what was accepted arrives, signed by the domain of its From, and nothing else does", async () => {
  assert.ok(expected.size > 500);
  await hop.waitForMails(expected.size);
  const arrived = hop.mails.map(({ message }) => [subjectOf(message), signerOf(message)] as const);
  assert.deepEqual(
    arrived.toSorted(([one], [other]) => numberOf(one) - numberOf(other)),
    [...expected].toSorted(([one], [other]) => numberOf(one) - numberOf(other)),
  );
});

function signerOf(message: Buffer): string {
  return /^DKIM-Signature:[^]*?\bd=([^;\s]+)/m.exec(message.toString("latin1"))?.[1] ?? "";
}

function numberOf(subject: string): number {
  return Number(subject.split(" ")[1]);
}
