import assert from "node:assert/strict";
import { test } from "node:test";
import { longestReply, parseReply, withoutAddresses } from "./reply.ts";

const hidden: readonly [text: string, shown: string][] = [
  ["no such user", "no such user"],
  ["<joe@example.org>: unknown", "<*@example.org>: unknown"],
  ['"joe doe"@example.org is unknown', "*@example.org is unknown"],
  ['"a\\"b"@example.org', "*@example.org"],
  ['"x"@a@example.org', "*@*@example.org"],
  ["a@b@example.org", "*@example.org"],
  ["o'brien@example.org is unknown", "*@example.org is unknown"],
  ["(joe@example.org,jane@example.org)", "(*@example.org,*@example.org)"],
  ["call us @ 9", "call us @ 9"],
];

for (const [text, shown] of hidden) {
  test(`withoutAddresses() of ${text}`, () => assert.equal(withoutAddresses(text), shown));
}

const wearing = {
  "a long word before a lone @": `${"a".repeat(500_000)} @x`,
  "quotes that do not end": `${'"\\"'.repeat(200_000)}@`,
  "many words": `${"a@ ".repeat(200_000)}`,
  "many @": `${"@".repeat(500_000)} `,
};

for (const [name, text] of Object.entries(wearing)) {
  test(`withoutAddresses() takes no longer than its text is: ${name}`, { timeout: 5_000 }, () => {
    const startedAt = performance.now();
    withoutAddresses(text);
    assert.ok(performance.now() - startedAt < 2_000);
  });
}

test("parseReply() keeps a bounded part of what a next hop says", () => {
  const reply = parseReply(`550 5.7.1 ${"no ".repeat(300_000)}`);
  assert.equal(reply?.code, 550);
  assert.equal(reply.enhanced, "5.7.1");
  assert.ok(reply.text.length <= longestReply);
});
