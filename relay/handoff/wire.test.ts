import assert from "node:assert/strict";
import { test } from "node:test";
import { spoolIdOf } from "../spool/message/id.ts";
import type { Message } from "../spool/message/message.ts";
import type { WholeMessage } from "../spool/message/message.ts";
import { ByteSource, encodeHead, readHead, spoolIdFrom, WireError, type Incoming } from "./wire.ts";

const id = spoolIdOf(1_800_000_000_000, Buffer.from("chance"));
const body = Buffer.from("Grüße\r\n.\r\n");
const facts: Omit<Message, "id" | "body"> = {
  acceptedAt: 1_800_000_000_000,
  sender: "app@example.com",
  smtpUtf8: true,
  eightBit: true,
  ret: "HDRS",
  envid: "e+2B1",
  domain: "example.com",
  mustSign: true,
  header: Buffer.from("From: app@example.com\r\nSubject: =?x?\u0000\r\n"),
  bodyHash: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 vendor=1",
};
const recipients: WholeMessage["recipients"] = [
  {
    index: 3,
    address: "größe@example.net",
    notify: ["FAILURE", "DELAY"],
    orcpt: "utf-8;größe@example.net",
    attempts: 2,
    lastReply: { code: 451, enhanced: "4.2.0", text: "first line\nsecond line" },
    delayNotified: true,
    lastAttempt: "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
    dueAt: 1_800_000_060_000,
  },
  { index: 4, address: "b@example.org", attempts: 0, lastReply: { code: 421, text: "" }, dueAt: 1_800_000_000_000 },
];
const whole: WholeMessage = { message: { ...facts, id, body: { kind: "inline", bytes: body } }, recipients };

const nobodyStays = (): object => ({});

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(bytes: Buffer, size = 7): Promise<Incoming & { readonly body: Buffer }> {
  const source = new ByteSource(inPieces(bytes, size));
  const incoming = await readHead(source);
  const octets = await source.exactly(incoming.bodyBytes);
  await source.end();
  return { ...incoming, body: octets };
}

test("a message comes out of the wire as it went in, however it is cut", async () => {
  const sent = Buffer.concat([encodeHead(whole, nobodyStays), body]);
  for (const size of [1, 3, 64, sent.length]) {
    assert.deepEqual(await read(sent, size), { message: facts, recipients, bodyBytes: body.length, body });
  }
});

test("what a message does not have is absent at the other end, too", async () => {
  const { ret: _ret, envid: _envid, traceparent: _traceparent, ...bare } = facts;
  const message = { ...bare, id, body: { kind: "file", sizeBytes: 3 } } as const;
  const incoming = await read(Buffer.concat([encodeHead({ message, recipients }, nobodyStays), Buffer.from("abc")]));
  assert.deepEqual(incoming.message, bare);
});

test("the peer is told of whom the giver would keep the mail", async () => {
  const sent = encodeHead(whole, (address) => (address === "b@example.org" ? { stays: true } : {}));
  const { recipients: came } = await read(Buffer.concat([sent, body]));
  assert.deepEqual(
    came.map(({ stays }) => stays),
    [undefined, true],
  );
});

test("too few octets, too many, and what is not understood are told from each other", async () => {
  const sent = Buffer.concat([encodeHead(whole, nobodyStays), body]);
  const faulty = (change: (head: Record<string, unknown>) => unknown): Buffer => {
    const length = sent.readUInt32BE(0);
    const head = JSON.parse(sent.toString("utf8", 4, 4 + length)) as Record<string, unknown>;
    const json = Buffer.from(JSON.stringify(change(head)));
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(json.length);
    return Buffer.concat([prefix, json, sent.subarray(4 + length)]);
  };
  const rows: readonly (readonly [Buffer, RegExp])[] = [
    [sent.subarray(0, 2), /ended 2 octets too early/],
    [sent.subarray(0, -1), /ended 1 octets too early/],
    [Buffer.concat([sent, Buffer.from("x")]), /more octets/],
    [Buffer.from("ffffffff", "hex"), /is too long/],
    [Buffer.from("\0\0\0\u0003{{{"), /not JSON/],
    [faulty((head) => ({ ...head, version: 2 })), /version/],
    [faulty((head) => ({ ...head, recipients: [] })), /recipients/],
    [faulty((head) => ({ ...head, bodyBytes: -1 })), /bodyBytes/],
  ];
  for (const [bytes, reason] of rows) {
    await assert.rejects(read(bytes), (error) => {
      assert.ok(error instanceof WireError, String(error));
      assert.match(error.message, reason);
      return true;
    });
  }
});

test("a name that no spool made is no name of a file", () => {
  assert.equal(spoolIdFrom(id), id);
  for (const text of ["", "..", "../../etc/passwd", `${id}x`, id.toUpperCase(), `${id}/`, "%2e%2e"]) {
    assert.equal(spoolIdFrom(text), undefined, text);
  }
});
