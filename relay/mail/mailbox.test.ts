import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseMailboxes } from "./mailbox.ts";

const good: readonly (readonly [string, readonly string[]])[] = [
  ["a@example.com", ["a@example.com"]],
  ["<a@example.com>", ["a@example.com"]],
  ["Anne Person <a@example.com>", ["a@example.com"]],
  ["a@example.com (Anne (P.) Person)", ["a@example.com"]],
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
  ["<@relay.example,@other.example:a@example.com>", ["a@example.com"]],
  ["anne . person @ example . com", ["anne.person@example.com"]],
  ["a(comment)@(comment)example.com", ["a@example.com"]],
  ['"john doe"@example.com', ['"john doe"@example.com']],
  ["a@[192.0.2.1]", ["a@[192.0.2.1]"]],
  ["A@EXAMPLE.COM", ["A@example.com"]],
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
  ["a@evil.example <a@example.com>", /quoted/],
  ["[a@evil.example] <a@example.com>", /quoted/],
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
  ["a@exa\u0000mple.com", /quoted/],
  ["a\\b@example.com", /quoted/],
  ["a@example.com\ufffd", /UTF-8/],
  ["<x:a@example.com>", /malformed/],
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
