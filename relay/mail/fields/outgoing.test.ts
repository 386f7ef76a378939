import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHeader, type Header } from "../header.ts";
import { planHeader, renderOutgoing } from "./outgoing.ts";
import { isUsableDate, isUsableMessageId } from "./stamp.ts";

const received = {
  helo: "client.example",
  clientAddress: "192.0.2.7",
  by: "relay.example.com",
  extended: true,
  secure: false,
  authenticated: false,
  smtpUtf8: false,
  id: "0mabc",
  at: Date.UTC(2026, 0, 2, 3, 4, 5),
};
const date = "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\n";
const messageId = "Message-ID: <1@example.com>\r\n";
const from = "From: a@example.com\r\n";
const stamps = date + messageId;
const added = {
  date: "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n",
  messageId: "Message-ID: <0mabc@relay.example.com>\r\n",
};

function headerOf(text: string): Header {
  const parsed = parseHeader(Buffer.from(text, "latin1"));
  if (parsed.kind === "fault") throw new Error(parsed.reason);
  return parsed;
}

/** The header as it leaves, without Received; or why it does not. */
function outgoing(text: string): string {
  const header = headerOf(text);
  const plan = planHeader(header, new Set(["bcc", "return-path"]));
  if (plan.kind === "fault") return plan.reason;
  const whole = renderOutgoing({ header, plan, marks: [], received }).toString("latin1");
  return whole.slice(whole.split("\r\n", 3).join("\r\n").length + 2);
}

const long = (count: number, word = "word "): string => word.repeat(count);
const sealed = "DKIM-Signature: v=1; a=rsa-sha256; b=x\r\n";

const rows: readonly { readonly name: string; readonly sent: string; readonly leaves: string }[] = [
  { name: "an ordinary header", sent: from + stamps, leaves: from + stamps },
  { name: "a missing Date", sent: from + messageId, leaves: from + messageId + added.date },
  { name: "a missing Message-ID", sent: from + date, leaves: from + date + added.messageId },
  { name: "Bcc", sent: `${from}Bcc: x@y\r\n${stamps}`, leaves: from + stamps },
  { name: "Bcc with a space before the colon", sent: `BCC : x@y\r\n${from}${stamps}`, leaves: from + stamps },
  { name: "an empty Bcc", sent: `${from}bcc:\r\n${stamps}`, leaves: from + stamps },
  {
    name: "a space before the colon",
    sent: `${from}X-Mailer : x\r\n${stamps}`,
    leaves: `${from}X-Mailer: x\r\n${stamps}`,
  },
  { name: "white space before the colon", sent: `From \t : a@example.com\r\n${stamps}`, leaves: from + stamps },
  {
    name: "a line of white space alone",
    sent: `${from}X: a\r\n \r\n\tb\r\n\t \r\n${stamps}`,
    leaves: `${from}X: a\r\n\tb\r\n${stamps}`,
  },
  { name: "a field of white space alone", sent: `${from}X:\r\n \r\n${stamps}`, leaves: `${from}X:\r\n${stamps}` },
  {
    name: "names in any case",
    sent: `FROM: a@example.com\r\nmessage-id: <x>\r\nDATE: 1 Jan 1970 00:00 GMT\r\n`,
    leaves: `FROM: a@example.com\r\nmessage-id: <x>\r\nDATE: 1 Jan 1970 00:00 GMT\r\n`,
  },
  {
    name: "an empty To, Cc and Reply-To",
    sent: `${from}To:\r\nCc: \r\nReply-To:\r\n${stamps}`,
    leaves: `${from}To:\r\nCc: \r\nReply-To:\r\n${stamps}`,
  },
  {
    name: "Content-Length and 8-bit text",
    sent: `${from}Content-Length: 7\r\nSubject: Gr\xfc\xdfe\r\n${stamps}`,
    leaves: `${from}Content-Length: 7\r\nSubject: Gr\xfc\xdfe\r\n${stamps}`,
  },
  { name: "an empty Message-ID", sent: `${from}Message-ID: <>\r\n${date}`, leaves: from + date + added.messageId },
  { name: "a Message-ID without value", sent: `${from}Message-ID:\r\n${date}`, leaves: from + date + added.messageId },
  {
    name: "a Message-ID of words",
    sent: `${from}Message-ID: not set\r\n${date}`,
    leaves: from + date + added.messageId,
  },
  { name: "a Date of nothing", sent: `${from}Date: \r\n${messageId}`, leaves: from + messageId + added.date },
  { name: "an unusable and a usable Message-ID", sent: `${from}Message-ID: <>\r\n${stamps}`, leaves: from + stamps },
  {
    name: "the same MIME-Version twice",
    sent: `MIME-Version: 1.0\r\n${from}Mime-Version:  1.0\r\n${stamps}`,
    leaves: `MIME-Version: 1.0\r\n${from}${stamps}`,
  },
  {
    name: "two To fields",
    sent: `To: a@x,\r\n b@x\r\n${from}to: c@x\r\n${stamps}`,
    leaves: `To: a@x,\r\n b@x,\r\n c@x\r\n${from}${stamps}`,
  },
  {
    name: "two Cc fields, one empty",
    sent: `Cc:\r\n${from}Cc: c@x\r\n${stamps}`,
    leaves: `Cc: c@x\r\n${from}${stamps}`,
  },
  {
    name: "two Subjects",
    sent: `Subject: a\r\n${from}Subject: b\r\n${stamps}`,
    leaves: "The header has 2 Subject fields that differ, write one",
  },
  {
    name: "two Reply-To",
    sent: `Reply-To: a@x\r\nReply-To: b@x\r\n${from}${stamps}`,
    leaves: "The header has 2 Reply-To fields that differ, write one",
  },
  {
    name: "two Content-Types",
    sent: `Content-Type: text/plain\r\nContent-Type: text/html\r\n${from}${stamps}`,
    leaves: "The header has 2 Content-Type fields that differ, write one",
  },
  {
    name: "52,000 Cc fields",
    sent: `${from}${"Cc:\r\n".repeat(52_000)}${stamps}`,
    leaves: "The header has 52003 fields, more than 1000",
  },
  {
    name: "21 Cc fields",
    sent: `${from}${"Cc: a@x\r\n".repeat(21)}${stamps}`,
    leaves: "The header has 21 Cc fields, more than 20: write one, its entries parted by commas",
  },
  {
    name: "21 Resent-To fields",
    sent: `${from}${"Resent-To: a@x\r\n".repeat(21)}${stamps}`,
    leaves: "The header has 21 resent-to fields, more than 20: write one, its entries parted by commas",
  },
  {
    name: "300 Received-like fields",
    sent: `${from}${"X-Hop: a\r\n".repeat(300)}${stamps}`,
    leaves: `${from}${"X-Hop: a\r\n".repeat(300)}${stamps}`,
  },
  {
    name: "a long Subject",
    sent: `Subject: ${long(250)}end\r\n${from}${stamps}`,
    leaves: `Subject: ${long(197)}word\r\n ${long(52)}end\r\n${from}${stamps}`,
  },
  {
    name: "a long To without spaces",
    sent: `To: ${'"a,b"@example.net,'.repeat(60)}z@x\r\n${from}${stamps}`,
    leaves: `To: ${'"a,b"@example.net,'.repeat(55)}\r\n ${'"a,b"@example.net,'.repeat(5)}z@x\r\n${from}${stamps}`,
  },
  {
    name: "long References without spaces",
    sent: `References: ${long(100, "<1@example.com>")}\r\n${from}${stamps}`,
    leaves: `References: ${long(65, "<1@example.com>")}\r\n ${long(35, "<1@example.com>")}\r\n${from}${stamps}`,
  },
  {
    name: "a long word",
    sent: `X-Token: ${"y".repeat(1200)}\r\n${from}${stamps}`,
    leaves:
      "The field X-Token has a line of more than 998 octets and no place to fold it at, write it in several lines",
  },
  {
    name: "a signed header",
    sent: `${sealed}${from}X: a\r\n \r\nY: ${"y".repeat(1200)}\r\nSubject: a\r\nSubject: b\r\nMessage-ID: <>\r\n${date}`,
    leaves: `${sealed}${from}X: a\r\n \r\nY: ${"y".repeat(1200)}\r\nSubject: a\r\nSubject: b\r\nMessage-ID: <>\r\n${date}`,
  },
];
for (const { name, sent, leaves } of rows) {
  test(`a header with ${name} leaves as it should`, () => assert.equal(outgoing(sent), leaves));
}

