/** Messages as they follow DATA, with everything in them that somebody took for their end, or for a command. */
import fc from "fast-check";
import { pick } from "./wish.ts";

export interface Content {
  /** Whether the message is to be taken. */
  readonly verdict: "right" | "wrong";
  /** Fields beside Subject, each with its end. */
  readonly fields: string;
  /** Each character is an octet; ends with CRLF. */
  readonly body: string;
  /** The same as it is written: with a dot more before those that begin a line (RFC 5321 section 4.5.2), but for false ends. */
  readonly stuffed: string;
}

const from = "From: app@example.com\r\n";
const smuggled =
  "MAIL FROM:<app@example.com>\r\nRCPT TO:<smuggled@example.org>\r\nDATA\r\nFrom: app@example.com\r\nSubject: smuggled\r\n\r\nx\r\n";

const line = fc.oneof(
  {
    weight: 4,
    arbitrary: pick("text", "", " ", ".", "..", ".x", "\t", "x".repeat(998), "\xff\x80", "=", "--boundary"),
  },
  {
    weight: 2,
    arbitrary: pick(
      "QUIT",
      "RSET",
      "DATA",
      "MAIL FROM:<app@example.com>",
      "RCPT TO:<smuggled@example.org>",
      "354 go on",
      "250 2.0.0 ok",
    ),
  },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 200 }).map((octets) =>
      Buffer.from(octets)
        .toString("latin1")
        .replace(/[\0\r\n]/g, " "),
    ),
  },
);
const lines = fc.array(line, { maxLength: 12 }).map((all) => all.map((one) => `${one}\r\n`).join(""));

const stuffed = (text: string): string => text.replace(/^\./gm, "..");

const right: fc.Arbitrary<Content> = fc
  .tuple(pick("", "To: someone@example.org\r\n", "Bcc: hidden@example.org\r\n", "X-Folded: a\r\n b\r\n"), lines)
  .map(([more, body]) => ({ verdict: "right", fields: from + more, body, stuffed: stuffed(body) }));

/** More than the relay of these tests takes, and less than twice as much. */
const large = "y".repeat(900).concat("\r\n").repeat(50);

/** RFC 5321 section 2.3.8: CR and LF stand together alone. Each of these was the end of a message somewhere. */
const falseEnd = pick(
  "\n.\n",
  "\n.\r\n",
  "\r\n.\n",
  "\r.\r",
  "\r.\r\n",
  "\n.\r",
  "\r\n.\r",
  "\r\n\0.\r\n",
  "\r\r\n.\r\r\n",
  "\n\n.\n\n",
);

const wrong: fc.Arbitrary<Content> = fc.oneof(
  fc.tuple(lines, falseEnd, pick(smuggled, "", "x\r\n"), lines).map(([before, end, behind, after]) => ({
    verdict: "wrong" as const,
    fields: from,
    body: `${before}x${end}${behind}${after}x\r\n`,
    stuffed: `${stuffed(before)}x${end}${behind}${stuffed(after)}x\r\n`,
  })),
  fc
    .tuple(
      pick(
        "",
        "From: app@foreign.example\r\n",
        `${from}${from}`,
        "From: app@example.com, app@foreign.example\r\n",
        "From: <@a,boss@foreign.example:app@example.com>\r\n",
        "From: app@example.com\r\nX: \0\r\n",
        "From: app@example.com\nX: y\r\n",
        "From:\r\n",
        "From: undisclosed:;\r\n",
      ),
      lines,
    )
    .map(([fields, body]) => ({ verdict: "wrong" as const, fields, body, stuffed: stuffed(body) })),
  fc.constant({ verdict: "wrong" as const, fields: from, body: large, stuffed: large }),
);

export const content: fc.Arbitrary<Content> = fc.oneof(
  { weight: 3, arbitrary: right },
  { weight: 1, arbitrary: wrong },
);

const headerOf = (fields: string, subject: string): string => `${fields}Subject: ${subject}\r\n\r\n`;

/** As it is to arrive. */
export function messageOf({ fields, body }: Content, subject: string): Buffer {
  return Buffer.from(headerOf(fields, subject) + body, "latin1");
}

/** What stands between the reply to DATA and the one to the message, but for its end; each character is an octet. */
export function writtenMessage({ fields, stuffed: body }: Content, subject: string): string {
  return headerOf(fields, subject) + body;
}
