import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseMailboxes } from "./mailbox.ts";

const good: readonly (readonly [string, readonly string[]])[] = [
  ["a@example.com", ["a@example.com"]],
  ["<a@example.com>", ["a@example.com"]],
  ["Anne Person <a@example.com>", ["a@example.com"]],
  ["(hi) Anne (there) <a@example.com> (bye)", ["a@example.com"]],
  ['"Person, Anne" <a@example.com>', ["a@example.com"]],
  ['"a@evil.example" <a@example.com>', ["a@example.com"]],
  ['"quo\\"te" <a@example.com>', ["a@example.com"]],
  ["=?utf-8?q?J=C3=B6rg?= <a@example.com>", ["a@example.com"]],
  ["Jörg <jörg@münchen.example>", ["jörg@xn--mnchen-3ya.example"]],
  ["John Q. Public <a@example.com>", ["a@example.com"]],
  ["[Team] Anne <a@example.com>", ["a@example.com"]],
  ["a@example.com, Bob <b@example.com>", ["a@example.com", "b@example.com"]],
  ["a@example.com,, b@example.com,", ["a@example.com", "b@example.com"]],
  ['"john doe"@example.com', ['"john doe"@example.com']],
  ["a@[192.0.2.1]", ["a@[192.0.2.1]"]],
  ["A@EXAMPLE.COM", ["A@example.com"]],
  ["a@example.com (Anne Person)", ["a@example.com"]],
  ["a@example.com <a@example.com>", ["a@example.com"]],
  ["a@EXAMPLE.com(same) <a@example.com>", ["a@example.com"]],
  ["a@example.com <a@example.com>, Bob <b@example.com>", ["a@example.com", "b@example.com"]],
  ["Anne < a@example.com >", ["a@example.com"]],
  ["=?utf-8?q?boss=40evil.example?= <a@example.com>", ["a@example.com"]],
];
for (const [value, addresses] of good) {
  test(`parseMailboxes() finds ${addresses.join(" and ")} in ${value}`, () => {
    const parsed = parseMailboxes(value);
    assert.equal(parsed.kind, "mailboxes");
    assert.deepEqual(
      parsed.mailboxes.map((mailbox) => mailbox.address),
      addresses,
    );
  });
}

const bad: readonly (readonly [string, RegExp])[] = [
  ["", /no address/],
  ["()", /no address/],
  ["foo", /no domain/],
  ["Undisclosed: ;", /group/],
  ["Team: a@example.com, b@example.com;", /group/],
  ["Anne <a@example.com", /match/],
  ["Anne <a@example.com> b@evil.example", /match/],
  ["Anne <a@example.com> <b@evil.example>", /match/],
  ["Anne <<a@example.com>>", /match/],
  ["Anne <>", /domain/],
  ["john doe@example.com", /malformed/],
  ["a@b@example.com", /malformed/],
  ["a@", /malformed/],
  ["@example.com", /domain/],
  ['"open <a@example.com>', /closed/],
  ["(open <a@example.com>", /closed/],
  ["a@[192.0.2.1", /closed/],
  ["a@example.com\ufffd", /UTF-8/],
  ["<x:a@example.com>", /malformed/],
  ["<@relay.example,@other.example:a@example.com>", /a route \(@host:\)/],
  ["<@x,boss@evil.example:a@example.com>", /a route \(@host:\)/],
  ["a@evil.example <a@example.com>", /with a @ that is not its address must be quoted/],
  ["A@example.com <a@example.com>", /with a @ .*quoted/],
  ["a@example.com x <a@example.com>", /with a @ .*quoted/],
  ["[a@evil.example] <a@example.com>", /with a @ .*quoted/],
  [
    "Person, Anne <a@example.com>",
    /^a display name with a comma \(,\) must be quoted, write "Last, First" <name@domain>$/,
  ],
  ["Anne <a@example.com>, Bob", /comma \(,\) must be quoted/],
  [
    "Shop: News <a@example.com>",
    /^a display name with a colon \(:\) must be quoted, write "Shop: News" <name@domain>$/,
  ],
  ["Shop; News <a@example.com>", /semicolon \(;\) does not part|semicolon \(;\) must be quoted/],
  ["a@example.com; b@example.com", /semicolon \(;\) does not part addresses, write a comma/],
  ["a\\b <a@example.com>", /with a \\ must be quoted, write "Name" <name@domain>/],
  ["Anne) <a@example.com>", /with a \) must be quoted/],
  ["Anne] <a@example.com>", /with a \] must be quoted/],
  ["Anne (Sales <a@example.com>", /a comment that begins with \( is not closed/],
  ['An"ne <a@example.com>', /a quoted string \("\) is not closed/],
  ["a@exa\u0000mple.com", /control character U\+0000, leave it out/],
  ["Anne\u2028 <a@example.com>", /control character U\+2028/],
  ["Anne\u0085 <a@example.com>", /control character U\+0085/],
  ["a\\b@example.com", /with a \\ must be quoted/],
  ["anne . person@example.com", /white space or a comment inside it/],
  ["a@ example.com", /white space or a comment inside it/],
  ["a(comment)@example.com", /white space or a comment inside it/],
  ["Anne <(x)a@example.com>", /white space or a comment inside it/],
  ["Anne <a@example.com(x)>", /white space or a comment inside it/],
  ["a@example.com (Anne (P.) Person)", /a \( within a comment/],
  ["a@example.com (Anne \\) Person)", /a \\ within a comment/],
  ["=?utf-8?q?boss=40evil.example?=@example.com", /an encoded word/],
  ['"boss@evil.example"@example.com', /a quoted @ in the local part/],
  ['"a,b"@example.com', /a quoted , in the local part/],
  ['"x" [y] <a@example.com>', /with a \[ beside quotes .*quoted/],
  ["=?utf-8?q?x?= [y] <a@example.com>", /with a \[ beside quotes .*quoted/],
];
for (const [value, reason] of bad) {
  test(`parseMailboxes() refuses ${JSON.stringify(value)}`, () => {
    const parsed = parseMailboxes(value);
    assert.equal(parsed.kind, "fault");
    assert.match(parsed.reason, reason);
  });
}

test("parseMailboxes() gives an answer for any text", () => {
  const characters = ["<", ">", "@", ",", ":", ";", ".", "(", ")", "[", "]", '"', "\\", " ", "a", "b", "\t", "é"];
  const text = fc.string({ unit: fc.constantFrom(...characters) });
  fc.assert(
    fc.property(text, (value) => {
      const parsed = parseMailboxes(value);
      if (parsed.kind === "fault") assert.notEqual(parsed.reason, "");
      else for (const { address } of parsed.mailboxes) assert.match(address, /^.+@[a-z0-9.[\]-]+$/);
    }),
    { numRuns: 2000 },
  );
});
