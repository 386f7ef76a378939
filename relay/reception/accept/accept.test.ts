/** DATA over the wire: what is kept is what was sent, but for the stated changes; what is refused leaves nothing behind. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openBed, type Bed, type KeptMessage } from "../../../test/support/submission.ts";
import type { SmtpClient } from "../../../test/support/smtpclient.ts";
import { RelaxedBodyHash } from "../../mail/bodyhash.ts";

const sizeLimit = 3_000_000;
let bed: Bed;
before(async () => {
  bed = await openBed({
    listeners: [{ name: "pods", tlsMode: "None", authentication: "Optional", trustedNetworks: ["127.0.0.0/8"] }],
    limits: { messageSizeBytes: sizeLimit, connections: 500, connectionsPerClient: 500 },
    domains: {
      "example.com": { trustedNetworks: true },
      "other.example": { identities: ["other/mail"] },
      "keyless.example": { trustedNetworks: true, keyless: true },
    },
  });
});
after(() => bed.close());
afterEach(() => {
  bed.spool.full = false;
  bed.spool.failure = undefined;
  bed.spool.hold = undefined;
});

async function session(): Promise<SmtpClient> {
  const client = await bed.connect("pods");
  await client.reply();
  await client.command("EHLO client.example");
  return client;
}

/** Writes the octets as they are behind DATA, dots included, and returns the reply. */
async function sendRaw(client: SmtpClient, ...chunks: readonly (string | Buffer)[]): Promise<string> {
  assert.match(await client.command("MAIL FROM:<a@example.com>"), /^250 /);
  assert.match(await client.command("RCPT TO:<b@example.net>"), /^250 /);
  assert.match(await client.command("DATA"), /^354 /);
  const reply = client.reply();
  for (const chunk of chunks) client.write(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk);
  return reply;
}

function lastKept(): KeptMessage {
  const kept = bed.spool.kept.at(-1);
  if (kept === undefined) throw new Error("nothing was kept");
  return kept;
}

const codes = (reply: string): string => reply.split(" ").slice(0, 2).join(" ");
const from = "From: a@example.com\r\n";
const full = `${from}Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n`;

test("a message is kept with Received on top, header and body byte for byte, and its envelope", async () => {
  const client = await session();
  await client.command("MAIL FROM:<a@example.com> BODY=8BITMIME RET=HDRS ENVID=q1 SIZE=500");
  await client.command("RCPT TO:<b@example.net> NOTIFY=FAILURE ORCPT=rfc822;c@example.org");
  await client.command("RCPT TO:<d@example.net>");
  await client.command("DATA");
  const header = `X-Odd:   kept\t \r\n\tas is\r\n${full}Subject: =?utf-8?q?x?=\r\n`;
  const reply = await client.command(`${header}\r\nfirst \t line\r\n..dots\r\n\r\n\r\n.`);
  const { message, recipients, body } = lastKept();
  assert.equal(reply, `250 2.6.0 Message accepted as ${message.id}`);
  const text = message.header.toString("latin1");
  const end = text.indexOf("X-Odd:");
  assert.match(
    text.slice(0, end),
    /^Received: from client\.example \(\[127\.0\.0\.1\]\)\r\n\tby relay\.example\.com with ESMTP id \w{21};\r\n\t[^\r\n]+\r\n$/,
  );
  assert.equal(text.slice(end), header);
  assert.equal(body.toString("latin1"), "first \t line\r\n.dots\r\n\r\n\r\n");
  const hash = new RelaxedBodyHash();
  hash.update(body);
  assert.equal(message.bodyHash, hash.digest());
  const { sender, domain, ret, envid, eightBit, smtpUtf8, mustSign } = message;
  assert.deepEqual(
    { sender, domain, ret, envid, eightBit, smtpUtf8, mustSign },
    {
      sender: "a@example.com",
      domain: "example.com",
      ret: "HDRS",
      envid: "q1",
      eightBit: false,
      smtpUtf8: false,
      mustSign: true,
    },
  );
  assert.deepEqual(recipients, [
    { index: 0, attempts: 0, address: "b@example.net", notify: ["FAILURE"], orcpt: "rfc822;c@example.org" },
    { index: 1, attempts: 0, address: "d@example.net" },
  ]);
});

