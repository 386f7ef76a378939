import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { expire, judge, type LocalReason, type Phase, type Trouble } from "./outcome.ts";
import { parseReply, type Reply } from "./reply.ts";

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
