import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RelaxedBodyHash } from "../mail/bodyhash.ts";
import type { ReportedRecipient } from "../mail/notice/facts.ts";
import type { Message, NewMessage } from "../spool/message/message.ts";
import { writeNotice, type NoticeOrder } from "./bounce.ts";
import { newMessage } from "../../test/support/relayvalues.ts";

const refused: ReportedRecipient = {
  address: "gone@example.net",
  status: "5.1.1",
  cause: "5.1.1",
  reply: { code: 550, enhanced: "5.1.1", text: "no such user" },
  remoteHost: "mx.example.net",
};

function noticeOf(changes: Partial<Message> = {}, order: Partial<NoticeOrder> = {}): NewMessage {
  const { message } = newMessage({ acceptedAt: Date.UTC(2026, 10, 23), ...changes });
  return writeNotice({
    message,
    action: "failed",
    recipients: [refused],
    hostname: "relay.test",
    to: message.sender,
    mode: { mode: "Send", allowRecipients: [] },
    retryUntil: Date.UTC(2026, 10, 28),
    now: Date.UTC(2026, 10, 24),
    chance: () => 0.5,
    ...order,
  });
}

function bodyOf({ message }: NewMessage): Buffer {
  assert.ok(message.body.kind === "inline");
  return message.body.bytes;
}

test("writeNotice() writes a message from nobody that asks for no notice about itself", () => {
  const { message, recipients, dueAt } = noticeOf();
  assert.equal(message.sender, "");
  assert.equal(message.ret, undefined);
  assert.equal(message.envid, undefined);
  assert.equal(message.domain, "example.com");
  assert.equal(message.mustSign, true);
  assert.deepEqual(recipients, [{ index: 0, address: "sender@example.com", notify: ["NEVER"], attempts: 0 }]);
  assert.equal(dueAt, Date.UTC(2026, 10, 24));
});

test("writeNotice() hashes the body it wrote", () => {
  const notice = noticeOf();
  const hash = new RelaxedBodyHash();
  hash.update(bodyOf(notice));
  assert.equal(notice.message.bodyHash, hash.digest());
});

const small = Buffer.from("small\r\n");
const large = Buffer.alloc(300 * 1024, "x");
const lacking8bit: ReportedRecipient = {
  address: "gone@example.net",
  status: "5.6.3",
  cause: "5.6.3",
  reply: { code: 554, enhanced: "5.6.3", text: "the next hop does not offer 8BITMIME" },
};

const returns: readonly {
  readonly name: string;
  readonly message: Partial<Message>;
  readonly order?: Partial<NoticeOrder>;
  readonly type: string;
  readonly says: RegExp;
}[] = [
  {
    name: "without RET",
    message: {},
    type: "text/rfc822-headers",
    says: /then\s+the\s+header\s+of\s+your\s+message\./,
  },
  {
    name: "RET=HDRS",
    message: { ret: "HDRS" },
    type: "text/rfc822-headers",
    says: /then\s+the\s+header\s+of\s+your\s+message\./,
  },
  {
    name: "RET=FULL",
    message: { ret: "FULL", body: { kind: "inline", bytes: small } },
    type: "message/rfc822",
    says: /then\s+your\s+message\./,
  },
  {
    name: "RET=FULL of a large message",
    message: { ret: "FULL", body: { kind: "inline", bytes: large } },
    type: "text/rfc822-headers",
    says: /too\s+large\s+to\s+be\s+returned/,
  },
  {
    name: "RET=FULL of a message in a file",
    message: { ret: "FULL", body: { kind: "file", sizeBytes: 1e9 } },
    type: "text/rfc822-headers",
    says: /too\s+large\s+to\s+be\s+returned/,
  },
  {
    name: "RET=FULL and a delay: RET is about failures",
    message: { ret: "FULL", body: { kind: "inline", bytes: small } },
    order: { action: "delayed" },
    type: "text/rfc822-headers",
    says: /then\s+the\s+header\s+of\s+your\s+message\./,
  },
  {
    name: "RET=FULL of an 8-bit message that a 7-bit way refused",
    message: { ret: "FULL", eightBit: true, body: { kind: "inline", bytes: Buffer.from("gr\xfc\xdfe\r\n", "latin1") } },
    order: { recipients: [lacking8bit] },
    type: "text/rfc822-headers",
    says: /not\s+in\s+a\s+form\s+that\s+can\s+be\s+returned/,
  },
];

for (const { name, message, order, type, says } of returns) {
  test(`writeNotice() returns ${type}: ${name}`, () => {
    const text = bodyOf(noticeOf(message, order)).toString("latin1");
    assert.match(text, says);
    assert.equal(
      text.match(/Content-Type: (?:message\/(?:rfc822|global)|text\/rfc822-headers|message\/global-headers)/g)?.length,
      1,
    );
    assert.ok(text.includes(`Content-Type: ${type}\r\n`));
  });
}

test("writeNotice() carries an 8-bit original as 8-bit", () => {
  const bytes = Buffer.from("gr\xfc\xdfe\r\n", "latin1");
  const notice = noticeOf({ ret: "FULL", eightBit: true, body: { kind: "inline", bytes } });
  assert.equal(notice.message.eightBit, true);
  assert.equal(notice.message.smtpUtf8, false);
  assert.match(notice.message.header.toString("latin1"), /^Content-Transfer-Encoding: 8bit\r$/m);
  assert.match(
    bodyOf(notice).toString("latin1"),
    /Content-Type: message\/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\nFrom: .*\r\n(?:.*\r\n)*\r\ngr\xfc\xdfe\r\n/,
  );
});

test("writeNotice() keeps its shape whatever the other side says", () => {
  const pieces = fc.constantFrom(
    "\r\n",
    "\r",
    "\n",
    "\0",
    "--=_",
    "Status: 2.0.0",
    "Bcc: x@example.org",
    "\u00fc",
    "\u2028",
    " ",
  );
  const said = fc.array(fc.oneof(pieces, fc.string({ unit: "binary", maxLength: 200 })), { maxLength: 12 });
  fc.assert(
    fc.property(said, (words) => {
      const reply = { code: 550, enhanced: "5.1.1", text: words.join("") } as const;
      const notice = noticeOf({}, { recipients: [{ ...refused, reply }] });
      const body = bodyOf(notice).toString("latin1");
      // RFC 5321 section 2.3.8: CR and LF occur as a pair alone; section 4.5.3.1.6: 998 octets a line.
      assert.doesNotMatch(body, /\0|\r(?!\n)|(?<!\r)\n/);
      assert.ok(body.split("\r\n").every((line) => line.length <= 998));
      assert.equal(body.match(/^--=_[^\r]*/gm)?.length, 4);
      // Soft breaks of quoted-printable may put such words first in a line of the text; the fields are what programs read.
      const fields = body.split(/^--=_[^\r]*/m)[2] ?? "";
      assert.equal(fields.match(/^Status:/gim)?.length, 1);
      assert.equal(fields.match(/^Bcc:/gim), null);
    }),
    { numRuns: 500 },
  );
});