test("Bcc, Resent-Bcc and Return-Path go, a missing Date and Message-ID come", async () => {
  const reply = await sendRaw(
    await session(),
    `Bcc: x@example.net,\r\n y@example.net\r\n${from}Return-Path: <z@z>\r\nresent-bcc: q\r\n\r\nx\r\n.\r\n`,
  );
  assert.equal(codes(reply), "250 2.6.0");
  const { id, header } = lastKept().message;
  const rest = header.toString("latin1").split("\r\n").slice(3);
  assert.equal(rest[0], "From: a@example.com");
  assert.match(rest[1] ?? "", /^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000$/);
  assert.deepEqual(rest.slice(2), [`Message-ID: <${id}@relay.example.com>`, ""]);
});

interface Sound {
  readonly name: string;
  readonly data: string | Buffer;
  readonly body: string | Buffer;
  readonly eightBit?: boolean;
}

const longLine = "x".repeat(20_000);
const sound: readonly Sound[] = [
  { name: "an empty body", data: `${full}\r\n.\r\n`, body: "" },
  { name: "no empty line at all", data: `${full}.\r\n`, body: "" },
  { name: "a body of one empty line", data: `${full}\r\n\r\n.\r\n`, body: "\r\n" },
  { name: "dots at the start of lines", data: `${full}\r\n..\r\n...\r\n..a\r\n.\r\n`, body: ".\r\n..\r\n.a\r\n" },
  { name: "a line of 998 octets", data: `${full}\r\n${"y".repeat(998)}\r\n.\r\n`, body: `${"y".repeat(998)}\r\n` },
  {
    name: "a line far over 998 octets, signed already",
    data: `DKIM-Signature: v=1\r\n${full}\r\n${longLine}\r\n.\r\n`,
    body: `${longLine}\r\n`,
  },
  { name: "8-bit content without BODY=8BITMIME", data: `${full}\r\n\xe9\r\n.\r\n`, body: "\xe9\r\n", eightBit: true },
  { name: "an 8-bit header", data: `Subject: \xc3\xa9\r\n${full}\r\nx\r\n.\r\n`, body: "x\r\n", eightBit: true },
  { name: "control characters", data: `${full}\r\n\x01\x0b\x7f\r\n.\r\n`, body: "\x01\x0b\x7f\r\n" },
];
for (const { name, data, body, eightBit = false } of sound) {
  test(`a message with ${name} is kept as it is, whole or octet by octet`, async () => {
    const client = await session();
    for (const chunks of [
      [data],
      Array.from(Buffer.from(data.toString(), "latin1").subarray(0, 400), (octet) => Buffer.of(octet)),
    ]) {
      if (chunks.length > 1 && data.length > 400) continue;
      assert.equal(codes(await sendRaw(client, ...chunks)), "250 2.6.0");
      assert.equal(lastKept().body.toString("latin1"), body);
      assert.equal(lastKept().message.eightBit, eightBit);
    }
  });
}

test("a line over 998 octets is encoded, the header says so, and the hash and the 8-bit mark are of what leaves", async () => {
  const client = await session();
  const open = bed.spool.open.size;
  const line = `${"\xe9=".repeat(600)} `;
  const reply = await sendRaw(client, `${full}\r\n${line}\r\n..\r\n.\r\n`);
  const { message, body } = lastKept();
  // The message has the id of its second writing everywhere, and the first is gone.
  assert.equal(reply, `250 2.6.0 Message accepted as ${message.id}`);
  assert.match(message.header.toString("latin1"), new RegExp(` id ${message.id};`));
  assert.equal(bed.spool.open.size, open);
  const fields = message.header.toString("latin1").split("\r\n").slice(3).join("\r\n");
  assert.equal(fields, `${full}MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n`);
  const text = body.toString("latin1");
  assert.ok(text.split("\r\n").every((each) => each.length <= 76));
  assert.equal(text.replaceAll("=\r\n", ""), `${"=E9=3D".repeat(600)}=20\r\n.\r\n`);
  const hash = new RelaxedBodyHash();
  hash.update(body);
  assert.equal(message.bodyHash, hash.digest());
  assert.equal(message.eightBit, false);
});

