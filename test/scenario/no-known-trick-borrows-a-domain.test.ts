/**
 * What others have reported of relays on which one tenant could send as another, each tried on ours: a client that may use shop.example
 * and wants to be taken for victim.example, which is another tenant's on the same relay. The reports are named as they are found.
 */
import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { credentialFor } from "../support/configuration.ts";
import type { ReceivedMail } from "../support/nexthop.ts";
import { SmtpClient } from "../support/smtpclient.ts";
import { openStage, subjectOf, type Stage } from "../support/stage.ts";
import { openAs, transact, type Proof } from "../support/wirelogins.ts";

let stage: Stage;
const ending: (() => Promise<void> | void)[] = [];
before(async () => {
  const context = { after: (end: () => Promise<void> | void) => ending.push(end) } as Pick<TestContext, "after">;
  const none = { trustedNetworks: false };
  stage = await openStage(context as TestContext, {
    file: import.meta.url,
    domains: [
      { ...none, domain: "shop.example", credentials: [credentialFor("shop/app", "shop", "of the shop")] },
      { ...none, domain: "victim.example", credentials: [credentialFor("victim/app", "victim", "of the victim")] },
      { ...none, domain: "open.example", credentials: [], trustedNetworks: true },
      {
        ...none,
        domain: "narrow.example",
        credentials: [credentialFor("shop/app", "shop", "of the shop")],
        localParts: ["orders"],
      },
    ],
  });
});
after(async () => {
  for (const end of ending.toReversed()) await end();
});

const shop: Proof = { kind: "password", username: "shop", password: "of the shop" };

async function open(listener: "submissions" | "smtp", ...proofs: readonly Proof[]): Promise<SmtpClient> {
  const entrance = { port: stage.relay.port(listener), implicitTls: listener === "submissions" };
  const client = await openAs(entrance, proofs, "PLAIN");
  ending.push(() => client.destroy());
  return client;
}

const own = "app@shop.example";
const victim = "app@victim.example";
const rcpt = "RCPT TO:<b@example.org>";

interface Trick {
  readonly report: string;
  /** What follows MAIL FROM:; of one's own when absent. */
  readonly mail?: string;
  /** Lines of the header; a From of one's own when absent. */
  readonly header?: readonly string[];
  readonly answer: RegExp;
}

const notGranted = /^550 5\.7\.1 .*domain victim\.example is not granted to this client/;
const from = `From: ${own}`;

