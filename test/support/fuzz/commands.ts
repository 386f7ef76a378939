/** Command lines as RFC 5321 section 4.1.1 writes them, lines that break one of its rules, and lines that were right once. */
import fc from "fast-check";
import { brokenAddress, foreignAddress, grantedAddress, recipientAddress, type WrittenAddress } from "./addresses.ts";
import {
  brokenMailParameters,
  brokenRcptParameters,
  mailParameters,
  rcptParameters,
  type Parameters,
} from "./dsnparameters.ts";
import { anyCase, bent, type Line, noise, pick } from "./wish.ts";

export type Command = Line &
  (
    | { readonly verb: "hello" | "reset" | "other" }
    /** Without the address it is the null path, or not known. */
    | { readonly verb: "mail"; readonly address?: string; readonly isUtf8: boolean }
    | { readonly verb: "rcpt"; readonly address?: string; readonly wantsSuccess: boolean }
  );

const mailOpening = fc.tuple(anyCase("MAIL FROM:"), pick("", "", " ")).map((parts) => parts.join(""));
const rcptOpening = fc.tuple(anyCase("RCPT TO:"), pick("", "", " ")).map((parts) => parts.join(""));

/** RFC 6531 section 3.5: SMTPUTF8 is asked for where an address needs it. */
function withNeeded({ isAscii }: WrittenAddress, { text, isUtf8, ...rest }: Parameters): Parameters {
  return isAscii || isUtf8 ? { text, isUtf8, ...rest } : { ...rest, text: `${text} SMTPUTF8`, isUtf8: true };
}

const rightMail: fc.Arbitrary<Command> = fc
  .tuple(mailOpening, grantedAddress, mailParameters)
  .map(([opening, written, wished]) => {
    const { text, isUtf8 } = withNeeded(written, wished);
    return {
      verb: "mail",
      verdict: "right",
      text: `${opening}<${written.text}>${text}`,
      address: written.address,
      isUtf8,
    };
  });

const wrongMail: fc.Arbitrary<Command> = fc
  .oneof(
    fc
      .tuple(mailOpening, foreignAddress, mailParameters)
      .map(([opening, { text }, all]) => `${opening}<${text}>${all.text}`),
    fc.tuple(mailOpening, brokenAddress).map(([opening, path]) => `${opening}<${path}>`),
    fc
      .tuple(mailOpening, grantedAddress, brokenMailParameters)
      .map(([opening, { text }, all]) => `${opening}<${text}>${all}`),
    pick(
      "MAIL",
      "MAIL FROM",
      "MAIL FROM:",
      "MAIL <app@example.com>",
      "MAIL TO:<app@example.com>",
      `MAIL FROM:<app@example.com> ${"x".repeat(3000)}`,
    ),
  )
  .map((text) => ({ verb: "mail", verdict: "wrong", text, isUtf8: false }));

const openMail: fc.Arbitrary<Command> = fc.oneof(
  bent(rightMail.map(({ text }) => text)).map((text) => ({
    verb: "mail" as const,
    verdict: "open" as const,
    text,
    isUtf8: false,
  })),
  fc.constant({ verb: "mail" as const, verdict: "open" as const, text: "MAIL FROM:<>", isUtf8: false }),
);

const rightRcpt: fc.Arbitrary<Command> = fc
  .tuple(rcptOpening, recipientAddress, rcptParameters)
  .map(([opening, { text, address, isAscii }, all]) => ({
    verb: "rcpt",
    // Right in a transaction with SMTPUTF8 alone; which of them that is, the line does not know.
    verdict: isAscii ? "right" : "open",
    text: `${opening}<${text}>${all.text}`,
    address,
    wantsSuccess: all.wantsSuccess,
  }));

const wrongRcpt: fc.Arbitrary<Command> = fc
  .oneof(
    fc.tuple(rcptOpening, brokenAddress).map(([opening, path]) => `${opening}<${path}>`),
    fc
      .tuple(rcptOpening, recipientAddress, brokenRcptParameters)
      .map(([opening, { text }, all]) => `${opening}<${text}>${all}`),
    pick(
      "RCPT",
      "RCPT TO",
      "RCPT TO:",
      "RCPT TO:<>",
      "RCPT FROM:<a@example.org>",
      `RCPT TO:<${"x".repeat(3000)}@example.org>`,
    ),
  )
  .map((text) => ({ verb: "rcpt", verdict: "wrong", text, wantsSuccess: false }));

const openRcpt: fc.Arbitrary<Command> = bent(rightRcpt.map(({ text }) => text)).map((text) => ({
  verb: "rcpt",
  verdict: "open",
  text,
  // Whatever became of NOTIFY.
  wantsSuccess: true,
}));

const hello: fc.Arbitrary<Command> = fc.oneof(
  fc
    .tuple(anyCase("EHLO"), pick("client.example", "[192.0.2.7]", "MY COMPUTER", "x".repeat(250), "[IPv6:::1]"))
    .map(([verb, name]) => ({ verb: "hello" as const, verdict: "right" as const, text: `${verb} ${name}` })),
  pick("EHLO", "EHLO ", "HELO", `EHLO ${"x".repeat(301)}`, "EHLO\tx\0").map((text) => ({
    verb: "hello" as const,
    verdict: "wrong" as const,
    text,
  })),
);

const reset: fc.Arbitrary<Command> = fc.constant({ verb: "reset", verdict: "right", text: "RSET" });

/** DATA, STARTTLS and QUIT change what the octets behind them are, so that they are steps of their own. */
const opensSomething = /^\s*(?:data|starttls|quit)/i;

const other: fc.Arbitrary<Command> = fc
  .oneof(
    { weight: 2, arbitrary: pick("NOOP", "NOOP x", "noop", "VRFY <a@example.org>", "HELP", "HELP MAIL") },
    {
      weight: 2,
      arbitrary: pick(
        "",
        " ",
        "EXPN list",
        "XCLIENT ADDR=192.0.2.1 LOGIN=app",
        "XFORWARD ADDR=192.0.2.1",
        "BDAT 10 LAST",
        "ETRN example.com",
        "TURN",
        "SEND FROM:<app@example.com>",
        "AUTH",
        "AUTH *",
        "GET / HTTP/1.1",
        "Host: localhost",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2",
        `NOOP ${"x".repeat(20_000)}`,
      ),
    },
    { weight: 2, arbitrary: noise },
  )
  .filter((text) => !opensSomething.test(text))
  .map((text) => ({ verb: "other", verdict: "open", text }));

/** What gets a session on is more frequent than what does not, so that mail comes about. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 2, arbitrary: hello },
  { weight: 6, arbitrary: rightMail },
  { weight: 2, arbitrary: wrongMail },
  { weight: 2, arbitrary: openMail },
  { weight: 8, arbitrary: rightRcpt },
  { weight: 2, arbitrary: wrongRcpt },
  { weight: 2, arbitrary: openRcpt },
  { weight: 1, arbitrary: reset },
  { weight: 2, arbitrary: other },
);

/** A transaction up to DATA. */
export const envelope: fc.Arbitrary<readonly Command[]> = fc
  .tuple(
    fc.option(fc.oneof(wrongMail, openMail), { freq: 3 }),
    rightMail,
    fc.array(
      fc.oneof({ weight: 4, arbitrary: rightRcpt }, { weight: 1, arbitrary: fc.oneof(wrongRcpt, openRcpt, other) }),
      { maxLength: 4 },
    ),
    rightRcpt,
  )
  .map(([before, mail, recipients, last]) => [...(before === null ? [] : [before]), mail, ...recipients, last]);
