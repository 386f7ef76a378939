/**
 * Whose mail a message is: six parsers that we did not write read From fields made from all that RFC 5322 allows and more.
 * Where one of them finds a mailbox that we do not, the field must have been refused: a grant for one domain never shows
 * another's.
 *
 * Bounded here; `MAILBOAT_FROM_FIELDS=1000000 node --test test/scenario/no-parser-reads-another-sender.test.ts` looks longer.
 */
import assert from "node:assert/strict";
import { domainToASCII } from "node:url";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { parseMailboxes } from "../../relay/mail/mailbox.ts";
import { fieldsNamed, fieldValue, parseHeader } from "../../relay/mail/header.ts";
import { lackingJavaMail, startFromReaders, startJavaMail, type FromReader } from "../support/fromreaders.ts";
import { lackingGo } from "../support/goprogram.ts";

const fieldsAtOnce = 200;
const runs = Math.ceil(Number(process.env["MAILBOAT_FROM_FIELDS"] ?? 20_000) / (fieldsAtOnce / 2));

const pick = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

const domain = pick(
  "a.example",
  "a.example",
  "b.example",
  "A.Example",
  "m\u00fcnchen.example",
  "[192.0.2.1]",
  "a.example.",
  "a\u3002example",
);
const quoted = pick(
  '"x"',
  '"x y"',
  '"boss@b.example"',
  '"x\\" <boss@b.example>"',
  '"x,boss@b.example"',
  '"<boss@b.example>"',
  '"\\\\"',
);
const local = fc.oneof(
  { weight: 6, arbitrary: pick("x", "x", "boss", "x.y", "x+y", "j\u00f6rg", "=?utf-8?q?boss=40b.example=3E?=") },
  { weight: 1, arbitrary: quoted },
  {
    weight: 1,
    arbitrary: pick(
      "x\uff20b.example",
      "x\u0085",
      "x\u2028",
      "\u202ex",
      "x\u200b",
      "x\u00a0y",
      "x\u00ad",
      "x%b.example",
      "x!b",
      "b.example!x",
      ".x",
      "x.",
      "x..y",
    ),
  },
);
const comment = pick(
  "(c)",
  "(boss@b.example)",
  "(<boss@b.example>)",
  "((c))",
  "(\\))",
  "(,)",
  '(")',
  "(a, boss@b.example)",
  "()",
);
const gap = fc.oneof(
  { weight: 6, arbitrary: pick("", " ") },
  { weight: 1, arbitrary: fc.oneof(pick("\r\n ", "\t", "  ", "\r\n\t "), comment) },
);
const address = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(local, domain).map(([name, host]) => `${name}@${host}`) },
  {
    weight: 2,
    arbitrary: fc.tuple(local, gap, gap, domain).map(([name, one, two, host]) => `${name}${one}@${two}${host}`),
  },
  {
    weight: 1,
    arbitrary: pick(
      "@b.example:x@a.example",
      "@x,boss@b.example:x@a.example",
      "@x,@b.example:x@a.example",
      "x@a.example@b.example",
      "x@a@b.example",
      "x @a.example",
    ),
  },
);
const word = fc.oneof(
  {
    weight: 5,
    arbitrary: pick(
      "Anne",
      "J\u00f6rg",
      "Q.",
      "=?utf-8?q?J=C3=B6rg?=",
      "=?utf-8?q?boss=40b.example?=",
      "=?utf-8?b?PGJvc3NAYi5leGFtcGxlPg==?=",
      "Mr.",
      "it's",
    ),
  },
  { weight: 2, arbitrary: quoted },
  { weight: 2, arbitrary: comment },
  {
    weight: 1,
    arbitrary: pick(
      "x@a.example",
      "boss@b.example",
      "boss@b.example,",
      "a,",
      "a:",
      "a;",
      ">",
      "<",
      "\\",
      '"',
      "(",
      ")",
      "[x]",
      "\uff1cboss@b.example\uff1e",
      "boss\uff20b.example",
      "\ufe6b",
      "\u0085",
      "\u2028",
      "\u202e",
      "\u0000",
      "\u001b",
      "\u00a0",
      "=?utf-8?q?=0D=0ABcc:_x?=",
      "=?utf-8?q?x?=<boss@b.example>",
      "=?utf-8?q?x=2C_boss=40b.example?=",
      "=?utf-8?q?=22x=22_=3Cboss=40b.example=3E?=",
      "(=?utf-8?q?=29_boss=40b.example?=)",
      '"=?utf-8?q?=22_=3Cboss=40b.example=3E?="',
      "=?utf-8?q?=28?=",
      "=?iso-2022-jp?b?GyRCIUobKEI=?=",
      "undisclosed-recipients:;",
      '""',
      '"x""y"',
    ),
  },
);
const angle = fc.oneof(
  { weight: 8, arbitrary: address.map((text) => `<${text}>`) },
  { weight: 1, arbitrary: fc.tuple(gap, address, gap).map(([one, text, two]) => `<${one}${text}${two}>`) },
  { weight: 1, arbitrary: address.map((text) => `<<${text}>>`) },
  { weight: 1, arbitrary: fc.tuple(address, address).map(([one, two]) => `<${one}><${two}>`) },
  { weight: 1, arbitrary: pick("<>", "<x>", "<", ">") },
);
const phrase = fc.array(word, { maxLength: 3 });
const mailbox = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(phrase, gap, angle, gap, fc.option(comment))
      .map(([words, one, text, two, last]) => `${words.join(" ")}${one}${text}${two}${last ?? ""}`),
  },
  { weight: 3, arbitrary: fc.tuple(gap, address, gap).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: fc.tuple(address, angle).map((parts) => parts.join(" ")) },
  { weight: 1, arbitrary: fc.tuple(address, gap, address).map((parts) => parts.join(" ")) },
);
const list = fc.oneof(
  { weight: 5, arbitrary: mailbox },
  { weight: 2, arbitrary: fc.array(mailbox, { minLength: 1, maxLength: 3 }).map((all) => all.join(", ")) },
  { weight: 1, arbitrary: fc.array(mailbox, { maxLength: 3 }).map((all) => all.join(",, ")) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(phrase, fc.array(mailbox, { maxLength: 2 }))
      .map(([words, all]) => `${words.join(" ")}: ${all.join(", ")};`),
  },
);
/** No grammar at all: what the specials make of each other. */
const soup = fc
  .array(
    pick(
      "x",
      "a.example",
      "boss@b.example",
      "x@a.example",
      "<",
      ">",
      "@",
      ",",
      ":",
      ";",
      ".",
      "(",
      ")",
      "[",
      "]",
      '"',
      "\\",
      " ",
      "\t",
      "\r\n ",
      "\u00f6",
      "\uff20",
      "=?utf-8?q?x?=",
    ),
    { maxLength: 8 },
  )
  .map((all) => all.join(""));