const tricks: readonly Trick[] = [
  // The envelope is one's own, and the header is not.
  { report: "VU#244112, CVE-2024-7208", header: [`From: ${victim}`], answer: notGranted },
  { report: "docker-mailserver#1426, with a name", header: [`From: "${own}" <${victim}>`], answer: notGranted },
  { report: "the null reverse-path", mail: "<>", header: [`From: ${victim}`], answer: notGranted },
  { report: "the envelope alone", mail: `<${victim}>`, answer: notGranted },
  // Of several senders one is looked at.
  { report: "mox#459: the second From", header: [from, `From: ${victim}`], answer: /^550 5\.6\.0 / },
  { report: "OpenDKIM#157: the first From", header: [`From: ${victim}`, from], answer: /^550 5\.6\.0 / },
  { report: "milterfrom#8: the second address", header: [`From: ${own}, ${victim}`], answer: /^550 5\.6\.0 / },
  { report: "milterfrom#8: Sender", header: [from, `Sender: ${victim}`], answer: notGranted },
  { report: "Resent-From beside From", header: [`Resent-From: ${victim}`, from], answer: notGranted },
  { report: "Resent-Sender beside From", header: [`Resent-Sender: ${victim}`, from], answer: notGranted },
  { report: "a group in From", header: [`From: shop: ${own}, ${victim};`], answer: /^550 5\.6\.0 / },
  // Composition Kills (USENIX Security 2020) and Weak Links in Authentication Chains (2021): what one parser reads and another does not.
  { report: "From with a space before the colon", header: [from, `From : ${victim}`], answer: /^550 5\.6\.0 / },
  { report: "From with a space before it", header: [` From: ${victim}`, from], answer: /^550 5\.6\.0 / },
  { report: "From behind a NUL", header: [`From\0: ${victim}`, from], answer: /^550 5\.6\.0 / },
  { report: "From in a line of white space", header: [from, " ", `From: ${victim}`], answer: /^550 5\.6\.0 / },
  { report: "a NUL between addresses", header: [`From: <${victim}>\0<${own}>`], answer: /^550 5\.6\.0 / },
  { report: "two addresses in brackets", header: [`From: <${victim}><${own}>`], answer: /^550 5\.6\.0 / },
  { report: "an address for a name", header: [`From: ${victim} <${own}>`], answer: /^550 5\.6\.0 / },
  { report: "a route in From", header: [`From: <@victim.example:${own}>`], answer: /^550 5\.6\.0 / },
  { report: "a comment in a comment", header: [`From: ${own} ((x) <${victim}>)`], answer: /^550 5\.6\.0 / },
  {
    report: "an encoded word for an address",
    header: [`From: =?utf-8?b?PHg+?=@victim.example`],
    answer: /^550 5\.6\.0 /,
  },
  { report: "a quoted @ in the local part", header: [`From: "${victim}"@shop.example`], answer: /^550 5\.6\.0 / },
  { report: "another form of @", mail: "<app\uff20victim.example@shop.example> SMTPUTF8", answer: /^501 5\.1\.7 / },
  { report: "a full stop of another script", mail: "<app@victim\u3002example> SMTPUTF8", answer: notGranted },
  { report: "a soft hyphen in the domain", mail: "<app@vic\u00adtim.example> SMTPUTF8", answer: /^501 5\.1\.7 / },
  { report: "fullwidth letters in From", header: ["From: app@\uff56ictim.example"], answer: notGranted },
  { report: "a full stop at the end", mail: "<app@victim.example.>", answer: /^501 5\.1\.7 / },
  { report: "two paths", mail: `<${own}>,<${victim}>`, answer: /^501 5\.5\.4 / },
  { report: "parentheses for brackets", mail: `(${own})<${victim}>`, answer: /^501 5\.1\.7 / },
  { report: "a space in brackets", mail: `< ${victim}>`, answer: /^501 5\.1\.7 / },
  // Of a quoted local part some readers take what looks like an address for the address.
  { report: "nodemailer#1766", mail: `<"${victim} x"@shop.example>`, answer: /^550 5\.1\.7 .*a quoted @/ },
  { report: "mail-send#42", mail: `<"${victim}> RET=HDRS"@shop.example>`, answer: /^550 5\.1\.7 .*a quoted @/ },
  { report: "go-mail#495", mail: '<"app> SIZE=1"@shop.example>', answer: /^550 5\.1\.7 .*a quoted >/ },
  // Sub-addresses, aliases and letter case in lists of who may send as whom.
  { report: "Mailu#1387: another letter case", mail: "<CEO@Narrow.example>", answer: /^550 5\.7\.1 .*local part/ },
  { report: "an address with a detail", mail: "<orders+ceo@narrow.example>", answer: /^550 5\.7\.1 .*local part/ },
  { report: "quotes around another", mail: '<"ceo"@narrow.example>', answer: /^550 5\.7\.1 .*local part/ },
  { report: "a pattern's own character", mail: "<orders*@narrow.example>", answer: /^550 5\.7\.1 .*local part/ },
];

for (const { report, mail = `<${own}>`, header = [from], answer } of tricks) {
  test(`refused: ${report}`, async () => {
    const client = await open("submissions", shop);
    const utf8 = header.join("").match(/[^\0-\x7f]/) !== null && !mail.includes("UTF8") ? " SMTPUTF8" : "";
    const message = [...header, "To: b@example.org", `Subject: ${report}`, "", "x"].join("\r\n");
    assert.match(await transact(client, [`MAIL FROM:${mail}${utf8}`, rcpt], message), answer);
    // And the session is still the shop's.
    assert.match(await client.command(`MAIL FROM:<${own}>`), /^250 /);
  });
}

async function arrived(subject: string): Promise<ReceivedMail> {
  const find = (): ReceivedMail | undefined => stage.hop.mails.find(({ message }) => subjectOf(message) === subject);
  await stage.hop.waitUntil(subject, () => find() !== undefined);
  const mail = find();
  assert.ok(mail !== undefined);
  return mail;
}

function messageTo(subject: string, ...header: readonly string[]): string {
  return [...header, from, "To: b@example.org", `Subject: ${subject}`, "", "x"].join("\r\n");
}

