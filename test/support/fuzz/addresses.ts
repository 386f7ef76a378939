/** Mailboxes as RFC 5321 section 4.1.2 and RFC 6531 section 3.3 write them. */
import fc from "fast-check";
import { anyCase, octetsOf, pick } from "./wish.ts";

/** Domains that everybody who is admitted may use. */
export const grantedDomains = ["example.com", "xn--mnchen-3ya.example"] as const;
/** Domains that are somebody else's, or nobody's. */
export const foreignDomains = ["others.example", "foreign.example", "example.com.foreign.example"] as const;

export interface WrittenAddress {
  /** As it stands between the angle brackets, in octets. */
  readonly text: string;
  /** As the next hop is to hear it. */
  readonly address: string;
  readonly isAscii: boolean;
}

const atom = fc.string({
  unit: pick(..."abcXYZ019!#$%&'*+/=?^_`{|}~-".split("")),
  minLength: 1,
  maxLength: 12,
});
/** RFC 5321 section 4.1.2: Quoted-string; what is quoted needs not be. */
const quoted = (unit: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.array(unit, { minLength: 1, maxLength: 12 }).map((all) => `"${all.join("")}"`);
const quotedLetters = pick(..."abc XYZ.+".split(""));
/** What nobody may send as: readers take some of it for more than letters. */
const quotedSpecials = fc.oneof(
  { weight: 4, arbitrary: pick(..."abc XYZ.<>@,;:()[]".split("")) },
  { weight: 1, arbitrary: pick('\\"', "\\\\", "\\a", "\\ ") },
);
const localOf = (unit: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.array(atom, { minLength: 1, maxLength: 3 }).map((atoms) => atoms.join(".")) },
    { weight: 2, arbitrary: quoted(unit) },
    // RFC 5321 section 4.5.3.1.1: 64 octets.
    { weight: 1, arbitrary: fc.constant("l".repeat(64)) },
  );
const anyLocal = localOf(quotedSpecials);
const senderLocal = localOf(quotedLetters);
const foreignLetters = pick("jörg", "пётр", "電子", "é".repeat(20), "a\u0301", "😀");

const host = pick("example.org", "a.b.c.example.net", `${"d".repeat(63)}.example`, "[192.0.2.1]", "[IPv6:2001:db8::1]");

function written(local: fc.Arbitrary<string>, domain: fc.Arbitrary<string>): fc.Arbitrary<WrittenAddress> {
  return fc
    .tuple(
      local,
      domain.chain((name) => anyCase(name)),
    )
    .map(([name, at]) => ({
      text: octetsOf(`${name}@${at}`),
      address: `${name}@${at.toLowerCase()}`,
      isAscii: /^[\0-\x7f]*$/.test(name),
    }));
}

export const recipientAddress: fc.Arbitrary<WrittenAddress> = fc.oneof(
  { weight: 6, arbitrary: written(anyLocal, host) },
  { weight: 1, arbitrary: written(foreignLetters, host) },
);

export const grantedAddress: fc.Arbitrary<WrittenAddress> = fc.oneof(
  { weight: 6, arbitrary: written(senderLocal, pick(...grantedDomains)) },
  { weight: 1, arbitrary: written(foreignLetters, pick(...grantedDomains)) },
  {
    weight: 1,
    arbitrary: senderLocal.map((local) => ({
      text: octetsOf(`${local}@münchen.example`),
      address: `${local}@xn--mnchen-3ya.example`,
      isAscii: false,
    })),
  },
);

export const foreignAddress: fc.Arbitrary<WrittenAddress> = written(anyLocal, pick(...foreignDomains));

/** What is no mailbox, whatever stands around it. */
export const brokenAddress: fc.Arbitrary<string> = pick(
  "app",
  "@example.com",
  "app@",
  "app@example..com",
  "app@-example.com",
  "app@example.com>",
  "<app@example.com",
  "app @example.com",
  "app@example.com ",
  'app"x@example.com',
  '"app@example.com',
  '"a\x01b"@example.com',
  "app@example.com\r",
  "app@exam\0ple.com",
  "app\xff@example.com",
  "app@[192.0.2]",
  "app@[not an address]",
  "app@example.com@",
  "a,b@example.com",
  "a;b@example.com",
  "(x)app@example.com",
  `${"l".repeat(300)}@example.com`,
  octetsOf("x\uff20example.org@example.com"),
  octetsOf("x\u202e@example.com"),
  octetsOf("x\u2028@example.com"),
);
