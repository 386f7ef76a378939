import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LocalReason, Phase, Trouble } from "../../mail/hostanswer.ts";
import { expire, fewerRecipients, judge } from "./failure.ts";
import { parseReply, type Reply } from "../../mail/reply.ts";

function said(phase: Phase, raw: string): Trouble {
  const reply = parseReply(raw);
  assert.ok(reply, raw);
  return { phase, reply };
}

const rows: readonly { trouble: Trouble; verdict: string }[] = [
  { trouble: { phase: "connect", detail: "ECONNREFUSED" }, verdict: "deferred host 451 4.4.1" },
  { trouble: { phase: "greeting" }, verdict: "deferred host 451 4.4.2" },
  { trouble: said("greeting", "554 5.7.1 go away"), verdict: "deferred host 451 4.3.2" },
  { trouble: said("greeting", "450 4.7.0 greylisted"), verdict: "deferred host 450 4.7.0" },
  { trouble: said("ehlo", "550 who are you"), verdict: "deferred host 451 4.3.2" },
  { trouble: said("tls", "454 4.7.0 not now"), verdict: "deferred host 454 4.7.0" },
  { trouble: { phase: "tls", detail: "self-signed" }, verdict: "deferred host 451 4.7.5" },
  { trouble: { phase: "tls", reason: "tls-not-offered" }, verdict: "deferred host 451 4.7.4" },
  { trouble: said("auth", "535 5.7.8 wrong"), verdict: "deferred host 451 4.7.8" },
  { trouble: said("mail", "530 5.7.0 authenticate first"), verdict: "deferred host 451 4.7.8" },
  { trouble: { phase: "auth", reason: "credentials-unprotected" }, verdict: "deferred host 451 4.7.0" },
  { trouble: said("mail", "550 5.7.1 not from you"), verdict: "failed message 550 5.7.1" },
  { trouble: said("mail", "451 4.7.1 later"), verdict: "deferred message 451 4.7.1" },
  { trouble: said("mail", "452 4.3.1 disk full"), verdict: "deferred host 452 4.3.1" },
  { trouble: said("mail", "452 disk full"), verdict: "deferred host 452 4.0.0" },
  { trouble: said("rcpt", "550 5.1.1 unknown"), verdict: "failed recipient 550 5.1.1" },
  { trouble: said("rcpt", "550 unknown"), verdict: "failed recipient 550 5.0.0" },
  { trouble: said("rcpt", "452 4.2.2 full"), verdict: "deferred recipient 452 4.2.2" },
  { trouble: said("rcpt", "552 5.5.3 too many"), verdict: "deferred recipient 451 4.5.3" },
  { trouble: said("data", "554 5.7.1 no"), verdict: "failed message 554 5.7.1" },
  { trouble: said("data", "250 2.0.0 what"), verdict: "deferred message 451 4.5.0" },
  { trouble: said("end", "552 5.3.4 too large"), verdict: "failed message 552 5.3.4" },
  { trouble: said("end", "452 4.3.1 full"), verdict: "deferred message 452 4.3.1" },
  { trouble: said("rcpt", "421 4.3.2 shutting down"), verdict: "deferred host 421 4.3.2" },
  { trouble: said("end", "421 bye"), verdict: "deferred host 421 4.3.2" },
  { trouble: { phase: "mail" }, verdict: "deferred host 451 4.4.2" },
  { trouble: { phase: "body" }, verdict: "deferred host 451 4.4.2" },
  { trouble: { phase: "end" }, verdict: "deferred message 451 4.4.2" },
  { trouble: { phase: "local", reason: "cannot-sign" }, verdict: "deferred message 451 4.7.0" },
  { trouble: { phase: "local", reason: "no-smtputf8" }, verdict: "failed message 553 5.6.7" },
  { trouble: { phase: "local", reason: "no-8bitmime" }, verdict: "failed message 554 5.6.3" },
  { trouble: { phase: "local" }, verdict: "deferred message 451 4.3.0" },
  { trouble: { phase: "local", reason: "smtputf8-unknown" }, verdict: "deferred host 451 4.6.7" },
  { trouble: { phase: "local", reason: "8bitmime-unknown" }, verdict: "deferred host 451 4.6.3" },
  { trouble: { phase: "dns", reason: "mx-loop" }, verdict: "failed recipient 554 5.4.6" },
  { trouble: { phase: "dns", reason: "blocked-network" }, verdict: "failed recipient 550 5.7.1" },
  { trouble: { phase: "dns", reason: "null-mx" }, verdict: "failed recipient 556 5.1.10" },
  { trouble: { phase: "dns", reason: "no-such-domain" }, verdict: "failed recipient 550 5.1.2" },
  { trouble: { phase: "dns", detail: "SERVFAIL" }, verdict: "deferred host 451 4.4.3" },
];

for (const { trouble, verdict } of rows) {
  test(`judge(${JSON.stringify(trouble)}) is ${verdict}`, () => {
    const { kind, scope, reply } = judge(trouble);
    assert.equal(`${kind} ${scope} ${reply.code} ${reply.enhanced}`, verdict);
  });
}

test("judge() keeps what the next hop said at AUTH in the text, and says where", () => {
  const { reply } = judge(said("auth", "535 5.7.8 bad credentials"));
  assert.equal(reply.text, "next hop said at AUTH: 535 5.7.8 bad credentials");
});

test("judge() names the next hop and the detail of a lost connection", () => {
  const { reply } = judge({ phase: "connect", nextHop: "mx.test:25", detail: "ECONNREFUSED" });
  assert.equal(reply.text, "could not connect (mx.test:25): ECONNREFUSED");
});

