import assert from "node:assert/strict";
import { test } from "node:test";
import { RelaxedBodyHash } from "../mail/bodyhash.ts";
import { decodeXtext } from "../mail/dsn.ts";
import type { Message, NewMessage, Recipient } from "../spool/entry.ts";
import { writeBounce, type BounceFacts } from "./bounce.ts";
import { newMessage } from "./fixtures.ts";

const refused = { code: 550, enhanced: "5.1.1", text: `no such user\nhere ${"and so on ".repeat(12)}gr\u00fc\u00dfe` };

function bounceOf(
  message: Partial<Message> = {},
  recipients: readonly Partial<Recipient>[] = [{}],
  changes: Partial<BounceFacts> = {},
): NewMessage | undefined {
  const original = newMessage({ acceptedAt: Date.UTC(2026, 10, 23), ...message }, recipients);
  const failures = original.recipients.map((recipient) => ({
    recipient,
    reply: refused,
    remoteHost: "mx.example.net",
  }));
  const usual = { message: original.message, failures, hostname: "relay.test", now: Date.UTC(2026, 10, 24) };
  return writeBounce({ ...usual, chance: () => 0.5, ...changes });
}

function textOf(notice: NewMessage | undefined): string {
  assert.ok(notice?.message.body.kind === "inline");
  return Buffer.concat([notice.message.header, Buffer.from("\r\n"), notice.message.body.bytes]).toString("utf8");
}

test("writeBounce() writes a multipart/report to the sender, from nobody, with the three parts of RFC 3464", () => {
  const notice = bounceOf({ envid: "a+2Bb" }, [{ address: "gone@example.net", orcpt: "rfc822;Gone+2B1@example.org" }]);
  const text = textOf(notice);
  assert.equal(notice?.message.sender, "");
  assert.equal(notice.message.mustSign, true);
  assert.deepEqual(notice.recipients, [{ index: 0, address: "sender@example.com", attempts: 0 }]);
  const boundary = /Content-Type: multipart\/report; report-type=delivery-status;\r\n\tboundary="([^"]+)"/.exec(
    text,
  )?.[1];
  const parts = text.split(`--${boundary}`);
  assert.equal(parts.length, 5);
  assert.equal(parts[4], "--\r\n");
  assert.match(parts[0] ?? "", /From: Mail Delivery System <postmaster@example.com>\r\nTo: <sender@example.com>\r\n/);
  assert.match(parts[0] ?? "", /Auto-Submitted: auto-replied\r\n/);
  assert.match(parts[1] ?? "", /\r\n<gone@example.net>\r\nThe mail server mx.example.net said: 550 5.1.1 no such user/);
  const status =
    "Reporting-MTA: dns; relay.test\r\nOriginal-Envelope-Id: a+b\r\nArrival-Date: Mon, 23 Nov 2026 00:00:00 +0000\r\n\r\n" +
    "Original-Recipient: rfc822; Gone+1@example.org\r\nFinal-Recipient: rfc822; gone@example.net\r\n" +
    "Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.example.net\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user";
  assert.ok(parts[2]?.includes(`Content-Type: message/delivery-status\r\n\r\n${status}`), parts[2]);
  assert.match(parts[3] ?? "", /^\r\nContent-Type: text\/rfc822-headers\r\n\r\nFrom: sender@example.com\r\n/);
});

test("writeBounce() writes ASCII lines of mail length with CRLF alone", () => {
  const notice = bounceOf({}, [{}, {}, {}]);
  const text = textOf(notice);
  assert.doesNotMatch(text.replaceAll("\r\n", ""), /[\r\n]/);
  for (const line of text.split("\r\n")) assert.match(line, /^[\t\x20-\x7e]{0,78}$/);
  assert.equal(notice?.message.eightBit, false);
});

test("writeBounce() hashes the body it wrote", () => {
  const notice = bounceOf();
  assert.ok(notice?.message.body.kind === "inline");
  const hash = new RelaxedBodyHash();
  hash.update(notice.message.body.bytes);
  assert.equal(notice.message.bodyHash, hash.digest());
});

test("writeBounce() returns the whole message when RET=FULL asks for it and it is small", () => {
  assert.match(
    textOf(bounceOf({ ret: "FULL" })),
    /Content-Type: message\/rfc822\r\n\r\nFrom: .*\r\nSubject: .*\r\n\r\nmessage /,
  );
  const large = Buffer.alloc(100_000, "x");
  const notice = bounceOf({ ret: "FULL", body: { kind: "inline", bytes: large } });
  assert.match(textOf(notice), /Content-Type: text\/rfc822-headers\r\n/);
});

test("writeBounce() marks what is 8-bit, part and whole", () => {
  const notice = bounceOf({
    header: Buffer.from("From: s@example.com\r\nSubject: gr\xfc\xdfe\r\n", "latin1"),
    eightBit: true,
  });
  assert.equal(notice?.message.eightBit, true);
  assert.equal(textOf(notice).match(/Content-Transfer-Encoding: 8bit\r\n/g)?.length, 2);
});

test("writeBounce() uses the forms of RFC 6533 for an address outside ASCII", () => {
  const notice = bounceOf({ smtpUtf8: true }, [{ address: "j\u00fcrgen@example.net" }]);
  assert.equal(notice?.message.smtpUtf8, true);
  const text = textOf(notice);
  assert.match(text, /Content-Type: message\/global-delivery-status\r\n/);
  assert.match(text, /Final-Recipient: utf-8; jürgen@example.net\r\n/);
});

test("writeBounce() sends the notice where the domain wants its bounces", () => {
  const notice = bounceOf({}, [{}], { redirect: "bounces@example.com" });
  assert.equal(notice?.recipients[0]?.address, "bounces@example.com");
});

const silent: readonly { name: string; message: Partial<Message>; recipients: readonly Partial<Recipient>[] }[] = [
  { name: "a bounce", message: { sender: "" }, recipients: [{}] },
  { name: "a recipient with NOTIFY=NEVER", message: {}, recipients: [{ notify: ["NEVER"] }] },
  { name: "a recipient with NOTIFY=SUCCESS", message: {}, recipients: [{ notify: ["SUCCESS", "DELAY"] }] },
];

for (const row of silent) {
  test(`writeBounce() writes nothing for ${row.name}`, () => {
    assert.equal(bounceOf(row.message, row.recipients), undefined);
  });
}

test("writeBounce() names only the recipients whose failure is to be told", () => {
  const text = textOf(bounceOf({}, [{ notify: ["NEVER"] }, { notify: ["FAILURE"] }]));
  assert.doesNotMatch(text, /rcpt0@/);
  assert.match(text, /Final-Recipient: rfc822; rcpt1@/);
});

test("decodeXtext() gives back what was encoded", () => {
  assert.equal(decodeXtext("a+2Bb+3Dc+20"), "a+b=c ");
});
