/**
 * Delivery status notifications: the words and fields of RFC 3464 inside a multipart/report (RFC 6522).
 *
 * Pure: facts in, bytes out. Lines are at most 998 octets and end with CRLF. Remote text is shown as ASCII, because
 * nobody says which charset a reply is in. Addresses outside ASCII use the forms of RFC 6533.
 */
import { formatDate } from "./received.ts";
import { formatReply, type Reply } from "./reply.ts";

export interface FailedRecipient {
  readonly address: string;
  /** `addr-type;xtext` as received. */
  readonly orcpt?: string;
  /** What ended it; `enhanced` becomes the Status. */
  readonly reply: Reply;
  /** Host that said so; absent when the decision was ours. */
  readonly remoteHost?: string;
}

export interface ReturnedMessage {
  readonly header: Buffer;
  /** Present when the whole message is returned. */
  readonly body?: Buffer;
  readonly eightBit: boolean;
}

export interface FailureFacts {
  /** Our own name, as in EHLO. */
  readonly hostname: string;
  readonly from: string;
  readonly to: string;
  readonly messageId: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly acceptedAt: number;
  /** xtext as received. */
  readonly envid?: string;
  readonly recipients: readonly FailedRecipient[];
  readonly returned: ReturnedMessage;
  /** No line of the notice's parts may contain it. */
  readonly boundary: string;
  /** The original was internationalized (RFC 6533 section 3). */
  readonly global: boolean;
}

export interface NoticeBytes {
  /** Fields with their CRLFs, without the empty line. */
  readonly header: Buffer;
  readonly body: Buffer;
  readonly eightBit: boolean;
}

/** The notice that says which recipients failed and why. */
export function writeFailureNotice(facts: FailureFacts): NoticeBytes {
  const { returned, boundary } = facts;
  const parts = [
    part(["Content-Type: text/plain; charset=utf-8", ...encodingOf(facts.global)], words(facts)),
    part(
      [`Content-Type: message/${facts.global ? "global-" : ""}delivery-status`, ...encodingOf(facts.global)],
      statusFields(facts),
    ),
    returnedPart(returned, facts.global),
  ];
  const open = Buffer.from(`--${boundary}\r\n`, "latin1");
  const body = Buffer.concat([
    ...parts.flatMap((bytes) => [open, bytes, crlf]),
    Buffer.from(`--${boundary}--\r\n`, "latin1"),
  ]);
  const eightBit = hasEightBit(body);
  return { header: noticeHeader(facts, eightBit), body, eightBit };
}

const crlf = Buffer.from("\r\n", "latin1");

function noticeHeader(facts: FailureFacts, eightBit: boolean): Buffer {
  const fields = [
    `Date: ${formatDate(facts.now)}`,
    `From: Mail Delivery System <${facts.from}>`,
    `To: <${facts.to}>`,
    "Subject: Your message could not be delivered",
    `Message-ID: <${facts.messageId}>`,
    // RFC 3834 section 5: so that nobody's vacation program answers.
    "Auto-Submitted: auto-replied",
    "MIME-Version: 1.0",
    `Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="${facts.boundary}"`,
    ...encodingOf(eightBit),
  ];
  return Buffer.from(fields.map((field) => `${field}\r\n`).join(""), "utf8");
}

function encodingOf(eightBit: boolean): string[] {
  return eightBit ? ["Content-Transfer-Encoding: 8bit"] : [];
}

function hasEightBit(bytes: Buffer): boolean {
  return bytes.some((byte) => byte > 0x7f);
}

function words(facts: FailureFacts): Buffer {
  const expired = facts.recipients.every(({ reply }) => reply.enhanced === "4.4.7");
  const paragraphs = [
    `This is the mail system at ${facts.hostname}.`,
    expired
      ? "Your message could not be delivered in the time allowed for it. It will not be tried again."
      : "Your message could not be delivered to the recipients named below. It will not be tried again.",
    ...facts.recipients.map(({ address, reply, remoteHost }) => {
      const said = remoteHost === undefined ? "The reason:" : `The mail server ${remoteHost} said:`;
      return `<${address}>\r\n${wrap(`${said} ${ascii(formatReply(reply))}`, "    ")}`;
    }),
    "The details follow in a form for programs, and after them the message or its header.",
  ];
  return Buffer.from(
    `${paragraphs.map((text) => (text.startsWith("<") ? text : wrap(text, ""))).join("\r\n\r\n")}\r\n`,
    "utf8",
  );
}

/** RFC 3464 section 2.1: fields for the message, then a block for each recipient, empty lines between. */
function statusFields(facts: FailureFacts): Buffer {
  const message = [
    `Reporting-MTA: dns; ${facts.hostname}`,
    ...(facts.envid === undefined ? [] : [`Original-Envelope-Id: ${ascii(decodeXtext(facts.envid))}`]),
    `Arrival-Date: ${formatDate(facts.acceptedAt)}`,
  ];
  const blocks = [message, ...facts.recipients.map(recipientFields)];
  return Buffer.from(blocks.map((fields) => fields.map((field) => `${field}\r\n`).join("")).join("\r\n"), "utf8");
}

function recipientFields(recipient: FailedRecipient): string[] {
  const { address, orcpt, reply, remoteHost } = recipient;
  // RFC 6533 section 3: an address outside ASCII has the type utf-8.
  const type = isAscii(address) ? "rfc822" : "utf-8";
  return [
    ...(orcpt === undefined ? [] : [`Original-Recipient: ${originalRecipient(orcpt)}`]),
    `Final-Recipient: ${type}; ${address}`,
    "Action: failed",
    `Status: ${reply.enhanced ?? (reply.code >= 500 ? "5.0.0" : "4.0.0")}`,
    ...(remoteHost === undefined ? [] : [`Remote-MTA: dns; ${remoteHost}`]),
    wrap(`Diagnostic-Code: smtp; ${ascii(formatReply(reply))}`, " "),
  ];
}

/** RFC 3464 section 2.3.1: the type stays, the address is given back decoded. */
function originalRecipient(orcpt: string): string {
  const semicolon = orcpt.indexOf(";");
  if (semicolon === -1) return `rfc822; ${ascii(decodeXtext(orcpt))}`;
  return `${orcpt.slice(0, semicolon)}; ${ascii(decodeXtext(orcpt.slice(semicolon + 1)))}`;
}

function returnedPart(returned: ReturnedMessage, global: boolean): Buffer {
  const { header, body, eightBit } = returned;
  const encoding = encodingOf(eightBit || hasEightBit(header));
  if (body === undefined) {
    const type = global ? "message/global-headers" : "text/rfc822-headers";
    return part([`Content-Type: ${type}`, ...encoding], header);
  }
  return part(
    [`Content-Type: message/${global ? "global" : "rfc822"}`, ...encoding],
    Buffer.concat([header, crlf, body]),
  );
}

function part(fields: readonly string[], content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${fields.join("\r\n")}\r\n\r\n`, "latin1"), content]);
}

/** RFC 3461 section 4: `+` and two hex digits stand for an octet. */
export function decodeXtext(xtext: string): string {
  return xtext.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function isAscii(text: string): boolean {
  return !/[^\x20-\x7e]/.test(text);
}

/** One line of printable ASCII. */
function ascii(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[^\x20-\x7e]/g, "?");
}

/** Lines of at most 76 characters where words allow it, and 900 where they do not; later lines are indented. */
function wrap(text: string, indent: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((long) => long.match(/.{1,900}/gs) ?? [])) {
    if (line !== "" && line.length + 1 + word.length > 76) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].join("\r\n");
}