test("a message that says 8-bit in its header stays 8-bit when its body is encoded", async () => {
  await sendRaw(await session(), `Subject: \xc3\xa9\r\n${full}\r\n${"\xe9".repeat(1200)}\r\n.\r\n`);
  assert.equal(lastKept().message.eightBit, true);
});

test("a Message-ID that was replaced is the one that the message has, and a space before a colon goes", async () => {
  const reply = await sendRaw(await session(), `X-Mailer : x\r\n${from}Message-ID: <>\r\nDate: now\r\n\r\nx\r\n.\r\n`);
  assert.equal(codes(reply), "250 2.6.0");
  const { id, header } = lastKept().message;
  const rest = header.toString("latin1").split("\r\n").slice(3);
  assert.deepEqual(rest.slice(0, 2), ["X-Mailer: x", "From: a@example.com"]);
  assert.match(rest[2] ?? "", /^Date: \w{3}, /);
  assert.deepEqual(rest.slice(3), [`Message-ID: <${id}@relay.example.com>`, ""]);
});

test("a disk that refuses the second writing is 451, and nothing of either is left", async () => {
  const client = await session();
  const { spool } = bed;
  const begin = spool.begin.bind(spool);
  let begun = 0;
  spool.begin = (id) => {
    const writer = begin(id);
    begun += 1;
    return begun % 2 === 1
      ? writer
      : { ...writer, sizeBytes: 0, write: () => Promise.reject(new Error("disk I/O error")) };
  };
  assert.equal(codes(await sendRaw(client, `${full}\r\n${longLine}\r\n.\r\n`)), "451 4.3.0");
  spool.begin = begin;
  assert.equal(begun, 2);
  assert.equal(spool.open.size, 0);
  spool.failure = new Error("disk I/O error");
  assert.equal(codes(await sendRaw(client, `${full}\r\n${longLine}\r\n.\r\n`)), "451 4.3.0");
  assert.equal(spool.open.size, 0);
});

interface Refused {
  readonly name: string;
  readonly data: string;
  readonly reply: RegExp;
}

const hops = "Received: by mx.example; Thu, 1 Jan 1970 00:00:00 +0000\r\n".repeat(101);
const refused: readonly Refused[] = [
  { name: "no header", data: "\r\nx\r\n.\r\n", reply: /^550 5\.6\.0 The message has no header/ },
  { name: "nothing", data: ".\r\n", reply: /^550 5\.6\.0 The message has no header/ },
  { name: "no From", data: "Subject: x\r\n\r\nx\r\n.\r\n", reply: /^550 5\.6\.0 .*exactly one From.*0/ },
  { name: "two From fields", data: `${from}${from}\r\nx\r\n.\r\n`, reply: /^550 5\.6\.0 .*exactly one From.*2/ },
  {
    name: "a line that is no field",
    data: `${from}oops\r\n\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 Line 2 of the message/,
  },
  {
    name: "an mbox line on top",
    data: `From a@b Thu Jan  1\r\n${full}\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 Line 1 .*mbox/,
  },
  {
    name: "another's Sender",
    data: `Sender: a@other.example\r\n${full}\r\nx\r\n.\r\n`,
    reply: /^550 5\.7\.1 Sender: /,
  },
  {
    name: "two Subjects",
    data: `Subject: a\r\nSubject: b\r\n${full}\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 .*2 Subject/,
  },
  {
    name: "30,000 Cc fields",
    data: `${full}${"Cc:\r\n".repeat(30_000)}\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 .* fields, more than/,
  },
  {
    name: "a header line that cannot be folded",
    data: `${full}X-Long: ${"y".repeat(1000)}\r\n\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 The field X-Long has a line of more than 998 octets/,
  },
  { name: "a foreign From", data: "From: a@other.example\r\n\r\nx\r\n.\r\n", reply: /^550 5\.7\.1 .*other\.example/ },
  { name: "a From without key", data: "From: a@keyless.example\r\n\r\nx\r\n.\r\n", reply: /^451 4\.3\.5 .*keyless/ },
  { name: "a loop", data: `${hops}${from}\r\nx\r\n.\r\n`, reply: /^554 5\.4\.6 / },
  {
    name: "a bare LF in the header",
    data: `${from}X: a\nb\r\n\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 Line 2 .*bare LF.*CRLF/,
  },
  { name: "a bare CR", data: `${full}\r\na\rb\r\n.\r\n`, reply: /^550 5\.6\.0 Line 5 .*bare CR.*CRLF/ },
  { name: "a NUL", data: `${full}\r\na\0b\r\n.\r\n`, reply: /^550 5\.6\.0 Line 5 .*NUL/ },
  {
    name: "a header that never ends",
    data: `${from}${`X: ${"y".repeat(995)}\r\n`.repeat(300)}\r\nx\r\n.\r\n`,
    reply: /^550 5\.6\.0 The header is longer/,
  },
  {
    name: "a line of more than a MiB",
    data: `${full}\r\n${"y".repeat(1_048_577)}\r\n.\r\n`,
    reply: /^550 5\.6\.0 Line 5 .*longer/,
  },
  {
    name: "more than the size limit",
    data: `${full}\r\n${`${"y".repeat(998)}\r\n`.repeat(3001)}.\r\n`,
    reply: /^552 5\.3\.4 /,
  },
];
for (const { name, data, reply } of refused) {
  test(`a message with ${name} is refused, nothing of it is kept, and the session goes on`, async () => {
    const client = await session();
    const already = bed.spool.kept.length;
    assert.match(await sendRaw(client, data), reply);
    assert.equal(bed.spool.kept.length, already);
    assert.equal(bed.spool.open.size, 0);
    assert.equal(codes(await sendRaw(client, `${full}\r\nnext\r\n.\r\n`)), "250 2.6.0");
  });
}