const name = pick("From: ", "From: ", "From:", "FROM:\t", "From:\r\n ", "from : ");
const field = fc
  .tuple(
    name,
    fc.oneof({ weight: 4, arbitrary: list }, { weight: 1, arbitrary: soup }),
    pick("", "", " ", "\r\n ", "\r\n\t"),
  )
  .map((parts) => parts.join(""))
  .map((text) => Buffer.from(`${text}\r\nSubject: x\r\n\r\n`));

/** Undefined when refused. */
function readByUs(message: Buffer): readonly string[] | undefined {
  if (message.includes(0)) return undefined;
  const header = parseHeader(message.subarray(0, -2));
  if (header.kind === "fault") return undefined;
  const [from] = fieldsNamed(header, "from");
  const parsed = from === undefined ? undefined : parseMailboxes(fieldValue(header, from));
  return parsed?.kind === "mailboxes" ? parsed.mailboxes.map((each) => plain(each.address)) : undefined;
}

/** Quotes that are not needed make no other mailbox, nor does the letter case or form of a domain. */
function plain(text: string): string {
  const at = text.lastIndexOf("@");
  const written = text.slice(0, at);
  const bare = /^".*"$/s.test(written) ? written.slice(1, -1).replace(/\\(.)/g, "$1") : written;
  const host = text.slice(at + 1);
  return `${bare}@${domainToASCII(host) || host.toLowerCase()}`;
}

async function foreignReadings(readers: readonly FromReader[], messages: readonly Buffer[]): Promise<string[]> {
  const ours = messages.map(readByUs);
  const kept = messages.filter((_, index) => ours[index] !== undefined);
  const accepted = ours.filter((each) => each !== undefined);
  const all = await Promise.all(readers.map((reader) => reader.read(kept)));
  return readers.flatMap((reader, which) =>
    kept.flatMap((message, index) => {
      const found = all[which]?.[index] ?? [];
      const foreign = found.filter(
        (each) => /^[^\ufffd]*@[^\ufffd]*$/s.test(each) && accepted[index]?.includes(plain(each)) !== true,
      );
      return foreign.length === 0
        ? []
        : [
            `${JSON.stringify(message.toString())}: ${reader.name} reads ${JSON.stringify(foreign)}, we ${JSON.stringify(accepted[index])}`,
          ];
    }),
  );
}

/** Generates fields, and fails where one of the readers finds somebody whom we do not. */
async function holdAgainst(t: TestContext, readers: readonly FromReader[]): Promise<void> {
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(field, { minLength: 1, maxLength: fieldsAtOnce, size: "max" }), async (messages) => {
      accepted += messages.filter((message) => readByUs(message) !== undefined).length;
      assert.deepEqual(await foreignReadings(readers, messages), []);
    }),
    { numRuns: runs },
  );
  t.diagnostic(`${accepted} fields were accepted`);
}

test("a From that another parser reads as somebody else is refused", { skip: lackingGo() }, async (t) => {
  await holdAgainst(t, await startFromReaders(t));
});

test("a From that JavaMail reads as somebody else is refused", { skip: lackingJavaMail() }, async (t) => {
  await holdAgainst(t, startJavaMail(t));
});