const phases: readonly Phase[] = [
  ...(["local", "dns", "connect", "greeting", "ehlo", "tls"] as const),
  ...(["auth", "mail", "rcpt", "data", "body", "end"] as const),
];
const reasons: readonly LocalReason[] = ["cannot-sign", "no-route", "too-large", "dns-trouble", "tls-failed"];
const replies: fc.Arbitrary<Reply> = fc.record(
  { code: fc.integer(), enhanced: fc.string(), text: fc.string() },
  { requiredKeys: ["code", "text"] },
);

test("judge() has an answer to everything, fails nothing before MAIL, and agrees with its own code", () => {
  const troubles = fc.record(
    { phase: fc.constantFrom(...phases), reply: replies, reason: fc.constantFrom(...reasons), detail: fc.string() },
    { requiredKeys: ["phase"] },
  );
  fc.assert(
    fc.property(troubles, (trouble) => {
      const verdict = judge(trouble);
      assert.notEqual(verdict.reply.enhanced, undefined);
      const before = ["connect", "greeting", "ehlo", "tls", "auth"].includes(trouble.phase);
      if (before && trouble.reason === undefined) assert.equal(verdict.kind, "deferred");
      const failed = verdict.reply.code >= 500 && verdict.reply.code <= 599;
      assert.equal(verdict.kind, failed ? "failed" : "deferred");
    }),
  );
});

test("expire() makes a failure of a deferral, with status 4.4.7 and the last answer", () => {
  const verdict = expire(judge(said("rcpt", "450 4.2.1 greylisted")));
  assert.deepEqual(verdict, {
    kind: "failed",
    scope: "recipient",
    reply: { code: 450, enhanced: "4.4.7", text: "delivery time expired; the last answer was 450 4.2.1 greylisted" },
  });
});

test("expire() leaves a failure as it is", () => {
  const verdict = judge(said("rcpt", "550 5.1.1 no"));
  assert.equal(expire(verdict), verdict);
});

/** What next hops say about recipients together, their number or whose they are, and what only sounds like it. */
const numbers: readonly [phase: Phase, said: string, verdict: string][] = [
  ["rcpt", "452 4.5.3 Error: too many recipients", "deferred recipient 452 4.5.3 smaller"],
  ["rcpt", "550 5.5.3 Too many recipients", "deferred recipient 451 4.5.3 smaller"],
  ["rcpt", "552 too many", "deferred recipient 451 4.5.3 smaller"],
  ["rcpt", "452 come back with the rest", "deferred recipient 452 4.0.0 smaller"],
  ["rcpt", "550 5.7.1 Too many recipients", "deferred recipient 451 4.5.3 smaller"],
  ["rcpt", "451 max. 10 rcpts reached", "deferred recipient 451 4.0.0 smaller"],
  ["data", "554 Transaction failed: Recipient count exceeds 50.", "deferred message 451 4.5.3 smaller"],
  ["data", "550 5.5.3 no", "deferred message 451 4.5.3 smaller"],
  ["end", "552 Maximum number of recipients exceeded", "deferred message 451 4.5.3 smaller"],
  ["end", "554 5.7.0 exceeded the limit of 20 recipients", "deferred message 451 4.5.3 smaller"],
  ["rcpt", "452 4.2.2 The recipient limit of this mailbox", "deferred recipient 452 4.2.2"],
  ["rcpt", "550 5.1.1 too many recipients of that name", "failed recipient 550 5.1.1"],
  ["rcpt", "452 4.3.1 disk full", "deferred recipient 452 4.3.1"],
  ["rcpt", "550 5.7.1 the recipient has exceeded their quota", "failed recipient 550 5.7.1"],
  ["data", "452 too busy", "deferred host 452 4.0.0"],
  ["mail", "554 5.5.3 too many recipients", "failed message 554 5.5.3"],
  [
    "rcpt",
    "452 4.5.3 Recipients belong to multiple regions ATTR38 [mx.example 2023-10-28T12:19:33.163Z]",
    "deferred recipient 452 4.5.3 apart",
  ],
  [
    "rcpt",
    "451 4.3.0 Multiple destination domains per transaction is unsupported. Please try again.",
    "deferred recipient 451 4.3.0 apart",
  ],
  ["rcpt", "550 5.7.1 no mail from multiple domains", "failed recipient 550 5.7.1"],
  ["end", "451 4.3.0 Multiple destination domains", "deferred message 451 4.3.0"],
];

for (const [phase, raw, verdict] of numbers) {
  test(`judge() of "${raw}" at ${phase} is ${verdict}`, () => {
    const { kind, scope, reply, refusedTogether } = judge(said(phase, raw));
    const together = refusedTogether === undefined ? "" : { number: " smaller", mixture: " apart" }[refusedTogether];
    const words = `${kind} ${scope} ${reply.code} ${reply.enhanced}${together}`;
    assert.equal(words, verdict);
  });
}

test("fewerRecipients() takes the number that the next hop names, or half of those it refused", () => {
  const fewer = (text: string, tried: number): number => fewerRecipients({ code: 554, text }, tried);
  assert.equal(fewer("Recipient count exceeds 50.", 60), 50);
  assert.equal(fewer("60 recipients, 50 allowed", 60), 50);
  assert.equal(fewer("too many", 60), 30);
  assert.equal(fewer("too many (10.0.0.1 5.5.3 a50)", 7), 3);
  assert.equal(fewer("at most 100", 60), 30);
  assert.equal(fewer("too many", 1), 1);
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 2, max: 1_000 }), (text, tried) => {
      const count = fewer(text, tried);
      assert.ok(count >= 1 && count < tried);
    }),
  );
});