// What one server may take for the end of a message and another not: none of these may end it here (SMTP smuggling).
const endings = [
  "\n.\n",
  "\n.\r\n",
  "\r\n.\n",
  "\r.\r",
  "\r.\r\n",
  "\r\n.\r",
  "\n.\r",
  "\r\n.\r\r\n",
  "\r\r\n.\r\r\n",
  "\r\n\0.\r\n",
  "\n\n.\r\n",
];
for (const ending of endings) {
  test(`${JSON.stringify(ending)} does not end DATA and is refused`, async () => {
    const client = await session();
    const already = bed.spool.kept.length;
    const smuggled =
      "MAIL FROM:<a@example.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nFrom: a@example.com\r\n\r\nsmuggled\r\n";
    assert.match(
      await sendRaw(client, `${full}\r\nx${ending}${smuggled}.\r\n`),
      /^550 5\.6\.0 Line \d+ of the message: /,
    );
    assert.equal(bed.spool.kept.length, already);
    // The next reply answers the next command: nothing inside was run.
    assert.equal(await client.command("NOOP"), "250 2.0.0 OK");
  });
}

test("a pipelined session gets its replies in order", async () => {
  const client = await session();
  const replies = [client.reply(), client.reply(), client.reply(), client.reply(), client.reply(), client.reply()];
  client.write(
    `MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n${full}\r\nx\r\n.\r\nMAIL FROM:<a@example.com>\r\nRSET\r\n`,
  );
  const texts = (await Promise.all(replies)).map((reply) => reply.slice(0, 9));
  assert.deepEqual(texts, ["250 2.1.0", "250 2.1.5", "354 End d", "250 2.6.0", "250 2.1.0", "250 2.0.0"]);
});

test("a full spool is 452 4.3.1 at the end of DATA, and at MAIL already", async () => {
  const client = await session();
  await client.command("MAIL FROM:<a@example.com>");
  await client.command("RCPT TO:<b@example.net>");
  await client.command("DATA");
  bed.spool.full = true;
  assert.equal(codes(await client.command(`${full}\r\nx\r\n.`)), "452 4.3.1");
  assert.equal(bed.spool.open.size, 0);
  assert.equal(codes(await client.command("MAIL FROM:<a@example.com>")), "452 4.3.1");
  bed.spool.full = false;
  assert.equal(codes(await client.command("MAIL FROM:<a@example.com>")), "250 2.1.0");
});

