/** Messages that a person would not write and a relay must keep as they are, or refuse. Each is a row of a table. */
import { randomBytes } from "node:crypto";

export interface GeneratedMessage {
  readonly name: string;
  /** The message behind the fields From, To and Subject: more fields, empty line, body. */
  readonly rest: Buffer;
}

const octets = (text: string): Buffer => Buffer.from(text, "latin1");
const base64Lines = (sizeBytes: number): string =>
  randomBytes(sizeBytes).toString("base64").replace(/.{76}/g, "$&\r\n");

function attachments(count: number, sizeBytes: number): string {
  const boundary = "=_boundary";
  const part = (): string =>
    `--${boundary}\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64Lines(sizeBytes)}\r\n`;
  const parts = Array.from({ length: count }, part).join("");
  return `MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n${parts}--${boundary}--\r\n`;
}

export const kept: readonly GeneratedMessage[] = [
  { name: "an empty body", rest: octets("\r\n") },
  { name: "no body at all", rest: octets("") },
  { name: "only empty lines", rest: octets("\r\n\r\n\r\n\r\n") },
  { name: "empty lines at the end", rest: octets("\r\ntext\r\n\r\n\r\n") },
  { name: "spaces and tabs at line ends", rest: octets("\r\none \t\r\n \r\n\t\r\ntwo  \r\n") },
  { name: "leading dots", rest: octets("\r\n.\r\n..\r\n.x\r\n...\r\n. \r\n") },
  { name: "a dot as the first line", rest: octets("\r\n.\r\n") },
  { name: "every octet from 1 to 255 but CR and LF", rest: octets(`\r\n${everyOctet()}\r\n`) },
  { name: "8-bit text", rest: octets("\r\nGr\u00fc\u00dfe aus K\u00f6ln\r\n") },
  { name: "UTF-8 text", rest: Buffer.from("Content-Type: text/plain; charset=utf-8\r\n\r\nmail ⛵ boat\r\n", "utf8") },
  { name: "a line of 998 octets", rest: octets(`\r\n${"x".repeat(998)}\r\n`) },
  { name: "dots around every chunk's end", rest: octets(`\r\n${"x\r\n.\r\n..y\r\n".repeat(30_000)}`) },
  { name: "a header field folded a hundred times", rest: octets(`X-Folded: a${"\r\n b".repeat(100)}\r\n\r\ntext\r\n`) },
  { name: "a header field of 900 octets", rest: octets(`X-Long: ${"y".repeat(892)}\r\n\r\ntext\r\n`) },
  { name: "40 MiB of attachments", rest: octets(attachments(8, 5 * 2 ** 20)) },
];

function everyOctet(): string {
  const codes = Array.from({ length: 255 }, (_, index) => index + 1).filter((code) => code !== 10 && code !== 13);
  return String.fromCharCode(...codes);
}

const nested = (part: string): string =>
  `MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\n\r\nshort\r\n--outer\r\n${part}\r\n--outer--\r\n`;

/** Messages that a host which keeps RFC 5322 section 2.1.1 would break: they leave in lines of at most 998 octets. */
export const mended: readonly GeneratedMessage[] = [
  { name: "a line of 999 octets", rest: octets(`\r\n${"x".repeat(999)}\r\n`) },
  { name: "a line of 5,000 octets", rest: octets(`\r\n${".long ".repeat(834)}\r\nend\r\n`) },
  { name: "a line of a million octets", rest: octets(`\r\n${"0123456789".repeat(100_000)}\r\n`) },
  {
    name: "a long line of 8-bit text",
    rest: octets(`Content-Type: text/plain; charset=iso-8859-1\r\n\r\n${"\xe9t\xe9 = \t".repeat(400)}\r\n`),
  },
  {
    name: "a long line of HTML in a part",
    rest: octets(nested(`Content-Type: text/html\r\n\r\n<p>${"<b>x</b> ".repeat(500)}`)),
  },
  {
    name: "base64 in one line",
    rest: octets(
      nested(
        `Content-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n${randomBytes(90_000).toString("base64")}`,
      ),
    ),
  },
  {
    name: "4 MiB in lines of 64 KiB",
    rest: octets(nested(`Content-Type: application/x-log\r\n\r\n${`${"log ".repeat(2 ** 14)}\r\n`.repeat(64)}`)),
  },
  {
    name: "quoted-printable in one line",
    rest: octets(
      `MIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${"=C3=A9t=C3=A9 ".repeat(300)}=\r\nend\r\n`,
    ),
  },
  {
    name: "a message within, with a long line in header and body",
    rest: octets(
      nested(
        `Content-Type: message/rfc822\r\n\r\nFrom: a@b\r\nSubject: ${"long ".repeat(300)}\r\n\r\n${"z".repeat(2000)}`,
      ),
    ),
  },
  { name: "a header field of 5,000 octets", rest: octets(`X-Long: ${"words ".repeat(830)}\r\n\r\ntext\r\n`) },
  {
    name: "a hundred recipients in one line",
    rest: octets(`Cc: ${"someone@example.org,".repeat(100)}last@example.org\r\n\r\ntext\r\n`),
  },
];

export interface RefusedMessage extends GeneratedMessage {
  readonly reply: RegExp;
}

/** Lines are counted from the first of the message: the three fields before `rest` are 1 to 3. */
export const refused: readonly RefusedMessage[] = [
  { name: "a bare LF in the body", rest: octets("\r\none\ntwo\r\n"), reply: /^5\.6\.0 Line 5 .*send CRLF/i },
  { name: "a bare CR in the body", rest: octets("\r\none\rtwo\r\n"), reply: /^5\.6\.0 Line 5 .*send CRLF/i },
  { name: "NUL in the body", rest: octets("\r\none\r\ntw\0o\r\n"), reply: /^5\.6\.0 Line 6 .*NUL/ },
  {
    name: "a bare LF in the header",
    rest: octets("X-One: 1\nX-Two: 2\r\n\r\ntext\r\n"),
    reply: /^5\.6\.0 Line 4 .*send CRLF/i,
  },
  {
    name: "a bare CR in the header",
    rest: octets("X-One: 1\rX-Two: 2\r\n\r\ntext\r\n"),
    reply: /^5\.6\.0 Line 4 .*send CRLF/i,
  },
  { name: "NUL in the header", rest: octets("X-One: \0\r\n\r\ntext\r\n"), reply: /^5\.6\.0 Line 4 .*NUL/ },
  {
    name: "the end of data with a bare LF inside",
    rest: octets("\r\none\n.\r\ntwo\r\n"),
    reply: /^5\.6\.0 Line 5 .*send CRLF/i,
  },
  { name: "a line of more than 1 MiB", rest: octets(`\r\n${"x".repeat(2 ** 20 + 1)}\r\n`), reply: /^5\.6\.0 Line 5 / },
];
