import assert from "node:assert/strict";
import { test } from "node:test";
import { asciiOrcpt, decodeXtext, finalRecipient, originalRecipient } from "./recipientform.ts";

interface Form {
  readonly given: string;
  readonly ascii: string;
  readonly utf8?: string;
}

const finals: readonly Form[] = [
  { given: "a@example.org", ascii: "rfc822; a@example.org" },
  { given: '"a  b"@example.org', ascii: 'rfc822; "a  b"@example.org' },
  {
    given: "j\u00fcrgen@example.org",
    ascii: "utf-8; j\\x{FC}rgen@example.org",
    utf8: "utf-8; j\u00fcrgen@example.org",
  },
  // RFC 6533 section 3: `+`, `=` and the backslash are no QCHAR.
  {
    given: '"\u00fc+=\\\\ "@example.org',
    ascii: 'utf-8; "\\x{FC}\\x{2B}\\x{3D}\\x{5C}\\x{5C}\\x{20}"@example.org',
    utf8: 'utf-8; "\u00fc+=\\\\ "@example.org',
  },
  {
    given: "\u{1f4ee}\u202e@example.org",
    ascii: "utf-8; \\x{1F4EE}\\x{202E}@example.org",
    utf8: "utf-8; \u{1f4ee}\\x{202E}@example.org",
  },
];

for (const { given, ascii, utf8 } of finals) {
  test(`finalRecipient() writes ${JSON.stringify(given)} for both ways`, () => {
    assert.equal(finalRecipient(given, "ascii"), ascii);
    assert.equal(finalRecipient(given, "utf-8"), utf8 ?? ascii);
  });
}

const originals: readonly Form[] = [
  { given: "rfc822;Some+2Bone@example.org", ascii: "rfc822; Some+one@example.org" },
  { given: "X-Fax;123+20456", ascii: "X-Fax; 123 456" },
  { given: "no-semicolon", ascii: "rfc822; no-semicolon" },
  {
    given: "utf-8;j\\x{FC}rgen@example.org",
    ascii: "utf-8; j\\x{FC}rgen@example.org",
    utf8: "utf-8; j\u00fcrgen@example.org",
  },
  {
    given: "UTF-8;j\u00fcrgen@example.org",
    ascii: "UTF-8; j\\x{FC}rgen@example.org",
    utf8: "UTF-8; j\u00fcrgen@example.org",
  },
  // Line ends that are hidden in either encoding stay hidden.
  { given: "rfc822;a+0D+0AStatus:+202.0.0", ascii: "rfc822; a??Status: 2.0.0" },
  { given: "utf-8;a\\x{0D}\\x{0A}b", ascii: "utf-8; a\\x{0D}\\x{0A}b" },
  { given: "utf-8;a\\x{D800}\\x{FFFFFF}b", ascii: "utf-8; a?\\x{5C}x{FFFFFF}b", utf8: "utf-8; a?\\x{FFFFFF}b" },
];

for (const { given, ascii, utf8 } of originals) {
  test(`originalRecipient() writes ${JSON.stringify(given)} for both ways`, () => {
    assert.equal(originalRecipient(given, "ascii"), ascii);
    assert.equal(originalRecipient(given, "utf-8"), utf8 ?? ascii);
  });
}

test("asciiOrcpt() encodes what is outside ASCII and nothing else", () => {
  assert.equal(asciiOrcpt("utf-8;gr\u00fcn\u{1f4ee}@example.org"), "utf-8;gr\\x{FC}n\\x{1F4EE}@example.org");
  assert.equal(asciiOrcpt("rfc822;a+2Bb@example.org"), "rfc822;a+2Bb@example.org");
});

test("decodeXtext() gives back what was encoded", () => {
  assert.equal(decodeXtext("a+2Bb+3Dc+20"), "a+b=c ");
});
