/**
 * The third part of a notice: the message it is about, or its header (RFC 6522 section 3, RFC 3461 section 6.2, RFC 6533
 * section 5). Pure; octets come back as they were, in an encoding that the way of the notice can carry.
 */
import type { OriginalMessage } from "./facts.ts";
import { quotedPrintable } from "../mime/encode.ts";
import type { Charset } from "./text.ts";

export interface Part {
  readonly type: string;
  readonly encoding?: "8bit" | "quoted-printable";
  readonly content: Buffer;
}

const emptyLine = Buffer.from("\r\n", "latin1");

export function originalPart(original: OriginalMessage, charset: Charset): Part {
  const { header, body, eightBit, smtpUtf8 } = original;
  // RFC 6533 section 5: the global types are for headers with UTF-8 in them.
  const global = smtpUtf8 && hasEightBit(header);
  if (body !== undefined) {
    // RFC 2046 section 5.2.1: message/rfc822 is 7bit or 8bit, never encoded.
    return {
      type: global ? "message/global" : "message/rfc822",
      ...(eightBit ? { encoding: "8bit" } : {}),
      content: Buffer.concat([header, emptyLine, body]),
    };
  }
  const type = global ? "message/global-headers" : "text/rfc822-headers";
  if (!hasEightBit(header)) return { type, content: header };
  if (charset === "utf-8") return { type, encoding: "8bit", content: header };
  // RFC 6522 section 4: a header that is not 7-bit may be encoded in quoted-printable.
  return { type, encoding: "quoted-printable", content: quotedPrintable(header) };
}

export function hasEightBit(bytes: Buffer): boolean {
  return bytes.some((octet) => octet > 0x7f);
}