test("EchoSpoofing: who is trusted for its network may use the domains that trust networks, and no other", async () => {
  const client = await open("smtp");
  for (const domain of ["victim.example", "shop.example", "nobody.example"]) {
    const message = `From: app@${domain}\r\n\r\nx`;
    const reply = await transact(client, ["MAIL FROM:<app@open.example>", rcpt], message);
    assert.match(reply, new RegExp(`^550 5\\.7\\.1 From: domain ${domain} is not granted`));
  }
});

test("James#2729: a client that says for whom it sends (AUTH=) is not believed, and the next hop is not told", async () => {
  const client = await open("submissions", shop);
  const reply = await transact(client, [`MAIL FROM:<${own}> AUTH=${victim}`, rcpt], messageTo("said"));
  assert.match(reply, /^250 /);
  const { message, commands } = await arrived("said");
  assert.ok(!(message.toString("latin1") + commands.join("\n")).includes("victim"));
});

test("what a client writes into Return-Path, or as a route before its own address, does not leave", async () => {
  const client = await open("submissions", shop);
  const message = messageTo("path", `Return-Path: <${victim}>`);
  assert.match(await transact(client, [`MAIL FROM:<@victim.example:${own}>`, rcpt], message), /^250 /);
  const mail = await arrived("path");
  assert.equal(mail.sender, own);
  assert.ok(!mail.message.toString("latin1").includes("victim"));
});

test("quotes that hold nothing which a next hop could mistake leave as they came", async () => {
  const client = await open("submissions", shop);
  const quoted = '"the shop"@shop.example';
  assert.match(await transact(client, [`MAIL FROM:<${quoted}>`, rcpt], messageTo("quoted")), /^250 /);
  assert.equal((await arrived("quoted")).sender, quoted);
});

for (const [what, end] of [
  ["LF . CRLF", "\n.\r\n"],
  ["CR . CRLF", "\r.\r\n"],
  ["CRLF . LF", "\r\n.\n"],
  ["CRLF . CR", "\r\n.\r"],
  ["LF . LF", "\n.\n"],
] as const) {
  test(`SMTP smuggling (CVE-2023-51764 to 51766): ${what} ends nothing`, async () => {
    const client = await open("submissions", shop);
    const hidden = `MAIL FROM:<${victim}>\r\n${rcpt}\r\nDATA\r\nFrom: ${victim}\r\nSubject: hidden\r\n\r\nx`;
    const reply = await transact(client, [`MAIL FROM:<${own}>`, rcpt], `${messageTo("outer")}${end}${hidden}`);
    assert.match(reply, /^550 5\.6\.0 Line \d+ of the message: bare (?:CR|LF), send CRLF$/);
    // One message, one reply: what comes next answers what is asked next.
    assert.match(await client.command("NOOP"), /^250 /);
    assert.ok(!stage.hop.mails.some(({ message }) => ["outer", "hidden"].includes(subjectOf(message))));
  });
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

test("a login for another, a second login, and a login within a transaction change nothing", async () => {
  const client = await open("submissions");
  assert.match(await client.command(`AUTH PLAIN ${base64("victim\0shop\0of the shop")}`), /^535 5\.7\.8 /);
  assert.match(await client.command(`AUTH PLAIN ${base64("\0shop\0of the shop")}`), /^235 /);
  assert.match(await client.command(`AUTH PLAIN ${base64("\0victim\0of the victim")}`), /^503 5\.5\.1 /);
  assert.match(await client.command(`MAIL FROM:<${victim}>`), notGranted);
  assert.match(await client.command(`XCLIENT LOGIN=victim`), /^50[02] 5\.5\.1 /);
  assert.match(await client.command(`MAIL FROM:<${victim}>`), notGranted);
  const guest = await open("smtp");
  assert.match(await guest.command("MAIL FROM:<app@open.example>"), /^250 /);
  assert.match(await guest.command(`AUTH PLAIN ${base64("\0victim\0of the victim")}`), /^503 5\.5\.1 /);
  assert.match(await transact(guest, [rcpt], `From: ${victim}\r\n\r\nx`), notGranted);
});

test("what was said in the clear does not count inside TLS (RFC 3207 section 4.2)", async () => {
  const port = stage.relay.port("smtp");
  const client = await SmtpClient.connect(port, { implicitTls: false });
  ending.push(() => client.destroy());
  await client.reply();
  await client.command("EHLO client.example.net");
  assert.match(await client.command("MAIL FROM:<app@open.example>"), /^250 /);
  await client.startTls();
  assert.match(await client.command(rcpt), /^503 5\.5\.1 /);
});
