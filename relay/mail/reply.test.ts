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

const replies: readonly [raw: string, reply: ReturnType<typeof parseReply>][] = [
  ["250 2.0.0 ok", { code: 250, enhanced: "2.0.0", text: "ok" }],
  ["250-2.0.0 one\r\n250 2.0.0 two", { code: 250, enhanced: "2.0.0", text: "one\ntwo" }],
  ["250-scanning\r\n550 5.7.1 rejected", { code: 550, enhanced: "5.7.1", text: "scanning\nrejected" }],
  ["550-5.7.1 scanning\r\n250 2.0.0 taken", { code: 250, enhanced: "2.0.0", text: "5.7.1 scanning\ntaken" }],
  ["451-4.7.1 wait\n550 no", { code: 550, text: "4.7.1 wait\nno" }],
  ["550-5.1.1 unknown\n550 see our page", { code: 550, enhanced: "5.1.1", text: "unknown\nsee our page" }],
  ["550 4.1.1 noise", { code: 550, text: "4.1.1 noise" }],
  ["250", { code: 250, text: "" }],
  ["250-\n250", { code: 250, text: "\n" }],
  ["250-not over", undefined],
  ["what?", undefined],
  ["250 ok\nwhat?", undefined],
  ["199 no", undefined],
  ["", undefined],
];

for (const [raw, reply] of replies) {
  test(`parseReply() of ${JSON.stringify(raw)}`, () => assert.deepEqual(parseReply(raw), reply));
}

test("parseReply() keeps the line that decides of a reply that is too long", () => {
  const reply = parseReply(`${"250-scanning\r\n".repeat(1_000)}550 5.7.1 rejected`);
  assert.equal(reply?.code, 550);
  assert.match(reply.text, /^scanning\n[^]*\nrejected$/);
  assert.ok(reply.text.length <= longestReply);
});
