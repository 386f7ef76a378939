import assert from "node:assert/strict";
import { test } from "node:test";
import { readMessage, returnedBy, summarizeMessage } from "./mime.ts";

function message(...lines: readonly string[]): Buffer {
  return Buffer.from(lines.join("\r\n"), "utf8");
}

const notice = message(
  "Received: from a (b) by c with ESMTP id 0mwwpbtl3869de2b77610; now",
  "Subject: Undelivered",
  'Content-Type: multipart/report; report-type="delivery-status"; boundary=b',
  "",
  "--b",
  "Content-Type: text/plain",
  "",
  "Sorry.",
  "--b",
  "Content-Type: message/delivery-status",
  "",
  "Reporting-MTA: dns; a",
  "",
  "Final-Recipient: rfc822; Anna@example.net",
  "Action: Failed",
  "",
  "final-recipient: utf-8;köchin@example.net",
  "Action: failed",
  "--b",
  "Content-Type: message/rfc822",
  "",
  "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
  "",
  "Hello",
  "--b--",
);
const mixed = message(
  "Received: from a by b\r\n\twith ESMTPSA id second;\r\n\tnow",
  "Received: from c by d with ESMTPS id first; before",
  "Received: from e by f; never",
  "Subject: Two",
  "Content-Type: multipart/mixed; boundary=b",
  "",
  "--b",
  "Content-Type: multipart/related; boundary=r",
  "",
  "--r",
  "Content-Type: text/html",
  "",
  '<img src="cid:logo">',
  "--r",
  "Content-Type: image/png",
  "Content-ID: <logo>",
  "",
  "x",
  "--r--",
  "--b",
  'Content-Type: application/pdf; name="a.pdf"',
  "Content-Disposition: attachment",
  "",
  "y",
  "--b--",
);

const summaries: readonly (readonly [name: string, bytes: Buffer, isWhole: boolean, summary: object])[] = [
  [
    "a notice, with the subject of what it gives back",
    notice,
    true,
    {
      subject: "Undelivered",
      receivedIds: ["0mwwpbtl3869de2b77610"],
      isNotice: true,
      returnedSubject: "Grüße",
      noticeTo: ["Anna@example.net", "köchin@example.net"],
      noticeAction: "failed",
      attachments: 0,
    },
  ],
  [
    "attachments, of which pictures within the HTML are none",
    mixed,
    true,
    { subject: "Two", receivedIds: ["second", "first"], isNotice: false, attachments: 1 },
  ],
  [
    "the start of a large message",
    mixed.subarray(0, mixed.indexOf("--r")),
    false,
    { subject: "Two", receivedIds: ["second", "first"], isNotice: false },
  ],
  ["an empty message", Buffer.alloc(0), true, { subject: "", receivedIds: [], isNotice: false, attachments: 0 }],
  [
    "octets that are no message",
    Buffer.from([0, 255, 13, 10]),
    true,
    { subject: "", receivedIds: [], isNotice: false, attachments: 0 },
  ],
];
for (const [name, bytes, isWhole, summary] of summaries) {
  test(`summarizeMessage() knows ${name}`, async () =>
    assert.deepEqual(await summarizeMessage(bytes, isWhole), summary));
}

test("readMessage() gives each part a name, and tells what is shown within the HTML", async () => {
  const { html, parts } = await readMessage(mixed);
  assert.match(html ?? "", /cid:logo/);
  assert.deepEqual(
    parts.map((part) => [part.name, part.type, part.contentId, part.isInline, part.bytes.toString().trim()]),
    [
      ["part-1.png", "image/png", "logo", true, "x"],
      ["a.pdf", "application/pdf", undefined, false, "y"],
    ],
  );
});

const jsonLd = '<script type="application/ld+json">{"@type": "Order",<p>"orderNumber": "4711"}</script>';

test("the text of HTML alone is what a person would read of it", async () => {
  const html = `<html><head><style>p { color: red }</style>${jsonLd}</head><body><p>Thank you</p>${jsonLd}</body></html>`;
  const { text } = await readMessage(message("Content-Type: text/html", "", html));
  assert.equal(text, "Thank you");
});

test("scripts are no text where text and HTML follow each other, and a text of its own stays", async () => {
  const parts = (type: string): Buffer =>
    message(
      `Content-Type: multipart/${type}; boundary=b`,
      "",
      "--b",
      "Content-Type: text/plain",
      "",
      "Hello 4711",
      "--b",
      "Content-Type: text/html",
      "",
      `<p>Thank you</p>${jsonLd}`,
      "--b--",
    );
  assert.equal((await readMessage(parts("alternative"))).text?.trim(), "Hello 4711");
  const { text = "" } = await readMessage(parts("mixed"));
  assert.match(text, /Hello 4711[^]*Thank you/);
  assert.doesNotMatch(text, /@type|orderNumber/);
});

test("what a notice gives back is found, whole or not, and no message gives anything back that is no notice", async () => {
  const returned = await returnedBy(notice);
  assert.equal(returned?.isWhole, true);
  assert.match(returned.bytes.toString(), /^Subject: [^]*Hello/);
  const header = Buffer.from(notice.toString().replace("message/rfc822", "text/rfc822-headers"));
  assert.equal((await returnedBy(header))?.isWhole, false);
  assert.equal(await returnedBy(mixed), undefined);
});
