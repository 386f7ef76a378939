import assert from "node:assert/strict";
import { test } from "node:test";
import type { NoticeFacts, ReportedRecipient } from "./facts.ts";
import { humanText } from "./words.ts";

function factsOf(recipients: readonly ReportedRecipient[], changes: Partial<NoticeFacts> = {}): NoticeFacts {
  return {
    action: "failed",
    hostname: "relay.test",
    from: "postmaster@example.com",
    to: "app@example.com",
    id: "0n",
    originalId: "0m",
    now: 2_000,
    acceptedAt: 1_000,
    retryUntil: 9_000,
    recipients,
    original: { header: Buffer.from("Subject: x\r\n"), eightBit: false, smtpUtf8: false },
    boundary: "b",
    ...changes,
  };
}

function refused(address: string, text = "Transaction failed", code = 554): ReportedRecipient {
  return { address, status: "5.0.0", cause: "5.0.0", reply: { code, text }, remoteHost: "mx.test" };
}

const sixty = Array.from({ length: 60 }, (_, index) => `r${index}@example.org`);

test("humanText() says once what was said to all of them", () => {
  const text = humanText(factsOf(sixty.map((address) => refused(address))));
  assert.equal(text.split("The mail server mx.test said").length, 2);
  const block = sixty.map((address) => `  <${address}>`).join("\r\n");
  assert.ok(text.includes(`\r\n\r\n${block}\r\n\r\n    The other side refused the message.\r\n\r\n`), text);
  assert.equal(text.split("What you can do").length, 2);
  assert.ok(!text.includes("typing mistakes"));
});

test("humanText() keeps those apart of whom something else is to be said, in the order of the first", () => {
  const others = [refused("a@x.test", "one"), refused("b@x.test", "two"), refused("c@x.test", "one")];
  const text = humanText(factsOf(others));
  const places = ["<a@x.test>", "<c@x.test>", "554 one", "<b@x.test>", "554 two"].map((words) => text.indexOf(words));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  assert.ok(!places.includes(-1));
});

test("humanText() keeps domains apart when nobody of theirs said anything", () => {
  const found = (address: string): ReportedRecipient => {
    return { address, status: "5.4.4", cause: "5.4.4", reply: { code: 550, text: "no mail host can be used" } };
  };
  const text = humanText(factsOf([found("a@one.test"), found("b@two.test"), found("c@one.test")]));
  assert.match(
    text,
    /<a@one\.test>\r\n {2}<c@one\.test>\r\n\r\n[^]*on the way to one\.test:[^]*on the way to two\.test:/,
  );
});