const failures: readonly (readonly [Error, string])[] = [
  [new Error("disk I/O error"), "451 4.3.0"],
  [Object.assign(new Error("no space"), { code: "ENOSPC" }), "452 4.3.1"],
];
for (const [failure, expected] of failures) {
  test(`a commit that fails with "${failure.message}" is ${expected}`, async () => {
    const client = await session();
    bed.spool.failure = failure;
    assert.equal(codes(await sendRaw(client, `${full}\r\nx\r\n.\r\n`)), expected);
    assert.equal(bed.spool.open.size, 0);
  });
}

test("a spool that cannot begin or write is 451, and the session goes on", async () => {
  const client = await session();
  const { spool } = bed;
  const begin = spool.begin.bind(spool);
  spool.begin = () => {
    throw new Error("no writer");
  };
  assert.equal(codes(await sendRaw(client, `${full}\r\nx\r\n.\r\n`)), "451 4.3.0");
  spool.begin = (id) => ({ ...begin(id), sizeBytes: 0, write: () => Promise.reject(new Error("disk I/O error")) });
  assert.equal(codes(await sendRaw(client, `${full}\r\nx\r\ny\r\n.\r\n`)), "451 4.3.0");
  spool.begin = begin;
  assert.equal(spool.open.size, 0);
  assert.equal(codes(await sendRaw(client, `${full}\r\nx\r\n.\r\n`)), "250 2.6.0");
});

test("no 250 is sent before the commit", async () => {
  const client = await session();
  const gate = Promise.withResolvers<void>();
  bed.spool.hold = gate.promise;
  let answered = false;
  const reply = sendRaw(client, `${full}\r\nx\r\n.\r\n`).then((text) => {
    answered = true;
    return text;
  });
  const other = await session();
  for (let count = 0; count < 20; count += 1) await other.command("NOOP");
  assert.equal(answered, false);
  gate.resolve();
  assert.equal(codes(await reply), "250 2.6.0");
});

test("a connection lost inside DATA leaves nothing", async () => {
  const client = await session();
  // What another test left must not keep this one waiting.
  const open = bed.spool.open.size;
  const already = bed.spool.kept.length;
  await client.command("MAIL FROM:<a@example.com>");
  await client.command("RCPT TO:<b@example.net>");
  await client.command("DATA");
  client.write(`${full}\r\nhalf a bod`);
  const watcher = await session();
  while (bed.spool.open.size === open) await watcher.command("NOOP");
  client.destroy();
  while (bed.spool.open.size > open) await watcher.command("NOOP");
  assert.equal(bed.spool.kept.length, already);
});

test("a client that sends twice the limit hears 552 and is cut", async () => {
  const client = await session();
  const reply = sendRaw(client, `${full}\r\n${`${"y".repeat(998)}\r\n`.repeat(6100)}`);
  assert.equal(codes(await reply), "552 5.3.4");
  await client.closed;
});

test("a body ends when its last octets are written, also where all of it came at once", async () => {
  const client = await session();
  const { spool } = bed;
  const begin = spool.begin.bind(spool);
  let writing = 0;
  let writingAtEnd: number | undefined;
  spool.begin = (id) => {
    const writer = begin(id);
    return {
      ...writer,
      sizeBytes: 0,
      write: async (chunk) => {
        writing += 1;
        await new Promise((resolve) => setImmediate(resolve));
        await writer.write(chunk);
        writing -= 1;
      },
      finish: () => {
        writingAtEnd = writing;
        return writer.finish();
      },
    };
  };
  try {
    const replies = ["250", "250", "354", "250"].map(async () => (await client.reply()).slice(0, 3));
    client.write(`MAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n${full}\r\nx\r\n.\r\n`);
    assert.deepEqual(await Promise.all(replies), ["250", "250", "354", "250"]);
  } finally {
    spool.begin = begin;
  }
  assert.equal(writingAtEnd, 0);
  assert.equal(lastKept().body.toString(), "x\r\n");
});