test("no line of a folded header is longer than 998 octets or white space alone, and unfolded it is the same", () => {
  for (const word of ["a ", "ab   ", "\tc", "x".repeat(400) + " ", "  y"]) {
    const sent = `X-Long: ${"v".repeat(30)} ${word.repeat(2500)}end\r\n`;
    const leaves = outgoing(sent + from + stamps).slice(0, -(from + stamps).length);
    for (const line of leaves.slice(0, -2).split("\r\n")) {
      assert.ok(line.length <= 998, `${line.length}`);
      assert.match(line, /[^ \t]/);
    }
    assert.equal(leaves.replaceAll(/\r\n(?=[ \t])/g, ""), sent);
  }
});

const dates: readonly (readonly [string, boolean])[] = [
  ["Thu, 1 Jan 1970 00:00:00 +0000", true],
  ["Thu, 1 Jan 1970 00:00:00 +0000 (UTC)", true],
  ["1 Jan 70 00:00 EST", true],
  ["Thu,  01 January 1970 0:00:00 Z", true],
  ["Fri, 02-Jan-2026 03:04:05 GMT", true],
  ["Thu, 1 Jan 1970 00:00:00", true],
  ["", false],
  ["now", false],
  ["%date%", false],
  ["2026-01-02T03:04:05Z", false],
  ["Thu Jan  1 00:00:00 1970", false],
  ["Thu, 32 Jan 1970 00:00:00 +0000", false],
  ["Thu, 1 Jan 1970 24:00:00 +0000", false],
  ["Thu, 1 Foo 1970 00:00:00 +0000", false],
  ["1767323045", false],
];
for (const [value, isUsable] of dates) {
  test(`isUsableDate() says ${isUsable} of ${JSON.stringify(value)}`, () =>
    assert.equal(isUsableDate(value), isUsable));
}

const identifiers: readonly (readonly [string, boolean])[] = [
  ["<1@example.com>", true],
  ["<abc>", true],
  ["abc@example.com", true],
  ["<1@example.com> (added)", true],
  ["", false],
  ["<>", false],
  ["< >", false],
  ["<a b@example.com>", false],
  ["abc", false],
  ["<abc", false],
];
for (const [value, isUsable] of identifiers) {
  test(`isUsableMessageId() says ${isUsable} of ${JSON.stringify(value)}`, () =>
    assert.equal(isUsableMessageId(value), isUsable));
}
