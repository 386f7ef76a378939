/** Parameters of MAIL and RCPT: SIZE, BODY, SMTPUTF8, AUTH, and those of DSN (RFC 3461 section 4). */
import fc from "fast-check";
import { anyCase, octetsOf, pick } from "./wish.ts";

/** RFC 3461 section 4: printable, with `+` and two digits for the rest. */
const xtext = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: pick(..."abcXYZ0129!#$%&'()*,-./:;<>?@[\\]^_`{|}~".split("")) },
      { weight: 1, arbitrary: pick("+2B", "+3D", "+20", "+7E") },
    ),
    { minLength: 1, maxLength: 30 },
  )
  .map((all) => all.join(""));

const brokenXtext = pick("", "=", "a=b", "+0D+0AX", "+00", "+0A", "+7F", "x y", "\x7f", "a\tb", "x".repeat(101), "ü");

const notify = fc.oneof(
  fc.constant("NEVER"),
  fc.shuffledSubarray(["SUCCESS", "FAILURE", "DELAY"], { minLength: 1 }).map((all) => all.join(",")),
);
const brokenNotify = pick(
  "",
  "NEVER,SUCCESS",
  "SUCCESS,NEVER",
  "SUCCESS,,FAILURE",
  "SUCCESS,SUCCESS",
  "SUCCESS;FAILURE",
  ",FAILURE",
  "ALWAYS",
  "FAILURE,",
  "S\u0130CCESS",
);

interface Parameter {
  readonly text: string;
  /** Of NOTIFY alone. */
  readonly wantsSuccess?: boolean;
  readonly isUtf8?: boolean;
}

const named = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<Parameter> =>
  fc.tuple(anyCase(name), value).map(([keyword, text]) => ({ text: `${keyword}=${text}` }));

/** At most one of each, in any order: one given twice is a mistake. */
function someOf(...all: readonly fc.Arbitrary<Parameter>[]): fc.Arbitrary<readonly Parameter[]> {
  return fc
    .subarray([...all])
    .chain((some) => fc.tuple(...some).chain((one) => fc.shuffledSubarray(one, { minLength: one.length })));
}

export interface Parameters {
  /** With a space before each. */
  readonly text: string;
  readonly wantsSuccess: boolean;
  readonly isUtf8: boolean;
}

function joined(all: readonly Parameter[]): Parameters {
  return {
    text: all.map(({ text }) => ` ${text}`).join(""),
    wantsSuccess: all.some(({ wantsSuccess }) => wantsSuccess === true),
    isUtf8: all.some(({ isUtf8 }) => isUtf8 === true),
  };
}

export const mailParameters: fc.Arbitrary<Parameters> = someOf(
  named("SIZE", fc.nat({ max: 10_000 }).map(String)),
  named("BODY", pick("7BIT", "8BITMIME", "8bitmime")),
  anyCase("SMTPUTF8").map((text) => ({ text, isUtf8: true })),
  named("RET", pick("FULL", "HDRS", "hdrs")),
  named("ENVID", xtext),
  named("AUTH", pick("<>", "app+40example.com")),
).map(joined);

export const rcptParameters: fc.Arbitrary<Parameters> = someOf(
  notify.chain((value) =>
    named("NOTIFY", anyCase(value)).map((one) => ({ ...one, wantsSuccess: value.includes("SUCCESS") })),
  ),
  named(
    "ORCPT",
    xtext.map((text) => `rfc822;${text}`),
  ),
).map(joined);

export const brokenMailParameters: fc.Arbitrary<string> = fc.oneof(
  pick(
    " SIZE",
    " SIZE=",
    " SIZE=-1",
    " SIZE=0x10",
    " SIZE=1 SIZE=1",
    " SIZE=999999999999999999999",
    " SIZE=99999999",
    " BODY=BINARYMIME",
    " BODY",
    " SMTPUTF8=1",
    " RET=ALL",
    " RET=FULL ret=HDRS",
    " AUTH=",
    " NOTIFY=NEVER",
    " X-FLAG=1",
    " =",
    " RET=FULL\r",
    "RET=FULL",
    "\tRET=FULL",
  ),
  brokenXtext.map((text) => ` ENVID=${octetsOf(text)}`),
);

export const brokenRcptParameters: fc.Arbitrary<string> = fc.oneof(
  brokenNotify.map((text) => ` NOTIFY=${octetsOf(text)}`),
  brokenXtext.filter((text) => text.length < 100).map((text) => ` ORCPT=rfc822;${octetsOf(text)}`),
  pick(
    " ORCPT=",
    " ORCPT=rfc822",
    " ORCPT=;x",
    " ORCPT=rf c822;x",
    " ORCPT=rfc_822;x",
    ` ORCPT=rfc822;${"x".repeat(501)}`,
    " ORCPT=rfc822;a ORCPT=rfc822;b",
    " NOTIFY=NEVER NOTIFY=NEVER",
    " RET=FULL",
    " SIZE=1",
    " X-FLAG",
  ),
);
