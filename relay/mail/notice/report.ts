/**
 * A notice as octets: a multipart/report (RFC 6522) of words for people, fields for programs, and the message or its header.
 *
 * Pure: facts in, octets out. It goes out with SMTPUTF8 exactly when the address it goes to needs that: then the way back
 * is known to carry it, while a notice to an ASCII address must not be lost because some hop cannot (RFC 6533 section 3 has
 * forms for both).
 */
import { quotedPrintable } from "../mime/encode.ts";
import { fieldsNamed, fieldValue, parseHeader } from "../header.ts";
import { formatDate } from "../received.ts";
import type { NoticeFacts } from "./facts.ts";
import { statusFields } from "./fields.ts";
import { hasEightBit, originalPart, type Part } from "./original.ts";
import { isAscii, type Charset } from "./text.ts";
import { humanText, subjects } from "./words.ts";

export interface NoticeBytes {
  /** Fields with their CRLFs, without the empty line. */
  readonly header: Buffer;
  readonly body: Buffer;
  readonly eightBit: boolean;
  /** It needs SMTPUTF8 (RFC 6531) to travel. */
  readonly smtpUtf8: boolean;
}

export function writeReport(facts: NoticeFacts): NoticeBytes {
  const charset: Charset = isAscii(facts.to) ? "ascii" : "utf-8";
  const parts = [humanPart(facts, charset), statusPart(facts, charset), originalPart(facts.original, charset)];
  const body = joinParts(parts, facts.boundary);
  const eightBit = hasEightBit(body);
  return { header: noticeHeader(facts, eightBit), body, eightBit, smtpUtf8: charset === "utf-8" };
}

function humanPart(facts: NoticeFacts, charset: Charset): Part {
  const text = humanText(facts);
  const content = Buffer.from(text, "utf8");
  if (isAscii(text)) return { type: "text/plain; charset=us-ascii", content };
  const type = "text/plain; charset=utf-8";
  return charset === "utf-8"
    ? { type, encoding: "8bit", content }
    : { type, encoding: "quoted-printable", content: quotedPrintable(content) };
}

function statusPart(facts: NoticeFacts, charset: Charset): Part {
  const content = Buffer.from(statusFields(facts, charset), "utf8");
  if (charset === "ascii") return { type: "message/delivery-status", content };
  return {
    type: "message/global-delivery-status",
    ...(hasEightBit(content) ? { encoding: "8bit" } : {}),
    content,
  };
}

/** RFC 2046 section 5.1.1: the CRLF before a boundary belongs to it. */
function joinParts(parts: readonly Part[], boundary: string): Buffer {
  const pieces = parts.flatMap(({ type, encoding, content }) => {
    const fields = [`Content-Type: ${type}`, ...encodingField(encoding)];
    return [Buffer.from(`--${boundary}\r\n${fields.join("\r\n")}\r\n\r\n`, "latin1"), content, Buffer.from("\r\n")];
  });
  return Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`, "latin1")]);
}

function encodingField(encoding: Part["encoding"]): string[] {
  return encoding === undefined ? [] : [`Content-Transfer-Encoding: ${encoding}`];
}

function noticeHeader(facts: NoticeFacts, eightBit: boolean): Buffer {
  const { hostname, id, now, from, to, action, boundary, original } = facts;
  const answered = messageIdOf(original.header);
  const fields = [
    `Received: by ${hostname} id ${id};\r\n\t${formatDate(now)}`,
    `Date: ${formatDate(now)}`,
    `From: Mail Delivery System <${from}>`,
    `To: <${to}>`,
    `Subject: ${subjects[action]}`,
    `Message-ID: <${id}@${hostname}>`,
    ...(answered === undefined ? [] : [`In-Reply-To: ${answered}`, `References: ${answered}`]),
    // RFC 3834 section 5: so that nobody's vacation program answers.
    "Auto-Submitted: auto-replied",
    "MIME-Version: 1.0",
    `Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="${boundary}"`,
    ...encodingField(eightBit ? "8bit" : undefined),
  ];
  return Buffer.from(fields.map((field) => `${field}\r\n`).join(""), "utf8");
}

/** The original's Message-ID (RFC 5322 section 3.6.4) when it is one that can be repeated as it is. */
function messageIdOf(bytes: Buffer): string | undefined {
  const header = parseHeader(bytes);
  if (header.kind === "fault") return undefined;
  const [field] = fieldsNamed(header, "message-id");
  return field === undefined ? undefined : /^<[!-;=?-~]{1,250}>$/.exec(fieldValue(header, field))?.[0];
}
